// SPDX-License-Identifier: Apache-2.0
//
// The steps of FlowTable::Find, for callers that have work of their own to put between them while the
// lines are on their way. In order: StartFind of each, ProbeFind of all, FinishFind of each.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "dataplane/base/assert.h"
#include "dataplane/base/limits.h"
#include "dataplane/base/prefetch.h"
#include "dataplane/flow/table.h"

namespace tandem::flow {

constexpr Index::Reference ReferenceOf(uint32_t slot, Side side) {
  return slot << 1 | static_cast<uint32_t>(side);
}
constexpr uint32_t SlotOf(Index::Reference reference) {
  return reference >> 1;
}
constexpr Side SideOf(Index::Reference reference) {
  return static_cast<Side>(reference & 1);
}

static_assert(ReferenceOf(kFlowsPerWorkerMax - 1, Side::kServer) < Index::kReferenceMax);

inline FlowRef FlowRefOf(Index::Reference reference) {
  if (reference == Index::kNone) return {};
  return {SlotOf(reference), SideOf(reference)};
}

// Compares bytes: which key they are of is arithmetic then, not a branch that half of all packets
// would mispredict.
template <class Hot>
inline bool FlowTable<Hot>::Matches(const Hot& flow, Side side, const Key& key,
                                    uint8_t protocol) const noexcept {
  static_assert(std::has_unique_object_representations_v<Key>);
  static_assert(offsetof(Hot, client) == 0 && offsetof(Hot, server) == sizeof(Key));
  const auto* const bytes = reinterpret_cast<const std::byte*>(&flow);
  return std::memcmp(bytes + static_cast<size_t>(side) * sizeof(Key), &key, sizeof(Key)) == 0 &&
         flow.common.protocol == protocol;
}

template <class Hot>
inline void PrefetchFlow(const Hot* flow) noexcept {
  PrefetchForBurst(flow);
  if constexpr (sizeof(Hot) > 64) PrefetchForBurst(reinterpret_cast<const char*>(flow) + 64);
}

template <class Hot>
inline void FlowTable<Hot>::LookAt(Lookup<Hot>& lookup, Index::Reference likely) const noexcept {
  lookup.likely = likely;
  lookup.likely_flow = nullptr;
  if (likely == Index::kNone) return;
  lookup.likely_flow = &hot_[SlotOf(likely)];
  PrefetchFlow(lookup.likely_flow);
}

// (The key is read before anything is written: it may still be in registers.)
template <class Hot>
inline void FlowTable<Hot>::StartFind(const Key& key, uint8_t protocol,
                                      Lookup<Hot>& lookup) const noexcept {
  const uint64_t hash = Hash(key, protocol);
  lookup.primary = index_.Primary(hash);
  PrefetchForBurst(lookup.primary);
  lookup.key = &key;
  lookup.hash = hash;
  lookup.protocol = protocol;
}

template <class Hot>
inline void FlowTable<Hot>::ProbeFind(std::span<Lookup<Hot>> batch) const noexcept {
  TANDEM_ASSERT(batch.size() <= kBurstMax);
  // Their only hope is the alternate bucket. Just the first `displaced_count` are ever written.
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init)
  std::array<Lookup<Hot>*, kBurstMax> displaced;
  size_t displaced_count = 0;
  for (Lookup<Hot>& lookup : batch) {
    LookAt(lookup, Index::InPrimary(lookup.primary, lookup.hash).FrontOrNone());
    if (lookup.likely == Index::kNone && Index::HasDisplaced(lookup.primary)) [[unlikely]] {
      index_.PrefetchAlternate(lookup.hash);
      displaced[displaced_count++] = &lookup;
    }
  }
  for (size_t i = 0; i < displaced_count; ++i) {
    Lookup<Hot>& lookup = *displaced[i];
    LookAt(lookup, index_.InAlternate(lookup.hash).FrontOrNone());
  }
}

template <class Hot>
inline Found<Hot> FlowTable<Hot>::FinishFind(const Lookup<Hot>& lookup) noexcept {
  if (lookup.likely_flow == nullptr) return {};
  const Side side = SideOf(lookup.likely);
  if (!Matches(*lookup.likely_flow, side, *lookup.key, lookup.protocol)) [[unlikely]]
    return FindAnew(lookup);
  return {lookup.likely_flow, {SlotOf(lookup.likely), side}};
}

}  // namespace tandem::flow
