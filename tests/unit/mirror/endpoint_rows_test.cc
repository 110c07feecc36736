// SPDX-License-Identifier: Apache-2.0
//
// Failures that others shipped, on two endpoints (tests/README.md has the list).
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tests/unit/mirror/endpoint_world.h"

namespace tandem::mirror::test {
namespace {

constexpr size_t kAround = 14 + 20 + 8;  // Ethernet, IPv4, UDP

bool HeaderOf(const std::vector<uint8_t>& frame, FrameHeader& header) {
  return frame.size() > kAround &&
         ReadHeader(std::span(frame.data(), frame.size()).subspan(kAround), header);
}

uint64_t Refused(const Device& device) {
  const EndpointCounters& counters = device.counters();
  const LinkCounters& link = device.peers->link_counters();
  return link.not_for_us.Get() + link.malformed.Get() + counters.header_bad.Get() +
         counters.session_unknown.Get() + counters.forged.Get() + counters.epoch_old.Get() +
         counters.replayed.Get();
}

}  // namespace

TEST_CASE("row 8: frames of streams, however many, do not hold control frames up", "[mirror]") {
  // A port that is never free for long: most turns begin without room, and what there is the streams
  // would take.
  const unsigned every = GENERATE(1U, 7U);  // turns for one frame
  CAPTURE(every);
  World world;
  REQUIRE(world.RunUntilOpen());
  world.Run(kSecond);
  world.is_recording = true;
  std::vector<Nanos> control[2];
  unsigned turn = 0;
  const auto saturate = [&] {
    ++turn;
    Device* const devices[2] = {&world.a, &world.b};
    for (unsigned i = 0; i < 2; ++i) {
      Device& device = *devices[i];
      for (const std::vector<uint8_t>& frame : world.recorded[i]) {
        FrameHeader header;
        if (HeaderOf(frame, header) && header.type == FrameType::kControl)
          control[i].push_back(world.now);
      }
      world.recorded[i].clear();
      device.room = device.room == UINT32_MAX ? 0 : device.room;
      if (turn % every == 0) ++device.room;
      device.Write(1200);
    }
  };
  const uint64_t before[2] = {world.a.counters().hellos_sent.Get(),
                              world.b.counters().hellos_sent.Get()};
  constexpr unsigned kSeconds = 120;
  world.Run(kSeconds * kSecond, saturate);
  const Device* const devices[2] = {&world.a, &world.b};
  for (unsigned i = 0; i < 2; ++i) {
    CAPTURE(i, devices[i]->counters().control_sent.Get(), devices[i]->counters().hellos_sent.Get(),
            devices[i]->peers->link_counters().sent.Get(), devices[i]->status()->mtu,
            devices[i]->counters().not_sealed.Get());
    CHECK(control[i].size() < 10 * kSeconds);
    CHECK(devices[i]->counters().hellos_sent.Get() - before[i] >= kSeconds - 10);
    Nanos longest = 0;
    for (size_t k = 1; k < control[i].size(); ++k)
      longest = std::max(longest, control[i][k] - control[i][k - 1]);
    CHECK(longest < kSecond + 30 * kMillisecond);
    CHECK(devices[i]->status()->peer == PeerState::kUp);
    CHECK(devices[i]->workers[0].closed == 0);
  }
  // The streams had the rest, each worker's.
  CHECK(world.a.workers[0].writers[1].sent > kSeconds);
  CHECK(world.a.workers[1].writers[1].sent > kSeconds);
  // News is told at once.
  world.a.streams = world.b.streams = SyncState::kInSync;
  world.Run(300 * kMillisecond, saturate);
  CHECK(world.a.group().state == SyncState::kInSync);
}

TEST_CASE("row 15: a frame's group, worker and type are looked up within bounds", "[mirror]") {
  World world;
  world.is_recording = true;
  REQUIRE(world.RunUntilOpen());
  world.Run(200 * kMillisecond, [&] { world.a.Write(100); });
  std::vector<uint8_t> flows;
  std::vector<uint8_t> ack;
  FrameHeader header;
  for (const std::vector<uint8_t>& frame : world.recorded[0])
    if (HeaderOf(frame, header) && header.type == FrameType::kFlows) flows = frame;
  for (const std::vector<uint8_t>& frame : world.recorded[1])
    if (HeaderOf(frame, header) && header.type == FrameType::kFlowsAck) ack = frame;
  REQUIRE_FALSE(flows.empty());
  REQUIRE_FALSE(ack.empty());
  const uint64_t before = Refused(world.a) + Refused(world.b);
  uint64_t injected = 0;
  for (unsigned value = 0; value < 256; ++value) {
    for (const size_t offset : {size_t{3}, size_t{4}, size_t{5}}) {  // type, group, worker
      for (const bool to_b : {false, true}) {
        std::vector<uint8_t> frame = to_b ? flows : ack;
        frame[kAround + offset] = static_cast<uint8_t>(value);
        world.Inject(to_b ? 1 : 0, frame);
        // And by the port that belongs to the group.
        const unsigned port = kControlPort + frame[kAround + 4];
        frame[36] = static_cast<uint8_t>(port >> 8);
        frame[37] = static_cast<uint8_t>(port);
        frame[40] = frame[41] = 0;  // without a checksum
        world.Inject(to_b ? 1 : 0, frame);
        injected += 2;
      }
    }
    world.Run(kMillisecond);
  }
  world.Run(10 * kMillisecond);
  // Every one was refused: by its port, by its header, as a stranger, as forged, or as seen before.
  CHECK(Refused(world.a) + Refused(world.b) - before >= injected);
  CHECK(world.a.workers[0].strays + world.a.workers[1].strays == 0);
  CHECK(world.b.workers[0].strays + world.b.workers[1].strays == 0);
  const uint64_t came = world.b.workers[0].readers[1].came;
  world.Run(50 * kMillisecond, [&] { world.a.Write(100); });
  CHECK(world.b.workers[0].readers[1].came > came);
}

TEST_CASE("row 16: platforms that differ mirror persistence only, and keep quiet", "[mirror]") {
  World world;
  world.b.options.fingerprint.workers = 1;
  world.b.options.fingerprint.reta_hash = 0x10;
  world.b.Start(0xb1);
  world.Run(5 * kSecond);
  CHECK(world.a.status()->incompatible ==
        "workers 2 here, 1 at the peer; "
        "RSS table 0000000000000009 here, 0000000000000010 at the peer");
  CHECK(std::string(world.a.group().reason) == "platforms differ");
  CHECK_FALSE(Writer(world.a).is_open);
  REQUIRE(Writer(world.a, 0).is_open);
  CHECK(Writer(world.a, 0).terms.streams == 1);
  CHECK_FALSE(Writer(world.a, 0, 1).is_open);
  CHECK(Flows(world, world.a, world.b, 0));
  const uint64_t before = world.a.counters().hellos_sent.Get();
  world.Run(600 * kSecond);
  CHECK(world.a.counters().hellos_sent.Get() - before < 20);
  CHECK(world.a.status()->peer == PeerState::kUp);
  // Repaired.
  world.b.options.fingerprint = world.a.options.fingerprint;
  world.b.Start(0xb2);
  REQUIRE(world.RunUntilOpen());
  CHECK(world.a.status()->incompatible.empty());
}

TEST_CASE("endpoint: flows are mirrored to tables that are larger, not to smaller ones",
          "[mirror]") {
  World world;
  world.b.options.fingerprint.flows_ipv4_per_worker =
      2 * world.a.options.fingerprint.flows_ipv4_per_worker;
  world.b.Start(0xb1);
  REQUIRE(world.RunUntilOpen());
  CHECK(world.a.status()->incompatible.empty());
  CHECK(Flows(world, world.a, world.b, 1));
  // The other way round they would not fit.
  world.a.roles.Set(1, config::Role::kStandby);
  world.b.roles.Set(1, config::Role::kActive);
  world.Run(5 * kSecond);
  CHECK(std::string(world.a.group().reason) == "flow tables are smaller than the peer's");
  CHECK(std::string(world.b.group().reason) == "the peer's flow tables are smaller");
  CHECK_FALSE(Writer(world.b).is_open);
  CHECK(world.a.status()->peer == PeerState::kUp);
  // Until those have grown, too.
  world.a.options.fingerprint = world.b.options.fingerprint;
  world.a.Start(0xa2);
  CHECK(world.RunUntil([&] { return Writer(world.b).is_open; }));
  CHECK(Flows(world, world.b, world.a, 1));
}

TEST_CASE("endpoint: another version mirrors nothing, and its heartbeats are heard", "[mirror]") {
  World world;
  REQUIRE(world.RunUntilOpen());
  world.b.options.stream_version = kStreamVersion + 1;
  world.b.Start(0xb2);
  world.Run(5 * kSecond);
  for (Device* device : {&world.a, &world.b}) {
    CHECK(device->status()->peer == PeerState::kUp);
    CHECK(std::string(device->group().reason) == "versions differ");
    CHECK_FALSE(Writer(*device).is_open);
    CHECK_FALSE(Writer(*device, 0).is_open);
  }
  CHECK(world.a.status()->incompatible == "mirroring version 1 here, 2 at the peer");
  CHECK(world.b.status()->incompatible == "mirroring version 2 here, 1 at the peer");
  world.a.heartbeat = "a is alive";
  world.b.heartbeat = "b is alive";
  world.Run(10 * kMillisecond);
  CHECK(world.a.heard == "b is alive");
  CHECK(world.b.heard == "a is alive");
  // Upgraded, too.
  world.a.options.stream_version = kStreamVersion + 1;
  world.a.Start(0xa2);
  REQUIRE(world.RunUntilOpen());
  CHECK(world.a.status()->incompatible.empty());
  CHECK(Flows(world, world.a, world.b, 0));
}

}  // namespace tandem::mirror::test
