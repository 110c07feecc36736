// SPDX-License-Identifier: Apache-2.0
//
// Two devices that decide between them who is active: heartbeats over the mirroring wire, takeover, handing
// over, a split, and a device that stood still. Whole units, in virtual time.
#include <algorithm>
#include <catch2/catch.hpp>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/ha/heartbeat_codec.h"
#include "dataplane/mirror/control_codec.h"
#include "dataplane/mirror/frame.h"
#include "tests/unit/unit/takeover_pair.h"

namespace tandem::test {
namespace {

using ha::State;

uint32_t SessionOf(TakeoverPair& devices, unsigned device) {
  return devices.network.pair.rig(device).unit().mirror_status()->groups.at(0).session;
}

// Members whose MAC the device knows, on whatever VLAN.
size_t KnownMembers(Rig& rig) {
  const config::Snapshot& snapshot = rig.unit().snapshot();
  const neighbour::Table& neighbours = rig.unit().neighbours();
  const auto is_known = [&](const config::Member& member) {
    return member.id != 0 &&
           std::ranges::any_of(snapshot.interfaces, [&](const config::Interface& interface) {
             const auto found = neighbours.Find(interface.id, member.address);
             return interface.id != 0 && found.index != 0 && neighbours.Read(found).usable();
           });
  };
  return static_cast<size_t>(std::ranges::count_if(snapshot.members, is_known));
}

// What a control frame without authentication says of who is active.
std::optional<ha::Heartbeat> HeartbeatIn(std::span<const uint8_t> frame) {
  constexpr size_t kAround = 14 + 20 + 8;  // Ethernet, IPv4, UDP
  mirror::FrameHeader header;
  if (frame.size() < kAround + mirror::kHeaderSize + mirror::kTagSize) return {};
  frame = frame.subspan(kAround);
  if (!mirror::ReadHeader(frame, header) || header.type != mirror::FrameType::kControl) return {};
  const auto message = mirror::DecodeControl(
      frame.subspan(mirror::kHeaderSize, frame.size() - mirror::kHeaderSize - mirror::kTagSize));
  const auto* said = std::get_if<mirror::HeartbeatBytes>(&message);
  if (said == nullptr) return {};
  return ha::DecodeHeartbeat(
      {reinterpret_cast<const uint8_t*>(said->bytes.data()), said->bytes.size()});
}

}  // namespace

TEST_CASE("takeover: a standby knows where the members are before it sends them anything",
          "[unit]") {
  TakeoverPair devices;
  const auto members = static_cast<size_t>(
      std::ranges::count_if(devices.network.pair.rig(0).unit().snapshot().members,
                            [](const config::Member& member) { return member.id != 0; }));
  REQUIRE(members > 2);
  for (const Nanos span : {10 * kSecond, 400 * kSecond}) {  // longer than an unused entry stays
    devices.network.pair.Advance(span, 100 * kMillisecond);
    CHECK(KnownMembers(devices.network.pair.rig(1)) == members);
  }
}

TEST_CASE("takeover: the standby goes on with every flow of an active that is silent", "[unit]") {
  TakeoverPair devices;
  const std::vector<Connection> all = OpenAll(devices.network, 0, 1000);
  REQUIRE(devices.Until([&] { return devices.IsReady(0) && AreEqual(devices.network); }));
  devices.network.pair.SetLossFrom(0, 100);
  devices.Pass(TakeoverPair::kDetection / 2);
  CHECK(devices.state(1) != State::kStandalone);
  REQUIRE(devices.Until([&] { return devices.Acts(1); }, TakeoverPair::kDetection + 2 * kSecond));
  CheckGoesOn(devices.network, 1, all);

  // It hears all along that another one has a higher epoch, and is silent.
  CHECK_FALSE(devices.Acts(0));
  for (const Connection& one : all)
    CHECK(devices.network.Send(0, "client", one.client).empty());
  devices.network.pair.SetLoss(0);
  REQUIRE(devices.Until([&] { return devices.IsReady(1); }));
  CheckEqual(devices.network, 1);
}

TEST_CASE("takeover: a split: both act; healed, the higher epoch stays and the other syncs",
          "[unit]") {
  TakeoverPair devices;
  const std::vector<Connection> all = OpenAll(devices.network, 0, 1000);
  REQUIRE(devices.Until([&] { return devices.IsReady(0) && AreEqual(devices.network); }));
  devices.network.pair.SetLoss(100);
  REQUIRE(devices.Until([&] { return devices.Acts(1); }));
  CHECK(devices.Acts(0));
  devices.network.pair.SetLoss(0);
  REQUIRE(devices.Until([&] { return devices.IsReady(1); }));
  CheckGoesOn(devices.network, 1, all);
  CheckEqual(devices.network, 1);
}

TEST_CASE("takeover: handed over by command, there and back, with the table as it was", "[unit]") {
  TakeoverPair devices;
  const std::vector<Connection> all = OpenAll(devices.network, 0, 1000);
  REQUIRE(devices.Until([&] { return devices.IsReady(0) && AreEqual(devices.network); }));
  for (const unsigned source : {0U, 1U}) {
    devices.transitions[1 - source].clear();
    devices.takeover(source).Post(
        ha::Command{.kind = ha::Command::Kind::kStandby, .group = 1, .ticket = 7});
    REQUIRE(devices.Until([&] { return devices.IsReady(1 - source); }));
    REQUIRE(devices.answers.size() == 1);
    CHECK(devices.answers[0].is_done);
    devices.answers.clear();
    CHECK(devices.transitions[1 - source].front() == State::kSwitchingIn);
    CheckGoesOn(devices.network, 1 - source, all);
    CheckEqual(devices.network, 1 - source);
  }
}

TEST_CASE("takeover: a device whose mirror thread stood still lets nothing out", "[unit]") {
  TakeoverPair devices;
  const std::vector<Connection> all = OpenAll(devices.network, 0, 1000);
  REQUIRE(devices.Until([&] { return devices.IsReady(0) && AreEqual(devices.network); }));
  Rig& rig = devices.network.pair.rig(0);
  rig.Skip(TakeoverPair::kDetection);
  for (const Connection& one : all)
    CHECK(devices.network.Send(0, "client", one.client).empty());
  CHECK(rig.Dropped(DropReason::kFenced) >= all.size());
  CHECK(rig.unit().roles().IsFenced(rig.now()));
  // Nobody took over meanwhile: it goes on.
  devices.Pass(kSecond);
  REQUIRE(devices.Until([&] { return devices.IsReady(0); }));
  CHECK_FALSE(rig.unit().roles().IsFenced(rig.now()));
  CheckGoesOn(devices.network, 0, all);
}

TEST_CASE("takeover: a pause ends no mirroring session, and no flow", "[unit]") {
  TakeoverPair devices;
  const std::vector<Connection> all = OpenAll(devices.network, 0, 1000);
  REQUIRE(devices.Until([&] { return devices.IsReady(0) && AreEqual(devices.network); }));
  const uint32_t session = SessionOf(devices, 0);
  devices.transitions[0].clear();
  devices.transitions[1].clear();
  Rig& rig = devices.network.pair.rig(0);
  rig.Skip(TakeoverPair::kDetection - TakeoverPair::kInterval / 4);
  size_t paused_turns = 0;
  devices.watch = [&] {
    if (devices.state(0) != State::kSuspended) return;
    ++paused_turns;
    // Nothing leaves; the peer keeps what it has.
    CHECK(rig.unit().roles().IsSilent(1));
    CHECK(devices.network.Send(0, "client", all[paused_turns % all.size()].client).empty());
    CHECK(devices.state(1) == State::kStandby);
  };
  devices.Pass(2 * TakeoverPair::kDetection);
  devices.watch = nullptr;
  REQUIRE(paused_turns > 0);
  CHECK(rig.Dropped(DropReason::kFenced) >= paused_turns);
  REQUIRE(devices.IsReady(0));
  CHECK(devices.transitions[0].front() == State::kSuspended);
  CHECK(devices.transitions[1].empty());
  CHECK(SessionOf(devices, 0) == session);
  CheckGoesOn(devices.network, 0, all);
  CheckEqual(devices.network, 0);
}

TEST_CASE("takeover: what runs out during a pause ends after it", "[unit]") {
  TakeoverPair devices({.idle_timeout_s = 60});
  Rig& rig = devices.network.pair.rig(0);
  const Nanos opened = rig.now();
  OpenAll(devices.network, 0, 1000);
  REQUIRE(devices.Until([&] { return devices.IsReady(0) && AreEqual(devices.network); }));
  rig.Skip(opened + 60 * kSecond - rig.now() - kSecond / 2);
  bool was_paused = false;
  devices.watch = [&] {
    if (devices.state(0) != State::kSuspended) return;
    was_paused = true;
    CHECK(rig.Total(&pipeline::WorkerCounters::flows_ipv4) == 7);
  };
  devices.Pass(TakeoverPair::kDetection);
  devices.watch = nullptr;
  REQUIRE(was_paused);
  REQUIRE(devices.Until([&] { return devices.IsReady(0); }));
  devices.Pass(4 * kSecond);
  for (const unsigned device : {0U, 1U})
    CHECK(devices.network.pair.rig(device).Total(&pipeline::WorkerCounters::flows_ipv4) == 0);
}

TEST_CASE("takeover: what a worker had in hand when its fence was lifted stays behind it",
          "[unit]") {
  TakeoverPair devices;
  Rig& rig = devices.network.pair.rig(0);
  rig.Skip(TakeoverPair::kDetection);
  // The worker's turn begins; then the mirror thread finds out, and gives the group up for now.
  rig.Run();
  REQUIRE(rig.unit().IsFenced(0, rig.now()));
  devices.takeover(0).Step(ha::Tick{}, rig.now());
  REQUIRE(rig.unit().roles().IsSilent(1));
  CHECK_FALSE(rig.unit().roles().IsFenced(rig.now()));
  CHECK(rig.unit().IsFenced(0, rig.now()));
  rig.Run();
  CHECK_FALSE(rig.unit().IsFenced(0, rig.now()));
}

TEST_CASE("takeover: who says that it acts no more is silent by then", "[unit]") {
  TakeoverPair devices;
  const std::vector<Connection> all = OpenAll(devices.network, 0, 1000);
  REQUIRE(devices.Until([&] { return devices.IsReady(0) && AreEqual(devices.network); }));
  unsigned told[2] = {0, 0};
  for (const unsigned device : {0U, 1U}) {
    devices.network.pair.SetObserver(device, [&, device](std::span<const uint8_t> frame) {
      const auto heartbeat = HeartbeatIn(frame);
      if (!heartbeat || heartbeat->groups.empty() || heartbeat->groups[0].acts) return;
      ++told[device];
      CHECK_FALSE(devices.network.pair.rig(device).unit().roles().IsActive(1));
    });
  }
  // Handed over; then cut off, and healed: the lower epoch gives way.
  devices.takeover(0).Post(
      ha::Command{.kind = ha::Command::Kind::kStandby, .group = 1, .ticket = 7});
  REQUIRE(devices.Until([&] { return devices.IsReady(1); }));
  CHECK(told[0] > 0);
  devices.network.pair.SetLoss(100);
  REQUIRE(devices.Until([&] { return devices.Acts(0) && devices.Acts(1); }));
  told[1] = 0;
  devices.network.pair.SetLoss(0);
  REQUIRE(devices.Until([&] { return devices.IsReady(0); }));
  CHECK(told[1] > 0);
  CheckGoesOn(devices.network, 0, all);
}

TEST_CASE("takeover: heartbeats that make no sense are counted, and nothing else", "[unit]") {
  TakeoverPair devices;
  devices.takeover(0).OnHeartbeat("\xff\xff\xff", 0, devices.network.pair.rig(0).now());
  devices.takeover(0).OnHeartbeat("", 1, devices.network.pair.rig(0).now());
  CHECK(devices.takeover(0).bad_heartbeats().Get() == 2);
  CHECK(devices.IsReady(0));
}

}  // namespace tandem::test
