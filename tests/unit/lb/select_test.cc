// SPDX-License-Identifier: Apache-2.0
#include "dataplane/lb/select.h"

#include <arpa/inet.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <thread>

#include "dataplane/lb/maglev.h"

using tandem::DropReason;
using tandem::IpAddress;
using tandem::Prng;
using namespace tandem::config;
using tandem::lb::Choice;
using tandem::lb::ClientTuple;
using tandem::lb::Selector;

namespace {

constexpr Balancing kAll[] = {Balancing::kRoundRobin, Balancing::kRatio,
                              Balancing::kLeastConnections, Balancing::kMaglevSource,
                              Balancing::kMaglevFiveTuple};

constexpr unsigned kRacers = 4;

struct Fixture {
  Snapshot snapshot;
  LiveTotals totals{kRacers};
  LiveCounts counts{totals, 0};
  Selector selector{Prng(1)};

  Fixture(Balancing balancing, size_t count) {
    snapshot.pools.resize(2);
    Pool& pool = snapshot.pools[1];
    pool.id = 1;
    pool.balancing = balancing;
    snapshot.members.resize(count + 1);
    for (size_t i = 1; i <= count; ++i) {
      Member& member = snapshot.members[i];
      member.id = static_cast<MemberId>(i);
      member.pool = 1;
      member.address = IpAddress::V4(htonl(static_cast<uint32_t>(0x0a000000 + i)));
      member.port = 80;
      pool.members.push_back(member.id);
    }
  }
  void Finish() {
    tandem::lb::FillMaglev(snapshot.pools[1], snapshot.members);
    snapshot.Finish();
  }
  Choice Select(const ClientTuple& client = {}) {
    return selector.Select(snapshot, snapshot.pools[1], client, counts);
  }
};

ClientTuple Client(uint32_t source, uint16_t port) {
  return {.source = IpAddress::V4(source),
          .destination = *IpAddress::Parse("192.0.2.1"),
          .source_port = port,
          .destination_port = 80,
          .protocol = 6};
}

}  // namespace

TEST_CASE("select: round robin gives every member its turn", "[lb]") {
  Fixture fixture(Balancing::kRoundRobin, 7);
  fixture.Finish();
  for (int round = 0; round < 5; ++round) {
    std::set<MemberId> turns;
    for (int i = 0; i < 7; ++i)
      turns.insert(fixture.Select().member->id);
    REQUIRE(turns.size() == 7);
  }
  CHECK(fixture.counts.OfMember(3) == 5);
}

TEST_CASE("select: selectors do not march in step", "[lb]") {
  Fixture fixture(Balancing::kRoundRobin, 100);
  fixture.Finish();
  std::set<MemberId> first;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Selector selector{Prng(seed)};
    first.insert(selector.Select(fixture.snapshot, fixture.snapshot.pools[1], {}, fixture.counts)
                     .member->id);
  }
  CHECK(first.size() > 10);
}

TEST_CASE("select: ratio follows the ratios exactly over a round", "[lb]") {
  Fixture fixture(Balancing::kRatio, 3);
  fixture.snapshot.members[1].ratio = 5;
  fixture.snapshot.members[2].ratio = 3;
  fixture.Finish();
  std::map<MemberId, int> turns;
  for (int i = 0; i < 90; ++i)
    ++turns[fixture.Select().member->id];
  CHECK(turns == std::map<MemberId, int>{{1, 50}, {2, 30}, {3, 10}});
}

TEST_CASE("select: least connections evens out, and ties rotate", "[lb]") {
  Fixture fixture(Balancing::kLeastConnections, 4);
  fixture.Finish();
  for (int i = 0; i < 10; ++i)
    CHECK(fixture.counts.TakeMember(2, 0));
  std::map<MemberId, int> turns;
  for (int i = 0; i < 30; ++i)
    ++turns[fixture.Select().member->id];
  CHECK(turns == std::map<MemberId, int>{{1, 10}, {3, 10}, {4, 10}});

  // Connections that end at once leave all members equal: each gets its turn all the same.
  Fixture idle(Balancing::kLeastConnections, 4);
  idle.Finish();
  std::map<MemberId, int> rotated;
  for (int i = 0; i < 40; ++i) {
    const MemberId id = idle.Select().member->id;
    ++rotated[id];
    idle.counts.ReleaseMember(id);
  }
  CHECK(rotated == std::map<MemberId, int>{{1, 10}, {2, 10}, {3, 10}, {4, 10}});
}

TEST_CASE("select: Maglev source keeps a client's member, five tuple spreads its flows", "[lb]") {
  Fixture by_source(Balancing::kMaglevSource, 10);
  by_source.Finish();
  Fixture by_tuple(Balancing::kMaglevFiveTuple, 10);
  by_tuple.Finish();
  std::map<MemberId, int> source_turns;
  std::map<MemberId, int> tuple_turns;
  for (uint32_t i = 0; i < 10000; ++i) {
    const uint32_t source = htonl(0xc6336400U + i);
    const MemberId first = by_source.Select(Client(source, 1000)).member->id;
    REQUIRE(by_source.Select(Client(source, 2000)).member->id == first);
    ++source_turns[first];
    const auto port = static_cast<uint16_t>(1024 + i);
    const MemberId chosen = by_tuple.Select(Client(htonl(0xc6336401U), port)).member->id;
    REQUIRE(by_tuple.Select(Client(htonl(0xc6336401U), port)).member->id == chosen);
    ++tuple_turns[chosen];
  }
  REQUIRE(source_turns.size() == 10);
  REQUIRE(tuple_turns.size() == 10);
  for (const auto& [id, turns] : source_turns)
    CHECK(turns == Approx(1000).epsilon(0.15));
  for (const auto& [id, turns] : tuple_turns)
    CHECK(turns == Approx(1000).epsilon(0.15));
}

TEST_CASE("select: every part of the five tuple counts", "[lb]") {
  Fixture fixture(Balancing::kMaglevFiveTuple, 100);
  fixture.Finish();
  const auto choose = [&](const ClientTuple& client) { return fixture.Select(client).member->id; };
  const ClientTuple base = Client(htonl(0xc6336401U), 1000);
  std::map<int, std::set<MemberId>> chosen;
  for (int i = 0; i < 20; ++i) {
    ClientTuple client = base;
    client.destination = IpAddress::V4(htonl(0xc0000200U + static_cast<uint32_t>(i)));
    chosen[0].insert(choose(client));
    client = base;
    client.destination_port = static_cast<uint16_t>(i);
    chosen[1].insert(choose(client));
    client = base;
    client.protocol = static_cast<uint8_t>(i);
    chosen[2].insert(choose(client));
    client = base;
    client.source_port = static_cast<uint16_t>(i);
    chosen[3].insert(choose(client));
    client = base;
    client.source = IpAddress::V4(htonl(0xc0000200U + static_cast<uint32_t>(i)));
    chosen[4].insert(choose(client));
  }
  for (const auto& [part, members] : chosen)
    CHECK(members.size() > 10);
}

TEST_CASE("select: every method uses every member below its limit, then says so", "[lb]") {
  for (const Balancing balancing : kAll) {
    CAPTURE(static_cast<int>(balancing));
    Fixture fixture(balancing, 5);
    for (size_t i = 1; i <= 5; ++i) {
      fixture.snapshot.members[i].connection_limit = static_cast<uint32_t>(i);
      fixture.snapshot.members[i].ratio = static_cast<uint16_t>(i * i);
    }
    fixture.Finish();
    const ClientTuple client = Client(htonl(0xc6336401U), 1000);
    for (int i = 0; i < 1 + 2 + 3 + 4 + 5; ++i)
      REQUIRE(fixture.Select(client).member != nullptr);
    for (MemberId id = 1; id <= 5; ++id)
      CHECK(fixture.counts.OfMember(id) == id);
    const Choice refused = fixture.Select(client);
    CHECK(refused.member == nullptr);
    CHECK(refused.reason == DropReason::kMemberLimit);
    fixture.counts.ReleaseMember(4);
    CHECK(fixture.Select(client).member->id == 4);
    for (MemberId id = 1; id <= 5; ++id)
      CHECK(fixture.counts.OfMember(id) == id);
  }
}

TEST_CASE("select: without an available member there is none", "[lb]") {
  for (const Balancing balancing : kAll) {
    Fixture fixture(balancing, 2);
    fixture.snapshot.members[1].up = false;
    fixture.snapshot.members[2].state = MemberState::kForcedOffline;
    fixture.Finish();
    const Choice choice = fixture.Select();
    CHECK(choice.member == nullptr);
    CHECK(choice.reason == DropReason::kNoMember);
  }
}

TEST_CASE("select: disabled members get nothing", "[lb]") {
  for (const Balancing balancing : kAll) {
    Fixture fixture(balancing, 3);
    fixture.snapshot.members[2].state = MemberState::kDisabled;
    fixture.Finish();
    for (uint32_t i = 0; i < 300; ++i) {
      REQUIRE(fixture.Select(Client(htonl(i), 1)).member->id != 2);
    }
  }
}

TEST_CASE("select: limits hold exactly when workers race", "[lb]") {
  for (const Balancing balancing : kAll) {
    CAPTURE(static_cast<int>(balancing));
    Fixture fixture(balancing, 4);
    for (size_t i = 1; i <= 4; ++i)
      fixture.snapshot.members[i].connection_limit = 500;
    fixture.Finish();
    std::atomic<int> taken = 0;
    std::vector<std::thread> workers;
    for (unsigned worker = 0; worker < kRacers; ++worker) {
      workers.emplace_back([&, worker] {
        Selector selector{Prng(worker + 1)};
        LiveCounts counts(fixture.totals, worker);
        for (uint32_t i = 0; i < 1000; ++i) {
          const ClientTuple client = Client(static_cast<uint32_t>(worker * 100000 + i), 1);
          const Choice choice =
              selector.Select(fixture.snapshot, fixture.snapshot.pools[1], client, counts);
          if (choice.member != nullptr) ++taken;
        }
      });
    }
    for (std::thread& worker : workers)
      worker.join();
    CHECK(taken == 2000);
    for (MemberId id = 1; id <= 4; ++id)
      CHECK(fixture.counts.OfMember(id) == 500);
  }
}
