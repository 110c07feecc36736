// SPDX-License-Identifier: Apache-2.0
#include "dataplane/config/virtual_index.h"

#include <algorithm>
#include <bit>
#include <tuple>
#include <utility>

#include "dataplane/base/hash.h"

namespace tandem::config {
namespace {

using Halves = IpAddress::Halves;

// The virtuals are few and the operator's own, so that nothing is lost with constants that all know.
constexpr uint64_t kSeed = 0x9e3779b97f4a7c15;
constexpr uint64_t kHighSeed = 0xd6e8feb86659fd93;

Halves MaskOf(bool v4, uint8_t length) {
  const Halves host = IpPrefix::HostBits(v4, length);
  return {~host[0], ~host[1]};
}

uint64_t HashMasked(const IpAddress& address, const Halves& mask) {
  const Halves halves = address.halves();
  return MultiplyFold((halves[0] & mask[0]) ^ kHighSeed, (halves[1] & mask[1]) ^ kSeed);
}

}  // namespace

uint64_t VirtualIndex::HashOf(const Class& group, const Query& query) noexcept {
  const uint64_t service = (group.any_port ? 0U : uint64_t{query.destination_port} << 8) |
                           (group.any_protocol ? 0U : query.protocol);
  uint64_t hash = HashMasked(query.destination, group.destination_mask);
  if (group.source_length != 0) hash ^= std::rotl(HashMasked(query.source, group.source_mask), 32);
  return MultiplyFold(hash ^ kSeed, service ^ kHighSeed);
}

bool VirtualIndex::Matches(const Class& group, const Virtual& candidate,
                           const Query& query) noexcept {
  const auto same_network = [](const IpAddress& a, const IpAddress& b, const Halves& mask) {
    const Halves left = a.halves();
    const Halves right = b.halves();
    return (((left[0] ^ right[0]) & mask[0]) | ((left[1] ^ right[1]) & mask[1])) == 0;
  };
  return same_network(candidate.destination.address, query.destination, group.destination_mask) &&
         same_network(candidate.source.address, query.source, group.source_mask) &&
         (group.any_port || candidate.port == query.destination_port) &&
         (group.any_protocol || candidate.protocol == query.protocol) &&
         candidate.ListensOn(query.interface);
}

VirtualIndex::Class& VirtualIndex::ClassOf(const Virtual& virtual_server) {
  const bool v4 = virtual_server.destination.address.is_v4();
  const uint8_t source_length = virtual_server.source.length;
  for (Class& group : classes_) {
    if (group.v4 == v4 && group.destination_length == virtual_server.destination.length &&
        group.source_length == source_length && group.any_port == (virtual_server.port == 0) &&
        group.any_protocol == (virtual_server.protocol == 0)) {
      return group;
    }
  }
  Class& group = classes_.emplace_back();
  group.v4 = v4;
  group.destination_length = virtual_server.destination.length;
  group.source_length = source_length;
  group.any_port = virtual_server.port == 0;
  group.any_protocol = virtual_server.protocol == 0;
  group.destination_mask = MaskOf(v4, group.destination_length);
  // Length 0 is everyone, also when the filter was left at its default, which is an IPv6 address.
  if (source_length != 0) group.source_mask = MaskOf(v4, source_length);
  return group;
}

// From the list of a class's entries to their table.
void VirtualIndex::Spread(Class& group) {
  const std::vector<Entry> list =
      std::exchange(group.entries, std::vector<Entry>(std::bit_ceil(2 * group.entries.size())));
  const size_t last = group.entries.size() - 1;
  for (const Entry& entry : list) {
    size_t place = entry.hash & last;
    while (group.entries[place].virtual_server != nullptr)
      place = (place + 1) & last;
    group.entries[place] = entry;
  }
}

void VirtualIndex::Build(const std::vector<Virtual>& virtuals) {
  classes_.clear();
  for (const Virtual& candidate : virtuals) {
    if (candidate.id == 0) continue;
    const bool filtered = candidate.source.length != 0;
    // A filter of the other family lets nobody through.
    if (filtered && candidate.source.address.is_v4() != candidate.destination.address.is_v4()) {
      continue;
    }
    Class& group = ClassOf(candidate);
    const Query own{.source = candidate.source.address,
                    .destination = candidate.destination.address,
                    .destination_port = candidate.port,
                    .protocol = candidate.protocol};
    group.entries.push_back({HashOf(group, own), &candidate});
  }
  for (Class& group : classes_)
    Spread(group);
  const auto rank = [](const Class& group) {
    return std::tuple(-int{group.destination_length}, -int{group.source_length}, group.any_port,
                      group.any_protocol);
  };
  std::sort(classes_.begin(), classes_.end(),
            [&](const Class& a, const Class& b) { return rank(a) < rank(b); });
}

// The one with the lowest id.
const Virtual* VirtualIndex::FindIn(const Class& group, const Query& query) noexcept {
  const uint64_t hash = HashOf(group, query);
  const size_t last = group.entries.size() - 1;
  const Virtual* best = nullptr;
  for (size_t place = hash & last;; place = (place + 1) & last) {
    const auto& [its_hash, candidate] = group.entries[place];
    if (candidate == nullptr) return best;
    if (its_hash == hash && (best == nullptr || candidate->id < best->id) &&
        Matches(group, *candidate, query)) {
      best = candidate;
    }
  }
}

const Virtual* VirtualIndex::Find(const Query& query) const noexcept {
  const bool v4 = query.destination.is_v4();
  for (const Class& group : classes_) {
    if (group.v4 != v4) continue;
    const Virtual* found = FindIn(group, query);
    if (found != nullptr) return found;
  }
  return nullptr;
}

}  // namespace tandem::config
