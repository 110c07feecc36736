// SPDX-License-Identifier: Apache-2.0
//
// How far a group is: decided by each endpoint, by what both devices know.
#include <catch2/catch.hpp>
#include <string>

#include "tests/unit/mirror/endpoint_world.h"

using namespace tandem;
using namespace tandem::mirror;
using config::Role;
using mirror::test::Device;
using mirror::test::World;

TEST_CASE("endpoint: one place says in sync, and both devices come to the same", "[mirror]") {
  World world;
  REQUIRE(world.RunUntilOpen());
  const auto says = [](const Device& device, SyncState state, const std::string& reason) {
    const EndpointStatus::Group& group = device.group();
    CHECK(group.state == state);
    CHECK(group.reason == reason);
    return group.state == state;
  };
  world.a.streams = world.b.streams = SyncState::kAuditing;
  world.Run(kSecond);
  says(world.a, SyncState::kAuditing, "comparing both devices' connections");
  says(world.b, SyncState::kAuditing, "comparing both devices' connections");
  // The active waits for its standby's word.
  world.a.streams = SyncState::kInSync;
  world.Run(kSecond);
  says(world.a, SyncState::kAuditing, "comparing both devices' connections");
  world.b.streams = SyncState::kInSync;
  world.Run(kSecond);
  says(world.a, SyncState::kInSync, "");
  says(world.b, SyncState::kInSync, "");
  CHECK(world.a.group().peer_state == SyncState::kInSync);
  CHECK(world.b.endpoint().claim(1).state == SyncState::kInSync);
  CHECK(world.b.endpoint().claim(1).session == world.b.group().session);
  CHECK(world.b.endpoint().claim(1).reads);
  CHECK_FALSE(world.a.endpoint().claim(1).reads);

  // Held while configured otherwise: streams go on.
  const std::string differ = "the configurations of the two devices differ";
  const auto with_pool = [](config::Snapshot& snapshot) {
    snapshot.pools.resize(2);
    snapshot.pools[1].id = 1;
    snapshot.pools[1].name = "web";
  };
  world.a.Configure(with_pool);
  world.Run(300 * kMillisecond);
  says(world.a, SyncState::kHeld, differ);
  says(world.b, SyncState::kHeld, differ);
  CHECK(world.a.group().peer_state == SyncState::kHeld);
  CHECK(world.b.endpoint().claim(1).state == SyncState::kHeld);
  const uint64_t came = world.b.workers[0].readers[1].came;
  world.Run(50 * kMillisecond, [&] { world.a.Write(100); });
  CHECK(world.b.workers[0].readers[1].came > came);
  CHECK(world.a.workers[0].opened == 3);
  world.b.Configure(with_pool);
  world.Run(300 * kMillisecond);
  says(world.a, SyncState::kInSync, "");
  says(world.b, SyncState::kInSync, "");

  // Held by flows of what the standby lacks.
  world.b.streams = SyncState::kHeld;
  world.Run(300 * kMillisecond);
  says(world.a, SyncState::kHeld, "connections of objects that are not configured at the peer");
  says(world.b, SyncState::kHeld, "connections of objects that are not configured here");
  // The active knows best how late it is, whatever the standby said last.
  world.b.streams = SyncState::kInSync;
  world.a.streams = SyncState::kLagging;
  world.Run(300 * kMillisecond);
  says(world.a, SyncState::kLagging, "the oldest change waits too long");
  world.a.streams = SyncState::kInSync;
  world.Run(300 * kMillisecond);

  // Silence is down; what was decided before stays for a takeover.
  world.faults[0].is_cut = world.faults[1].is_cut = true;
  world.Run(5 * kSecond);
  says(world.a, SyncState::kDown, "peer is down");
  says(world.b, SyncState::kDown, "peer is down");
  CHECK(world.b.endpoint().claim(1).state == SyncState::kInSync);
  // Its own role is not.
  world.b.roles.Set(1, Role::kActive);
  world.Run(300 * kMillisecond);
  CHECK(world.b.endpoint().claim(1).state == SyncState::kDown);
}
