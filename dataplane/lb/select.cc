// SPDX-License-Identifier: Apache-2.0
#include "dataplane/lb/select.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

#include "dataplane/base/hash.h"
#include "dataplane/base/limits.h"

namespace tandem::lb {
namespace {

using config::LiveCounts;
using config::Member;
using config::MemberId;
using config::Pool;
using config::Snapshot;

// A constant of the method: every device has to send a client to the same member.
constexpr uint64_t kClientSeed = 0x4b33a62ed433d4a3;
// How often least connections looks again when another worker was faster.
constexpr int kLeastAttempts = 4;
// Of highest random weights; a constant of the method too.
constexpr uint64_t kWeightSeed = 0x71c1d8a27c55b39d;

uint64_t HashOf(const IpAddress& address, uint64_t seed) {
  const IpAddress::Halves halves = address.halves();
  return HashPair(halves[0], halves[1], seed);
}

uint64_t HashOf(const ClientTuple& client, bool five_tuple) {
  const uint64_t source = HashOf(client.source, kClientSeed);
  if (!five_tuple) return source;
  const uint64_t service = (uint64_t{client.source_port} << 32) |
                           (uint64_t{client.destination_port} << 16) | client.protocol;
  return HashPair(HashPair(source, HashOf(client.destination, kClientSeed), kClientSeed), service,
                  kClientSeed);
}

// Looks before it steps, so that members at their limit cost a read.
const Member* TryTake(const Snapshot& snapshot, MemberId id, LiveCounts& counts) {
  const Member& member = snapshot.members[id];
  const uint32_t limit = member.connection_limit;
  if (limit != 0 && counts.OfMember(id) >= limit) return nullptr;
  return counts.TakeMember(id, limit) ? &member : nullptr;
}

struct Taken {
  const Member* member = nullptr;
  uint32_t position = 0;  // in the list
};

// The first of at most `steps` entries from `start` on that takes the connection.
Taken TakeFrom(const Snapshot& snapshot, std::span<const MemberId> list, uint64_t start,
               size_t steps, LiveCounts& counts) {
  if (list.empty()) return {};
  auto position = static_cast<size_t>(start % list.size());
  for (size_t step = 0; step < steps; ++step) {
    const Member* member = TryTake(snapshot, list[position], counts);
    if (member != nullptr) return {member, static_cast<uint32_t>(position)};
    if (++position == list.size()) position = 0;
  }
  return {};
}

// For lists that name members more than once: a bounded walk through the list, then every member.
Taken TakeWeighted(const Snapshot& snapshot, const Pool& pool, std::span<const MemberId> list,
                   uint64_t start, LiveCounts& counts) {
  const size_t steps = std::min(list.size(), 2 * pool.available.size());
  const Taken taken = TakeFrom(snapshot, list, start, steps, counts);
  if (taken.member != nullptr) return taken;
  const Taken any = TakeFrom(snapshot, pool.available, start, pool.available.size(), counts);
  return {any.member, list.empty() ? any.position : static_cast<uint32_t>(start % list.size())};
}

// The member with the fewest connections, the first of equals from `start` on.
Taken TakeLeast(const Snapshot& snapshot, const Pool& pool, uint64_t start, LiveCounts& counts) {
  const auto size = pool.available.size();
  for (int attempt = 0; attempt < kLeastAttempts; ++attempt) {
    MemberId best = 0;
    uint32_t best_count = UINT32_MAX;
    auto position = static_cast<size_t>(start % size);
    auto best_position = position;
    for (size_t step = 0; step < size; ++step) {
      const MemberId id = pool.available[position];
      const uint32_t count = counts.OfMember(id);
      const uint32_t limit = snapshot.members[id].connection_limit;
      if (count < best_count && (limit == 0 || count < limit)) {
        best = id;
        best_count = count;
        best_position = position;
      }
      if (++position == size) position = 0;
    }
    if (best == 0) return {};
    const Member* member = TryTake(snapshot, best, counts);
    if (member != nullptr) return {member, static_cast<uint32_t>(best_position)};
  }
  return TakeFrom(snapshot, pool.available, start, size, counts);
}

// The larger, the better; `share` of the keys have member's as the largest.
double WeightOf(const Member& member, uint64_t hash, double share) {
  const uint64_t mixed =
      HashPair(HashOf(member.address, kWeightSeed), hash, kWeightSeed + member.port);
  // In (0, 1]: with u even, -log(u) / share is least as often as share says.
  const double u = (static_cast<double>(mixed >> 11) + 1) * 0x1p-53;
  return std::log(u) / share;
}

}  // namespace

Choice SelectByHash(const Snapshot& snapshot, const Pool& pool, uint64_t hash, bool ignore_limits,
                    LiveCounts& counts) noexcept {
  if (pool.available.empty()) return {nullptr, DropReason::kNoMember};
  const bool by_ratio = pool.balancing == config::Balancing::kRatio;
  for (int attempt = 0; attempt < kLeastAttempts; ++attempt) {
    const Member* best = nullptr;
    double best_weight = 0;
    for (const MemberId id : pool.available) {
      const Member& member = snapshot.members[id];
      const uint32_t limit = ignore_limits ? 0 : member.connection_limit;
      if (limit != 0 && counts.OfMember(id) >= limit) continue;
      const double weight = WeightOf(member, hash, by_ratio ? member.ratio : 1);
      if (best == nullptr || weight > best_weight) {
        best = &member;
        best_weight = weight;
      }
    }
    if (best == nullptr) break;
    if (counts.TakeMember(best->id, ignore_limits ? 0 : best->connection_limit)) {
      return {best, DropReason::kNone};
    }
  }
  return {nullptr, DropReason::kMemberLimit};
}

Selector::Selector(Prng prng) : prng_(prng), cursors_(kPoolsMax + 1) {
  for (uint32_t& cursor : cursors_)
    cursor = static_cast<uint32_t>(prng_.Next() >> 32);
}

Choice Selector::Select(const config::Snapshot& snapshot, const config::Pool& pool,
                        const ClientTuple& client, config::LiveCounts& counts) noexcept {
  if (pool.available.empty()) return {nullptr, DropReason::kNoMember};
  uint32_t& cursor = cursors_[pool.id];
  Taken taken;
  switch (pool.balancing) {
    case config::Balancing::kRoundRobin:
      taken = TakeFrom(snapshot, pool.available, cursor, pool.available.size(), counts);
      cursor = taken.position + 1;
      break;
    case config::Balancing::kRatio:
      taken = TakeWeighted(snapshot, pool, pool.ratio_ring, cursor, counts);
      cursor = taken.position + 1;
      break;
    case config::Balancing::kLeastConnections:
      taken = TakeLeast(snapshot, pool, cursor, counts);
      cursor = taken.position + 1;
      break;
    case config::Balancing::kMaglevSource:
      taken = TakeWeighted(snapshot, pool, pool.maglev, HashOf(client, false), counts);
      break;
    case config::Balancing::kMaglevFiveTuple:
      taken = TakeWeighted(snapshot, pool, pool.maglev, HashOf(client, true), counts);
      break;
  }
  if (taken.member == nullptr) return {nullptr, DropReason::kMemberLimit};
  return {taken.member, DropReason::kNone};
}

}  // namespace tandem::lb
