// SPDX-License-Identifier: Apache-2.0
#include "dataplane/config/virtual_index.h"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "dataplane/base/hash.h"

namespace tandem::config {
namespace {

constexpr uint64_t kSeed = 0x9e3779b97f4a7c15;

IpAddress MaskOf(bool v4, uint8_t length) {
  std::array<uint8_t, 16> ones{};
  ones.fill(0xff);
  // As an IPv6 prefix, whatever the family: IPv4 sits in the last 32 bits.
  const auto bits = static_cast<uint8_t>(length + (v4 ? 96 : 0));
  std::array<uint8_t, 16> mask{};
  for (size_t i = 0; i < bits; ++i) {
    mask[i / 8] = static_cast<uint8_t>(mask[i / 8] | (0x80U >> (i % 8)));
  }
  return IpAddress::V6(mask.data());
}

}  // namespace

VirtualIndex::Words VirtualIndex::WordsOf(const IpAddress& address) noexcept {
  Words words;
  std::memcpy(&words.high, address.bytes().data(), 8);
  std::memcpy(&words.low, address.bytes().data() + 8, 8);
  return words;
}

uint64_t VirtualIndex::HashOf(const Class& group, const Query& query) noexcept {
  const Words destination = WordsOf(query.destination);
  const Words source = WordsOf(query.source);
  const uint64_t service = (group.any_port ? 0U : uint64_t{query.destination_port} << 8) |
                           (group.any_protocol ? 0U : query.protocol);
  uint64_t hash = HashPair(destination.high & group.destination_mask.high,
                           destination.low & group.destination_mask.low, kSeed);
  hash ^=
      HashPair(source.high & group.source_mask.high, source.low & group.source_mask.low, ~kSeed);
  return HashPair(hash, service, kSeed);
}

bool VirtualIndex::Matches(const Class& group, const Virtual& candidate,
                           const Query& query) noexcept {
  const auto same_network = [](const IpAddress& a, const IpAddress& b, const Words& mask) {
    const Words left = WordsOf(a);
    const Words right = WordsOf(b);
    return (((left.high ^ right.high) & mask.high) | ((left.low ^ right.low) & mask.low)) == 0;
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
  group.destination_mask = WordsOf(MaskOf(v4, group.destination_length));
  // Length 0 is everyone, also when the filter was left at its default, which is an IPv6 address.
  if (source_length != 0) group.source_mask = WordsOf(MaskOf(v4, source_length));
  return group;
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
    group.virtuals.emplace(HashOf(group, own), &candidate);
  }
  const auto rank = [](const Class& group) {
    return std::tuple(-int{group.destination_length}, -int{group.source_length}, group.any_port,
                      group.any_protocol);
  };
  std::sort(classes_.begin(), classes_.end(),
            [&](const Class& a, const Class& b) { return rank(a) < rank(b); });
}

const Virtual* VirtualIndex::Find(const Query& query) const noexcept {
  const bool v4 = query.destination.is_v4();
  for (const Class& group : classes_) {
    if (group.v4 != v4) continue;
    const auto [begin, end] = group.virtuals.equal_range(HashOf(group, query));
    const Virtual* best = nullptr;
    for (auto position = begin; position != end; ++position) {
      const Virtual* candidate = position->second;
      if ((best == nullptr || candidate->id < best->id) && Matches(group, *candidate, query)) {
        best = candidate;
      }
    }
    if (best != nullptr) return best;
  }
  return nullptr;
}

}  // namespace tandem::config
