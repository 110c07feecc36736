// SPDX-License-Identifier: Apache-2.0
#include "dataplane/lb/maglev.h"

#include <arpa/inet.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "dataplane/base/limits.h"
#include "dataplane/base/prng.h"

using tandem::IpAddress;
using tandem::Prng;
using namespace tandem::config;
using tandem::lb::FillMaglev;
using tandem::lb::MaglevSize;

namespace {

struct Fixture {
  Pool pool;
  std::vector<Member> members;

  Fixture(uint32_t count, uint64_t seed) : members(count + 1) {
    Prng prng(seed);
    pool.id = 1;
    pool.balancing = Balancing::kMaglevSource;
    for (uint32_t i = 1; i <= count; ++i) {
      members[i].id = static_cast<MemberId>(i);
      members[i].address = IpAddress::V4(htonl(0x0a000000U + prng.Below(256) * 65536 + i));
      members[i].port = 80;
      pool.members.push_back(static_cast<MemberId>(i));
    }
  }
  const std::vector<MemberId>& Fill() {
    FillMaglev(pool, members);
    return pool.maglev;
  }
  std::map<MemberId, double> Shares() {
    std::map<MemberId, double> shares;
    for (const MemberId id : Fill())
      shares[id] += 1.0 / static_cast<double>(pool.maglev.size());
    return shares;
  }
};

bool IsPrime(uint32_t n) {
  for (uint32_t d = 2; d * d <= n; ++d) {
    if (n % d == 0) return false;
  }
  return n > 1;
}

}  // namespace

TEST_CASE("maglev: the table is prime and a hundred times the members, up to its maximum", "[lb]") {
  for (size_t members = 0; members <= tandem::kPoolMembersMax; ++members) {
    const uint32_t size = MaglevSize(members);
    REQUIRE(IsPrime(size));
    REQUIRE((size >= 100 * members || size == 65537));
    REQUIRE(size <= 65537);
    if (members > 0) REQUIRE(size >= MaglevSize(members - 1));
  }
  CHECK(MaglevSize(655) == 65537);
}

TEST_CASE("maglev: members share the table evenly", "[lb]") {
  for (const uint32_t count : {1U, 2U, 3U, 10U, 100U, 655U}) {
    Fixture fixture(count, count);
    const auto shares = fixture.Shares();
    CHECK(shares.size() == count);
    for (const auto& [id, share] : shares) {
      REQUIRE(id != 0);
      REQUIRE(share * count == Approx(1.0).epsilon(0.012));
    }
  }
}

TEST_CASE("maglev: ratios weigh the shares", "[lb]") {
  Fixture fixture(4, 7);
  fixture.members[1].ratio = 1;
  fixture.members[2].ratio = 2;
  fixture.members[3].ratio = 3;
  fixture.members[4].ratio = 4;
  const auto shares = fixture.Shares();
  for (const auto& [id, share] : shares)
    CHECK(share == Approx(id / 10.0).margin(0.02));
}

TEST_CASE("maglev: the order of configuration and the ids do not matter", "[lb]") {
  Fixture fixture(50, 11);
  const std::vector<MemberId> table = fixture.Fill();
  std::reverse(fixture.pool.members.begin(), fixture.pool.members.end());
  std::rotate(fixture.pool.members.begin(), fixture.pool.members.begin() + 17,
              fixture.pool.members.end());
  CHECK(fixture.Fill() == table);

  // Other ids for the same members: another device, or another history of reloads.
  Fixture other(50, 11);
  std::reverse(other.members.begin() + 1, other.members.end());
  for (size_t i = 1; i < other.members.size(); ++i)
    other.members[i].id = static_cast<MemberId>(i);
  const std::vector<MemberId>& renamed = other.Fill();
  REQUIRE(renamed.size() == table.size());
  for (size_t i = 0; i < table.size(); ++i) {
    REQUIRE(other.members[renamed[i]].address == fixture.members[table[i]].address);
  }
}

TEST_CASE("maglev: when a member leaves, few entries of the others move", "[lb]") {
  for (const uint32_t count : {3U, 10U, 100U, 600U}) {
    double moved = 0;
    double kept = 0;
    for (uint64_t seed = 1; seed <= 5; ++seed) {
      Fixture fixture(count, seed);
      const std::vector<MemberId> before = fixture.Fill();
      fixture.members[1 + seed % count].up = false;
      const std::vector<MemberId>& after = fixture.Fill();
      REQUIRE(after.size() == before.size());
      for (size_t i = 0; i < before.size(); ++i) {
        REQUIRE(after[i] != 1 + seed % count);
        if (before[i] == 1 + seed % count) continue;
        (before[i] == after[i] ? kept : moved) += 1;
      }
    }
    CAPTURE(count, moved / (moved + kept));
    CHECK(moved / (moved + kept) < 0.05);
    // And when it comes back, everything is as it was.
    Fixture fixture(count, 1);
    const std::vector<MemberId> before = fixture.Fill();
    fixture.members[1].state = MemberState::kDisabled;
    fixture.Fill();
    fixture.members[1].state = MemberState::kEnabled;
    CHECK(fixture.Fill() == before);
  }
}

TEST_CASE("maglev: no table without members or for other methods", "[lb]") {
  Fixture fixture(3, 1);
  REQUIRE_FALSE(fixture.Fill().empty());
  for (size_t i = 1; i <= 3; ++i)
    fixture.members[i].up = false;
  CHECK(fixture.Fill().empty());
  Fixture other(3, 1);
  other.Fill();
  other.pool.balancing = Balancing::kRoundRobin;
  CHECK(other.Fill().empty());
}

TEST_CASE("maglev: the largest pool fills its table", "[lb]") {
  Fixture fixture(tandem::kPoolMembersMax, 5);
  for (size_t i = 1; i < fixture.members.size(); ++i) {
    fixture.members[i].ratio = static_cast<uint16_t>(1 + i % 100);
  }
  const std::vector<MemberId>& table = fixture.Fill();
  CHECK(table.size() == 65537);
  CHECK(std::count(table.begin(), table.end(), 0) == 0);
}
