// SPDX-License-Identifier: Apache-2.0
#include "dataplane/mirror/endpoint.h"

#include <catch2/catch.hpp>

#include "tests/unit/mirror/endpoint_world.h"

using namespace tandem;
using namespace tandem::mirror;
using config::Role;
using mirror::test::Device;
using mirror::test::StubStream;
using mirror::test::World;

TEST_CASE("endpoint: two devices find each other and open their streams", "[mirror]") {
  World world;
  REQUIRE(world.RunUntilOpen(kSecond));
  world.Run(kSecond);
  CHECK(world.a.status()->peer == PeerState::kUp);
  CHECK(world.b.status()->peer == PeerState::kUp);
  CHECK(world.a.status()->peer_device == "two");
  CHECK(world.a.status()->config_equal);
  CHECK(world.a.status()->dictionary_current);
  CHECK(world.b.status()->dictionary_current);
  CHECK(world.a.status()->mtu == 1500);
  CHECK(Writer(world.a).terms.body_max == 1500 - 28 - 64);
  CHECK(world.a.group().session == world.b.group().session);
  CHECK(world.a.group().epoch == world.b.group().epoch);
  CHECK_FALSE(Reader(world.a).is_open);
  CHECK_FALSE(Writer(world.b).is_open);
  // Persistence runs both ways.
  for (Device* device : {&world.a, &world.b}) {
    CHECK(Writer(*device, 0).is_open);
    CHECK(Reader(*device, 0).is_open);
    CHECK(Writer(*device, 0).terms.streams == 2);
  }
  CHECK(Flows(world, world.a, world.b));
  CHECK(Flows(world, world.a, world.b, 0));
  CHECK(Flows(world, world.b, world.a, 0));
  CHECK(world.a.workers[0].strays + world.b.workers[0].strays == 0);
  CHECK(world.a.counters().forged.Get() + world.a.counters().replayed.Get() == 0);
  CHECK(world.a.counters().not_sealed.Get() == 0);
}

TEST_CASE("endpoint: a bad wire delays, and opens nothing twice", "[mirror]") {
  for (const uint64_t seed : {1U, 2U, 3U, 4U, 5U, 6U}) {
    World world(seed);
    for (auto& faults : world.faults) {
      faults = {.lost = 300, .repeated = 200, .delayed = 300, .corrupted = 100};
    }
    REQUIRE(world.RunUntilOpen(60 * kSecond));
    world.Run(20 * kSecond, [&] {
      world.a.Write(1000);
      world.b.Write(1000);
    });
    CHECK(world.a.status()->peer == PeerState::kUp);
    CHECK(Writer(world.a).answered > 1000);
    CHECK(world.a.workers[0].opened == 3);
    CHECK(world.a.workers[0].closed == 0);
    CHECK(world.b.peers->link_counters().malformed.Get() > 0);
    CHECK(world.b.counters().replayed.Get() > 0);
    CHECK(world.a.counters().not_sealed.Get() == 0);
  }
}

TEST_CASE("endpoint: what was recorded of an earlier run harms nothing", "[mirror]") {
  World world;
  world.is_recording = true;
  REQUIRE(world.RunUntilOpen());
  world.Run(2 * kSecond, [&] { world.a.Write(100); });
  world.b.Start(0xb2);
  REQUIRE(world.RunUntil([&] { return world.a.status()->peer_incarnation == 0xb2; }));
  REQUIRE(world.RunUntilOpen());
  const auto of_a = world.recorded[0];
  const auto of_b = world.recorded[1];
  world.is_recording = false;
  const uint32_t session = world.a.group().session;
  const unsigned opened = world.a.workers[0].opened;
  const uint64_t hellos = world.a.counters().hellos_sent.Get();
  // Everything again, several times, and each device's own frames thrown back at it.
  for (int round = 0; round < 3; ++round) {
    for (size_t i = 0; i < of_b.size(); ++i) {
      world.Inject(0, of_b[i]);
      if (i < of_a.size()) world.Inject(0, of_a[i]);
      if (i < of_a.size()) world.Inject(1, of_a[i]);
      if (i % 4 == 0) world.Run(kMillisecond);
    }
  }
  world.Run(kSecond);
  CHECK(world.a.status()->peer_incarnation == 0xb2);
  CHECK(world.a.group().session == session);
  CHECK(world.b.group().session == session);
  CHECK(world.a.workers[0].opened == opened);
  CHECK(world.a.workers[0].strays == 0);
  CHECK(world.a.counters().replayed.Get() > 0);
  CHECK(Flows(world, world.a, world.b));
  // Answers to what looks like a peer that came up are few.
  CHECK(world.a.counters().hellos_sent.Get() - hellos < 200);
}

TEST_CASE("endpoint: words of a run that ended come late, and are not believed", "[mirror]") {
  World world;
  world.is_recording = true;
  world.faults[1].is_cut = true;
  world.Run(500 * kMillisecond);
  for (const auto& frame : world.recorded[1])
    world.Inject(0, frame);
  // It hears the answer, and its own words would be believed, if they came now.
  world.Run(2 * kSecond);
  REQUIRE(world.a.status()->peer == PeerState::kHello);
  const auto of_ended = world.recorded[1];
  world.faults[1].is_cut = false;
  world.b.Start(0xb2);
  REQUIRE(world.RunUntil([&] { return world.a.status()->peer_incarnation == 0xb2; }));
  REQUIRE(world.RunUntilOpen());
  const uint32_t session = world.a.group().session;
  const unsigned opened = world.a.workers[0].opened;
  for (const auto& frame : of_ended) {
    world.Inject(0, frame);
    world.Run(10 * kMillisecond);
    CHECK(world.a.status()->peer_incarnation == 0xb2);
  }
  world.Run(kSecond);
  CHECK(world.a.group().session == session);
  CHECK(world.a.workers[0].opened == opened);
  CHECK(Flows(world, world.a, world.b));
}

TEST_CASE("endpoint: either side restarts, and everything is agreed anew", "[mirror]") {
  World world;
  REQUIRE(world.RunUntilOpen());
  for (uint64_t round = 2; round < 8; ++round) {
    const bool is_active = round % 2 == 0;
    const uint32_t session = world.b.group().session;
    Device& other = is_active ? world.b : world.a;
    if (is_active) {
      world.a.Start(0xa0 + round);
    } else {
      world.b.Start(0xb0 + round);
    }
    REQUIRE(world.RunUntil(
        [&] { return other.status()->peer_incarnation == (is_active ? 0xa0 : 0xb0) + round; }));
    REQUIRE(world.RunUntilOpen());
    CHECK((is_active ? world.b.group().session != session : true));
    CHECK(Flows(world, world.a, world.b));
    CHECK(Flows(world, world.b, world.a, 0));
    // The shadow stays until the new session sweeps it.
    CHECK(world.b.workers[0].discarded == 0);
  }
}

TEST_CASE("endpoint: roles change hands, and the epoch counts up", "[mirror]") {
  World world;
  REQUIRE(world.RunUntilOpen());
  for (int round = 0; round < 6; ++round) {
    Device& old_active = round % 2 == 0 ? world.a : world.b;
    Device& new_active = round % 2 == 0 ? world.b : world.a;
    const uint32_t epoch = old_active.group().epoch;
    const uint32_t session = old_active.group().session;
    const uint32_t records = old_active.workers[0].readers[0].terms.session;
    new_active.roles.Set(1, Role::kActive);
    world.Run(300 * kMillisecond);
    CHECK(new_active.group().session == 0);
    CHECK(std::string(new_active.group().reason) == "both are active");
    CHECK_FALSE(Writer(new_active).is_open);
    CHECK_FALSE(Reader(new_active).is_open);
    CHECK(new_active.group().epoch > epoch);
    CHECK(old_active.workers[0].readers[0].terms.session == records);
    old_active.roles.Set(1, Role::kStandby);
    world.Run(500 * kMillisecond);
    CHECK(old_active.workers[0].readers[0].terms.peers_groups.test(1));
    CHECK(Writer(new_active).is_open);
    CHECK(Reader(old_active).is_open);
    CHECK_FALSE(Writer(old_active).is_open);
    CHECK(new_active.group().session != session);
    // Who has become standby reads all records anew: some of its own may be nobody's.
    CHECK(old_active.workers[0].readers[0].terms.session != records);
    CHECK(old_active.workers[0].readers[0].is_open);
    CHECK(new_active.group().epoch > epoch);
    CHECK(Flows(world, new_active, old_active));
    CHECK(new_active.counters().not_sealed.Get() == 0);
  }
  CHECK(world.a.workers[0].discarded + world.b.workers[0].discarded == 0);
  // Nobody active.
  world.a.roles.Set(1, Role::kStandby);
  world.b.roles.Set(1, Role::kStandby);
  world.Run(kSecond);
  CHECK(std::string(world.a.group().reason) == "both are standby");
}

TEST_CASE("endpoint: strangers, twins and other keys are kept out", "[mirror]") {
  SECTION("another key") {
    World world;
    world.b.options.mirroring.key.fill(1);
    world.b.Start(0xb1);
    world.Run(20 * kSecond);
    CHECK(world.a.status()->peer == PeerState::kDown);
    CHECK(world.a.counters().forged.Get() > 0);
    CHECK(world.a.counters().control_received.Get() == 0);
    CHECK(world.a.counters().hellos_sent.Get() < 250);
    CHECK(std::string(world.a.group().reason) == "peer is down");
  }
  SECTION("the same unit") {
    World world;
    world.b.options.mirroring.unit_id = 1;
    world.b.options.mirroring.peers[0].unit_id = 2;
    world.b.Start(0xb1);
    world.Run(20 * kSecond);
    CHECK(world.a.status()->incompatible == "both devices have unit id 1");
    CHECK(world.a.status()->peer == PeerState::kHello);
    const uint64_t before = world.a.counters().hellos_sent.Get();
    world.Run(600 * kSecond);
    CHECK(world.a.counters().hellos_sent.Get() - before < 20);
    world.b.options.mirroring.unit_id = 2;
    world.b.options.mirroring.peers[0].unit_id = 1;
    world.b.Start(0xb2);
    CHECK(world.RunUntilOpen());
    CHECK(world.a.status()->incompatible.empty());
  }
}

TEST_CASE("row 27: the path's size is found, and found again", "[mirror]") {
  World world;
  world.a.options.mirroring.mtu = 9000;
  world.b.options.mirroring.mtu = 9000;
  world.a.Start(0xa1);
  world.b.Start(0xb1);
  REQUIRE(world.RunUntilOpen());
  world.Run(kSecond);
  CHECK(world.a.status()->mtu == 9000);
  // The path shrinks: small Hellos pass, frames vanish.
  world.faults[0].ip_max = 1400;
  world.Run(20 * kSecond, [&] { world.a.Write(9000); });
  CHECK(world.a.status()->mtu <= 1400);
  CHECK(world.a.status()->mtu > 1400 - 16);
  CHECK(world.b.status()->mtu == world.a.status()->mtu);
  const uint64_t answered = Writer(world.a).answered;
  world.Run(kSecond, [&] { world.a.Write(9000); });
  CHECK(Writer(world.a).answered > answered + 500);
  CHECK(world.a.workers[0].opened == 3);
  // It grows again.
  world.faults[0].ip_max = 65535;
  world.Run(70 * kSecond);
  CHECK(world.a.status()->mtu == 9000);
  CHECK(Writer(world.a).terms.body_max == 9000 - 28 - 64);
}

TEST_CASE("endpoint: a silent peer keeps its sessions", "[mirror]") {
  World world;
  REQUIRE(world.RunUntilOpen());
  const uint32_t session = world.a.group().session;
  world.faults[0].is_cut = world.faults[1].is_cut = true;
  world.Run(60 * kSecond, [&] { world.a.Write(100); });
  CHECK(world.a.status()->peer == PeerState::kDown);
  CHECK(Writer(world.a).is_open);
  world.faults[0].is_cut = world.faults[1].is_cut = false;
  REQUIRE(world.RunUntil([&] { return world.a.status()->peer == PeerState::kUp; }));
  CHECK(world.a.group().session == session);
  CHECK(world.a.workers[0].opened == 3);
  CHECK(Flows(world, world.a, world.b));
}

TEST_CASE("endpoint: configurations are compared, and dictionaries fetched", "[mirror]") {
  World world;
  REQUIRE(world.RunUntilOpen());
  world.Run(kSecond);
  CHECK(world.b.status()->config_equal);
  const auto pools = [](uint16_t first) {
    return [first](config::Snapshot& snapshot) {
      snapshot.virtuals.resize(size_t{first} + 1);
      snapshot.virtuals[first].id = first;
      snapshot.virtuals[first].name = "web";
      snapshot.virtuals[first].destination = *IpPrefix::Parse("192.0.2.1");
      snapshot.virtuals[first].port = 80;
    };
  };
  world.a.Configure(pools(7));
  world.Run(kSecond);
  CHECK_FALSE(world.b.status()->config_equal);
  CHECK(world.b.translation->version == 2);
  CHECK(world.b.translation->VirtualOf(7) == 0);
  world.b.Configure(pools(3));
  world.Run(kSecond);
  CHECK(world.b.status()->config_equal);
  CHECK(world.a.status()->config_equal);
  CHECK(world.b.translation->VirtualOf(7) == 3);
  CHECK(world.a.translation->VirtualOf(3) == 7);
  CHECK(world.b.translation->peer->Find(config::ObjectKind::kVirtual, 7).port == 80);
  CHECK(world.a.workers[0].opened == 3);
}

TEST_CASE("endpoint: the largest dictionary passes", "[mirror]") {
  World world;
  for (auto& faults : world.faults)
    faults.lost = 10;
  const auto members = [](config::Snapshot& snapshot) {
    snapshot.pools.resize(2);
    snapshot.pools[1].id = 1;
    snapshot.pools[1].name = "web";
    snapshot.members.resize(kMembersMax + 1);
    for (size_t id = 1; id <= kMembersMax; ++id) {
      config::Member& member = snapshot.members[id];
      member.id = static_cast<config::MemberId>(id);
      member.pool = 1;
      member.name = std::to_string(id);
      member.address = IpAddress::V4(static_cast<uint32_t>(id));
      member.port = 80;
      snapshot.pools[1].members.push_back(member.id);
    }
  };
  world.a.Configure(members);
  world.b.Configure(members);
  REQUIRE(world.RunUntil([&] { return world.b.status()->dictionary_current; }, 60 * kSecond));
  bool is_equal = true;
  for (uint16_t id = 1; id < kMembersMax; ++id)
    is_equal &= world.b.translation->MemberOf(id) == id;
  CHECK(is_equal);
}

TEST_CASE("endpoint: a worker that is behind is told later, and hears nothing before", "[mirror]") {
  World world;
  REQUIRE(world.RunUntilOpen());
  world.b.workers[0].is_stuck = true;
  world.Run(kSecond, [&] { world.a.Write(100); });
  CHECK(world.b.counters().ring_full.Get() > 0);
  // Another session begins, and worker 0 is not told as long as its ring is full.
  world.a.Start(0xa2);
  world.Run(5 * kSecond, [&] { world.a.Write(100); });
  CHECK(Reader(world.b, 1, 0).terms.session != Reader(world.b, 1, 1).terms.session);
  world.b.workers[0].is_stuck = false;
  world.Run(kSecond, [&] { world.a.Write(100); });
  CHECK(Reader(world.b, 1, 0).terms.session == Reader(world.b, 1, 1).terms.session);
  CHECK(world.b.workers[0].strays == 0);
  CHECK(Reader(world.b).came > 0);
}

TEST_CASE("endpoint: many groups, known by name", "[mirror]") {
  World world;
  world.a.groups.clear();
  world.b.groups.clear();
  for (int i = 1; i <= 127; ++i) {
    world.a.groups.push_back("group " + std::to_string(i));
    world.b.groups.push_back("group " + std::to_string(128 - i));
  }
  world.b.groups[4] = "only here";  // instead of group 123
  for (config::TrafficGroupId i = 1; i <= 127; ++i)
    world.b.roles.Set(i, Role::kStandby);
  world.a.Configure();
  world.b.Configure();
  REQUIRE(world.RunUntil([&] {
    unsigned open = 0;
    for (unsigned i = 1; i <= 127; ++i)
      open += Writer(world.a, i).is_open && Reader(world.b, 128 - i).is_open;
    return open == 126;
  }));
  CHECK(std::string(world.a.group(122).reason) == "peer lacks the group");
  // There is room for some of them at a time, and each is first once.
  world.Run(200 * kMillisecond, [&] { world.a.Write(10); });
  CHECK(Reader(world.b, 0).came > 0);
  CHECK(Writer(world.a, 0).answered > 0);
  CHECK(Reader(world.b, 127).came > 0);
  CHECK(Reader(world.b, 100).came > 0);
  CHECK(Reader(world.b, 127).terms.wire_group == 1);
  CHECK(world.b.workers[0].strays == 0);
}

TEST_CASE("endpoint: keys are renewed, and nobody notices", "[mirror]") {
  for (const uint64_t seed : {1U, 2U, 3U}) {
    World world(seed);
    for (auto& faults : world.faults)
      faults = {.lost = 50, .repeated = 50, .delayed = 200};
    for (Device* device : {&world.a, &world.b})
      device->options.rekey = {.frames = 50, .age = 3 * kSecond};
    world.a.Start(0xa1);
    world.b.Start(0xb1);
    REQUIRE(world.RunUntilOpen());
    const uint32_t session = world.a.group().session;
    world.Run(10 * kSecond, [&] { world.a.Write(100); });
    // A frame a millisecond, and a control frame now and then.
    CHECK(world.a.counters().rekeys.Get() > 2 * 10'000 / 50);
    CHECK(world.b.counters().rekeys.Get() > 2 * 8'000 / 50);
    CHECK(world.a.counters().forged.Get() + world.b.counters().forged.Get() == 0);
    CHECK(world.a.group().session == session);
    CHECK(world.a.workers[0].opened == 3);
    CHECK(Flows(world, world.a, world.b));
  }
}

TEST_CASE("endpoint: keys that were renewed in vain are found again", "[mirror]") {
  World world;
  for (Device* device : {&world.a, &world.b})
    device->options.rekey.age = kSecond;
  world.a.Start(0xa1);
  world.b.Start(0xb1);
  REQUIRE(world.RunUntilOpen());
  const uint32_t session = world.a.group().session;
  world.faults[0].is_cut = world.faults[1].is_cut = true;
  world.Run(60 * kSecond, [&] { world.a.Write(100); });
  world.faults[0].is_cut = world.faults[1].is_cut = false;
  REQUIRE(world.RunUntil([&] { return world.a.status()->peer == PeerState::kUp; }));
  CHECK(Flows(world, world.a, world.b));
  CHECK(Flows(world, world.b, world.a, 0));
  CHECK(world.a.group().session == session);
  CHECK(world.a.workers[0].opened == 3);
}

namespace {

void SetKey(Device& device, uint8_t byte) {
  device.Configure([&device, byte](config::Snapshot& snapshot) {
    snapshot.mirroring = device.options.mirroring;
    snapshot.mirroring.key.fill(byte);
  });
}

}  // namespace

TEST_CASE("endpoint: the pre-shared key changes while frames flow", "[mirror]") {
  World world;
  REQUIRE(world.RunUntilOpen());
  const uint32_t session = world.a.group().session;
  const auto talk = [&](Nanos span) {
    world.Run(span, [&] {
      world.a.Write(100);
      world.b.Write(100);
    });
    world.Run(20 * kMillisecond);
    for (Device* device : {&world.a, &world.b}) {
      for (auto& [group, writer] : device->workers[0].writers)
        CHECK(writer.sent == writer.answered);
    }
    CHECK(world.a.group().session == session);
    CHECK(world.a.workers[0].opened == 3);
    CHECK(world.a.status()->peer == PeerState::kUp);
  };
  talk(100 * kMillisecond);
  SetKey(world.a, 0x11);
  talk(15 * kSecond);
  CHECK(world.a.status()->key_pending);
  CHECK(world.b.counters().forged.Get() > 10);  // Hellos by a key that it does not have
  SECTION("on the other device, too") {
    SetKey(world.b, 0x11);
    talk(kSecond);
    CHECK_FALSE(world.a.status()->key_pending);
    CHECK_FALSE(world.b.status()->key_pending);
    CHECK(world.a.counters().key_changes.Get() == 1);
    CHECK(world.b.counters().key_changes.Get() == 1);
    talk(15 * kSecond);
    const uint64_t forged = world.b.counters().forged.Get();
    // And back again, the other one first.
    SetKey(world.b, 0x5a);
    talk(2 * kSecond);
    CHECK(world.b.counters().forged.Get() == forged);
    SetKey(world.a, 0x5a);
    talk(15 * kSecond);
    CHECK(world.a.counters().key_changes.Get() == 2);
    CHECK(world.b.counters().key_changes.Get() == 2);
    CHECK_FALSE(world.a.status()->key_pending);
  }
  SECTION("not at all") {
    SetKey(world.a, 0x5a);
    const uint64_t forged = world.b.counters().forged.Get();
    talk(5 * kSecond);
    CHECK_FALSE(world.a.status()->key_pending);
    CHECK(world.b.counters().forged.Get() <= forged + 1);
    CHECK(world.a.counters().key_changes.Get() == 0);
  }
  SECTION("a third one before") {
    SetKey(world.a, 0x22);
    talk(2 * kSecond);
    SetKey(world.b, 0x22);
    talk(2 * kSecond);
    CHECK_FALSE(world.a.status()->key_pending);
    CHECK_FALSE(world.b.status()->key_pending);
  }
}

TEST_CASE("endpoint: a peer that starts anew has the old key or the new one", "[mirror]") {
  World world;
  REQUIRE(world.RunUntilOpen());
  SetKey(world.a, 0x11);
  world.Run(kSecond);
  const bool is_new = GENERATE(false, true);
  SetKey(world.b, is_new ? 0x11 : 0x5a);
  world.b.Start(0xb2);
  REQUIRE(world.RunUntil([&] { return world.a.status()->peer_incarnation == 0xb2; }));
  REQUIRE(world.RunUntilOpen());
  CHECK(world.a.status()->key_pending == !is_new);
  CHECK(Flows(world, world.a, world.b));
  CHECK(Flows(world, world.b, world.a, 0));
  SetKey(world.b, 0x11);
  world.Run(15 * kSecond);
  CHECK_FALSE(world.a.status()->key_pending);
  CHECK(Flows(world, world.a, world.b));
}

TEST_CASE("endpoint: with no peer a new key is used at once", "[mirror]") {
  World world;
  world.b.options.mirroring.key.fill(0x11);
  world.b.Start(0xb1);
  world.Run(5 * kSecond);
  CHECK(world.a.status()->peer == PeerState::kDown);
  SetKey(world.a, 0x11);
  REQUIRE(world.RunUntilOpen());
  CHECK_FALSE(world.a.status()->key_pending);
  CHECK(Flows(world, world.a, world.b));
}

TEST_CASE("endpoint: addresses change, and sessions go on", "[mirror]") {
  World world;
  REQUIRE(world.RunUntilOpen());
  const uint32_t session = world.a.group().session;
  const auto move = [](Device& device, const char* address, const char* peer) {
    device.Configure([&device, address, peer](config::Snapshot& snapshot) {
      snapshot.mirroring = device.options.mirroring;
      snapshot.mirroring.address = *IpPrefix::Parse(address);
      snapshot.mirroring.peers[0].address = *IpAddress::Parse(peer);
    });
  };
  move(world.a, "2001:db8::1/64", "2001:db8::2");
  world.Run(5 * kSecond, [&] { world.a.Write(100); });
  CHECK(world.a.status()->peer == PeerState::kDown);
  move(world.b, "2001:db8::2/64", "2001:db8::1");
  REQUIRE(world.RunUntil([&] { return world.a.status()->peer == PeerState::kUp; }));
  world.Run(3 * kSecond);
  CHECK(Flows(world, world.a, world.b));
  CHECK(world.a.group().session == session);
  CHECK(world.a.workers[0].opened == 3);
  CHECK(Writer(world.a).terms.body_max == 1500 - 48 - 64);
}
