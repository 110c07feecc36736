// SPDX-License-Identifier: Apache-2.0
#include "dataplane/flow/table.h"

#include <algorithm>

#include "dataplane/base/assert.h"
#include "dataplane/flow/table_find.h"

namespace tandem::flow {
namespace {

// The steps of splitmix64, which spread a seed over as many words as one likes.
constexpr uint64_t NextSecret(uint64_t& state) {
  uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

template <class Hot>
typename FlowTable<Hot>::Memory FlowTable<Hot>::Carve(MemoryCarver& carver, uint32_t capacity) {
  return {
      .hot = carver.Take<Hot>(capacity),
      .cold = carver.Take<FlowCold>(capacity),
      .registers = carver.Take<Register>(capacity),
      .pages = carver.TakeBytes(SlotPages::BytesNeeded(capacity)),
      .index = carver.TakeBytes(Index::BytesNeeded(2 * capacity)),
  };
}

template <class Hot>
size_t FlowTable<Hot>::BytesNeeded(uint32_t capacity) {
  MemoryCarver carver;
  Carve(carver, capacity);
  return carver.used();
}

template <class Hot>
FlowTable<Hot>::FlowTable(std::span<std::byte> memory, uint32_t capacity, uint64_t seed)
    : FlowTable(
          [&] {
            TANDEM_ASSERT(capacity > 0 && capacity <= kFlowsPerWorkerMax);
            TANDEM_ASSERT(memory.size() >= BytesNeeded(capacity));
            MemoryCarver carver(memory);
            return Carve(carver, capacity);
          }(),
          capacity, seed) {}

template <class Hot>
FlowTable<Hot>::FlowTable(const Memory& memory, uint32_t capacity, uint64_t seed)
    : hot_(memory.hot),
      cold_(memory.cold),
      registers_(memory.registers),
      pages_(memory.pages, capacity),
      index_(memory.index, 2 * capacity) {
  for (uint64_t& secret : secrets_)
    secret = NextSecret(seed);
}

template <class Hot>
FlowRef FlowTable<Hot>::FindHashed(uint64_t hash, const Key& key, uint8_t protocol) const noexcept {
  return FlowRefOf(index_.Find(hash, [&](Index::Reference reference) {
    return Matches(hot_[SlotOf(reference)], SideOf(reference), key, protocol);
  }));
}

template <class Hot>
Found<Hot> FlowTable<Hot>::FindAnew(const Lookup<Hot>& lookup) noexcept {
  const FlowRef ref = FindHashed(lookup.hash, *lookup.key, lookup.protocol);
  if (!ref) return {};
  return {&hot_[ref.slot], ref};
}

template <class Hot>
FlowRef FlowTable<Hot>::FindOne(const Key& key, uint8_t protocol) noexcept {
  return FindHashed(Hash(key, protocol), key, protocol);
}

template <class Hot>
void FlowTable<Hot>::Find(std::span<Lookup<Hot>> batch) noexcept {
  for (Lookup<Hot>& lookup : batch)
    StartFind(*lookup.key, lookup.protocol, lookup);
  ProbeFind(batch);
  for (Lookup<Hot>& lookup : batch)
    lookup.found = FinishFind(lookup).ref;
}

template <class Hot>
void FlowTable<Hot>::PrefetchSlot(uint32_t slot) const noexcept {
  PrefetchFlow(&hot_[slot]);
  __builtin_prefetch(&cold_[slot]);
  __builtin_prefetch(&registers_[slot], 1);
}

template <class Hot>
void FlowTable<Hot>::PrefetchLikely(uint64_t hash) const noexcept {
  PrefetchFlow(&hot_[SlotOf(Index::InPrimary(index_.Primary(hash), hash).front())]);
}

template <class Hot>
void FlowTable<Hot>::PrefetchKeys(uint32_t slot) const noexcept {
  const Hot& flow = hot_[slot];
  index_.Prefetch(Hash(flow.client, flow.common.protocol));
  index_.Prefetch(Hash(flow.server, flow.common.protocol));
}

template <class Hot>
NewFlow<Hot> FlowTable<Hot>::Hashed(const Key& client, const Key& server, uint8_t protocol,
                                    bool one_legged) const noexcept {
  return {.client = client,
          .server = server,
          .client_hash = Hash(client, protocol),
          .server_hash = Hash(server, protocol),
          .protocol = protocol,
          .one_legged = one_legged};
}

// Whether the keys are free.
template <class Hot>
InsertResult FlowTable<Hot>::Check(const NewFlow<Hot>& flow) const noexcept {
  const FlowRef by_client = FindHashed(flow.client_hash, flow.client, flow.protocol);
  if (by_client) return {InsertStatus::kClientKeyTaken, by_client.slot};
  if (!flow.one_legged) {
    if (!flow.server_is_free) {
      const FlowRef by_server = FindHashed(flow.server_hash, flow.server, flow.protocol);
      if (by_server) return {InsertStatus::kServerKeyTaken, by_server.slot};
    }
    if (flow.client == flow.server) return {InsertStatus::kServerKeyTaken, kNoSlot};
  }
  return {InsertStatus::kInserted, kNoSlot};
}

// Into the index and the record; gives the slot back when the index has no room.
template <class Hot>
InsertResult FlowTable<Hot>::Put(const NewFlow<Hot>& flow, uint32_t slot) noexcept {
  if (!index_.Insert(flow.client_hash, ReferenceOf(slot, Side::kClient))) {
    pages_.Free(slot);
    return {InsertStatus::kFull, kNoSlot};
  }
  if (!flow.one_legged && !index_.Insert(flow.server_hash, ReferenceOf(slot, Side::kServer))) {
    index_.Erase(flow.client_hash, ReferenceOf(slot, Side::kClient));
    pages_.Free(slot);
    return {InsertStatus::kFull, kNoSlot};
  }
  Hot& hot = hot_[slot];
  hot = Hot{};
  hot.client = flow.client;
  hot.server = flow.server;
  hot.common.protocol = flow.protocol;
  hot.common.flags = flow.one_legged ? kOneLegged : 0;
  const uint32_t mirror_link = cold_[slot].mirror_link;
  cold_[slot] = FlowCold{};
  cold_[slot].mirror_link = mirror_link;
  return {InsertStatus::kInserted, slot};
}

template <class Hot>
InsertResult FlowTable<Hot>::Insert(config::TrafficGroupId group,
                                    const NewFlow<Hot>& flow) noexcept {
  const InsertResult check = Check(flow);
  if (check.status != InsertStatus::kInserted) return check;
  const uint32_t slot = pages_.Allocate(group);
  if (slot == kNoSlot) return {InsertStatus::kFull, kNoSlot};
  // The next flow of a burst finds its lines there.
  const uint32_t next = pages_.After(slot);
  if (next != kNoSlot) PrefetchSlot(next);
  const InsertResult result = Put(flow, slot);
  if (result.status == InsertStatus::kInserted) registers_[slot] = MakeRegister(NewBirth(), 0);
  return result;
}

template <class Hot>
InsertResult FlowTable<Hot>::InsertAt(config::TrafficGroupId group, uint32_t logical,
                                      const Key& client, const Key& server, uint8_t protocol,
                                      bool one_legged) noexcept {
  const NewFlow<Hot> flow = Hashed(client, server, protocol, one_legged);
  const InsertResult check = Check(flow);
  if (check.status != InsertStatus::kInserted) return check;
  const uint32_t slot = pages_.AllocateAt(group, logical);
  if (slot == kNoSlot) return {InsertStatus::kFull, kNoSlot};
  return Put(flow, slot);
}

template <class Hot>
void FlowTable<Hot>::ClearMirrorLinks(uint32_t slot) noexcept {
  const auto begin = static_cast<uint32_t>(slot - slot % kFlowsPerPage);
  const uint32_t end = std::min<uint32_t>(begin + kFlowsPerPage, capacity());
  for (uint32_t i = begin; i < end; ++i)
    cold_[i].mirror_link = 0;
}

template <class Hot>
void FlowTable<Hot>::Erase(uint32_t slot) noexcept {
  TANDEM_ASSERT(IsLive(slot));
  const FlowCold& cold = cold_[slot];
  TANDEM_ASSERT(cold.timer_previous == kNoSlot && cold.embryonic_previous == kNoSlot);
  Hot& flow = hot_[slot];
  const uint8_t protocol = flow.common.protocol;
  const uint64_t client_hash = Hash(flow.client, protocol);
  const uint64_t server_hash = Hash(flow.server, protocol);
  index_.Prefetch(client_hash);
  index_.Prefetch(server_hash);
  const bool client_erased = index_.Erase(client_hash, ReferenceOf(slot, Side::kClient));
  const bool server_erased = index_.Erase(server_hash, ReferenceOf(slot, Side::kServer));
  TANDEM_ASSERT(client_erased && (server_erased || (flow.common.flags & kOneLegged) != 0));
  flow.common.state = State::kFree;
  pages_.Free(slot);
}

template class FlowTable<FlowHot4>;
template class FlowTable<FlowHot6>;

}  // namespace tandem::flow
