// SPDX-License-Identifier: Apache-2.0
#include "dataplane/lb/maglev.h"

#include <algorithm>
#include <tuple>

#include "dataplane/base/hash.h"

namespace tandem::lb {
namespace {

using config::Member;
using config::MemberId;

constexpr uint32_t kSizes[] = {127, 251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65537};
constexpr uint32_t kRatioMax = 100;

// Both are constants of the table's definition: every device has to use the same.
constexpr uint64_t kOffsetSeed = 0x2d358dccaa6c78a5;
constexpr uint64_t kSkipSeed = 0x8bb84b93962eacc9;

uint64_t HashOf(const Member& member, uint64_t seed) {
  const IpAddress::Halves halves = member.address.halves();
  return HashPair(HashPair(halves[0], halves[1], seed), member.port, seed);
}

// One member's walk through the table: a permutation, as the size is prime.
struct Walk {
  MemberId id = 0;
  uint32_t ratio = 1;
  uint32_t credit = 0;
  uint32_t position = 0;
  uint32_t skip = 1;
  uint64_t rank = 0;

  // The walk's next slot that nobody has taken.
  uint32_t Take(const std::vector<MemberId>& table) {
    const auto size = static_cast<uint32_t>(table.size());
    while (table[position] != 0)
      position = Next(size);
    const uint32_t taken = position;
    position = Next(size);
    return taken;
  }
  uint32_t Next(uint32_t size) const { return (position + skip) % size; }
};

std::vector<Walk> WalksOf(const config::Pool& pool, const std::vector<Member>& members,
                          uint32_t size) {
  std::vector<Walk> walks;
  for (const MemberId id : pool.members) {
    const Member& member = members[id];
    if (!member.accepts_new()) continue;
    const uint64_t offset = HashOf(member, kOffsetSeed);
    const uint64_t skip = HashOf(member, kSkipSeed);
    walks.push_back({.id = id,
                     .ratio = std::clamp<uint32_t>(member.ratio, 1, kRatioMax),
                     .position = static_cast<uint32_t>(offset % size),
                     .skip = static_cast<uint32_t>(skip % (size - 1) + 1),
                     .rank = offset});
  }
  // Turns are taken in an order of the members' own, not in that of the configuration.
  std::sort(walks.begin(), walks.end(), [&](const Walk& a, const Walk& b) {
    return std::tuple(a.rank, members[a.id].address, members[a.id].port) <
           std::tuple(b.rank, members[b.id].address, members[b.id].port);
  });
  return walks;
}

}  // namespace

uint32_t MaglevSize(size_t members) {
  for (const uint32_t size : kSizes) {
    if (size >= 100 * members) return size;
  }
  return kSizes[std::size(kSizes) - 1];
}

void FillMaglev(config::Pool& pool, const std::vector<Member>& members) {
  pool.maglev.clear();
  if (pool.balancing != config::Balancing::kMaglevSource &&
      pool.balancing != config::Balancing::kMaglevFiveTuple) {
    return;
  }
  // By all members, so that the size stays when one of them goes down.
  const uint32_t size = MaglevSize(pool.members.size());
  std::vector<Walk> walks = WalksOf(pool, members, size);
  if (walks.empty()) return;
  pool.maglev.assign(size, 0);
  for (uint32_t filled = 0; filled < size;) {
    for (Walk& walk : walks) {
      // A turn for every kRatioMax of credit, so that when turns come does not depend on the others.
      walk.credit += walk.ratio;
      if (walk.credit < kRatioMax) continue;
      walk.credit -= kRatioMax;
      pool.maglev[walk.Take(pool.maglev)] = walk.id;
      if (++filled == size) return;
    }
  }
}

}  // namespace tandem::lb
