// SPDX-License-Identifier: Apache-2.0
//
// Failures that others shipped, on two whole devices (tests/README.md has the list).
#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

#include "dataplane/mirror/frame.h"
#include "dataplane/unit/mirroring.h"
#include "tests/support/packet_text.h"
#include "tests/unit/unit/pair_network.h"

namespace tandem::test {
namespace {

using config::Role;
using mirror::FrameHeader;
using mirror::FrameType;

constexpr Nanos kStep = 500'000;

// Of a mirroring frame on the wire; false: it is none (ARP).
bool HeaderOf(std::span<const uint8_t> frame, FrameHeader& header) {
  constexpr size_t kAround = 14 + 20 + 8;  // Ethernet, IPv4, UDP
  return frame.size() > kAround && mirror::ReadHeader(frame.subspan(kAround), header);
}

mirror::EndpointStatus::Group StatusOf(PairNetwork& network, unsigned device) {
  const auto status = network.pair.rig(device).unit().mirror_status();
  return status->groups.empty() ? mirror::EndpointStatus::Group() : status->groups[0];
}

// What an operator is shown: in sync, with a peer that is up.
bool ShowsInSync(PairNetwork& network, unsigned device) {
  return StatusOf(network, device).state == mirror::SyncState::kInSync;
}

// Time goes on, without traffic. What says that it is in sync must be.
void AdvanceTruthfully(PairNetwork& network, Nanos span, unsigned active = 0) {
  for (Nanos done = 0; done < span; done += 10 * kMillisecond) {
    network.pair.Advance(10 * kMillisecond, kStep);
    if (network.pair.IsInSync()) REQUIRE(AreEqual(network, active));
  }
}

// Both say that they are in sync, and are equal.
void CheckSynchronised(PairNetwork& network, unsigned active = 0) {
  REQUIRE(network.pair.Synchronise());
  network.pair.Advance(300 * kMillisecond, kStep);
  CHECK(ShowsInSync(network, 0));
  CHECK(ShowsInSync(network, 1));
  CheckEqual(network, active);
}

}  // namespace

TEST_CASE("row 3: each way into a session of two devices ends with equal tables", "[unit]") {
  PairNetwork network("mirror: true", 300);
  OpenAll(network, 0, 1000);
  CheckSynchronised(network);
  SECTION("the cable was out") {
    network.pair.SetLoss(100);
    network.pair.Advance(5 * kSecond, kStep);
    OpenAll(network, 0, 1001);
    network.pair.SetLoss(0);
    CheckSynchronised(network);
  }
  SECTION("the standby was restarted") {
    network.pair.Restart(1, PairConfigOf(1, "mirror: true", 300));
    network.Meet(1);
    OpenAll(network, 0, 1001);
    CheckSynchronised(network);
  }
  SECTION("the active was restarted") {
    network.pair.Restart(0, PairConfigOf(0, "mirror: true", 300));
    network.Meet(0);
    OpenAll(network, 0, 1001);
    CheckSynchronised(network);
    CHECK(network.pair.rig(1).Flows().size() == 9);
  }
  SECTION("the roles were exchanged, and back") {
    network.pair.SwapRoles("tg");
    OpenAll(network, 1, 1001);
    CheckSynchronised(network, 1);
    network.pair.SwapRoles("tg");
    OpenAll(network, 0, 1002);
    CheckSynchronised(network);
    CHECK(network.pair.rig(1).Flows().size() == 27);
  }
  SECTION("the configuration was loaded anew") {
    REQUIRE(network.pair.rig(0).Reload(PairConfigOf(0, "mirror: true", 200)).ok());
    REQUIRE(network.pair.rig(1).Reload(PairConfigOf(1, "mirror: true", 200)).ok());
    OpenAll(network, 0, 1001);
    CheckSynchronised(network);
  }
}

TEST_CASE("row 7: a first pass that is cut short, whatever happens then, is not in sync",
          "[unit]") {
  const unsigned passed = GENERATE(0U, 1U, 3U, 5U);
  const unsigned what = GENERATE(0U, 1U, 2U, 3U);
  CAPTURE(passed, what);
  const std::string mirror = "mirror: true";
  PairNetwork network(mirror, 300);
  network.pair.SetLoss(100);
  for (unsigned port = 1000; port < 1040; ++port)
    OpenAll(network, 0, port);
  // So many frames of flows come through, of each session; then none.
  unsigned left = passed;
  bool is_cut = true;
  network.pair.SetFilter([&](unsigned, std::span<const uint8_t> frame) {
    FrameHeader header;
    if (!is_cut || !HeaderOf(frame, header) || header.type != FrameType::kFlows) return true;
    return left != 0 && left-- != 0;
  });
  network.pair.SetLoss(0);
  network.pair.Advance(2 * kSecond, kStep);
  REQUIRE(left == 0);
  const auto stays_out = [&](Nanos span) {
    for (Nanos done = 0; done < span; done += 10 * kMillisecond) {
      network.pair.Advance(10 * kMillisecond, kStep);
      REQUIRE_FALSE(network.pair.IsInSync());
      REQUIRE_FALSE(ShowsInSync(network, 0));
      REQUIRE_FALSE(ShowsInSync(network, 1));
    }
  };
  stays_out(kSecond);
  left = passed;
  if (what == 0) REQUIRE(network.pair.rig(0).Reload(PairConfigOf(0, mirror, 250)).ok());
  if (what == 1) REQUIRE(network.pair.rig(1).Reload(PairConfigOf(1, mirror, 250)).ok());
  if (what == 2) network.pair.Restart(1, PairConfigOf(1, mirror, 300));
  if (what == 3) network.pair.SetLoss(100);
  stays_out(4 * kSecond);
  // The other one is configured alike; until then the group is held.
  if (what == 0) REQUIRE(network.pair.rig(1).Reload(PairConfigOf(1, mirror, 250)).ok());
  if (what == 1) REQUIRE(network.pair.rig(0).Reload(PairConfigOf(0, mirror, 250)).ok());
  is_cut = false;
  network.pair.SetLoss(0);
  AdvanceTruthfully(network, kSecond);
  CheckSynchronised(network);
  CHECK(ImagesOf(network.pair.rig(1), unit::FlowType::kMirror).size() == 360);
}

TEST_CASE("row 14: windows are not mirrored; a device that takes over learns them anew", "[unit]") {
  PairNetwork network("mirror: true", 300);
  const std::string client = "tcp 192.0.2.10:1000 > 192.0.2.100:80 ";
  const Connection one = OpenConnection(network, 0, "tcp", "192.0.2.10:1000 > 192.0.2.100:80");
  const std::string server = "tcp " + EndpointsOf(one.forward[0], true) + " ";
  // Numbers as far apart as can be, each way: what an old device thought of them would be wrong.
  const auto exchange = [&](unsigned device, uint32_t c, uint32_t s, uint32_t window) {
    const std::string win = " win=" + std::to_string(window);
    CAPTURE(device, c, s, window);
    CHECK(network
              .Send(device, "client",
                    client + "A seq=" + std::to_string(c) + " ack=" + std::to_string(s) + " len=5" +
                        win)
              .size() == 1);
    CHECK(network
              .Send(device, one.by,
                    server + "A seq=" + std::to_string(s) + " ack=" + std::to_string(c + 5) +
                        " len=7" + win)
              .size() == 1);
  };
  exchange(0, 101, 501, 1000);
  exchange(0, 3'000'000'101U, 501, 65535);
  CheckSynchronised(network);
  flow::FlowTable<flow::FlowHot4>* shadow = nullptr;
  uint32_t slot = flow::kNoSlot;
  for (unsigned worker = 0; worker < 2; ++worker) {
    auto& table = network.pair.rig(1).unit().mirroring()->worker(worker).tables().flows4;
    for (uint32_t i = 0; i < table.capacity(); ++i) {
      if (table.IsLive(i)) shadow = &table, slot = i;
    }
  }
  REQUIRE(shadow != nullptr);
  const flow::FlowCommon& common = shadow->hot(slot).common;
  CHECK((common.flags & (flow::kClientSeen | flow::kServerSeen)) == 0);
  CHECK(common.client_ack == 0);
  CHECK(common.server_ack == 0);
  CHECK(common.client_window_log2 + common.server_window_log2 == 0);

  network.pair.SwapRoles("tg");
  exchange(1, 3'000'000'106U, 508, 1);
  exchange(1, 100'000U, 2'500'000'000U, 65535);  // 3 GB later
  CheckSynchronised(network, 1);
  network.pair.SwapRoles("tg");
  // The first device has not seen any of that, and lets everything pass.
  exchange(0, 100'005U, 2'500'000'007U, 500);
  const std::vector<unit::FlowInfo> flows = network.pair.rig(0).Flows();
  REQUIRE(flows.size() == 1);
  CHECK(flows[0].state == flow::State::kEstablished);
  // A reset of the connection as it is now ends it, though no old window has room for it.
  CHECK(network.Send(0, "client", client + "RA seq=100010 ack=2500000014").size() == 1);
  network.pair.Advance(50 * kMillisecond);
  CheckEqual(network);
}

TEST_CASE("row 17: a standby that is configured much later gets everything", "[unit]") {
  PairNetwork network("mirror: true", 300);
  network.pair.Restart(1, BarePairConfigOf(1));
  network.Meet(1);
  for (unsigned port = 1000; port < 1020; ++port)
    OpenAll(network, 0, port);
  network.pair.Advance(30 * kSecond, 5 * kMillisecond);
  CHECK(std::string(StatusOf(network, 0).reason) == "peer lacks the group");
  CHECK_FALSE(ShowsInSync(network, 0));
  CHECK(network.pair.rig(1).IsEmpty());
  REQUIRE(network.pair.rig(1).Reload(PairConfigOf(1, "mirror: true", 300)).ok());
  AdvanceTruthfully(network, 2 * kSecond);
  CheckSynchronised(network);
  const std::vector<Connection> last = OpenAll(network, 0, 1020);
  network.pair.Advance(50 * kMillisecond);
  network.pair.SwapRoles("tg");
  CheckGoesOn(network, 1, last);
}

TEST_CASE("row 24: a wire that is deaf one way is shown within five seconds, on both ends",
          "[unit]") {
  const unsigned deaf = GENERATE(0U, 1U);
  const bool is_busy = GENERATE(false, true);
  CAPTURE(deaf, is_busy);
  PairNetwork network("mirror: true", 300);
  OpenAll(network, 0, 1000);
  CheckSynchronised(network);
  network.pair.Advance(2 * kSecond, kStep);
  network.pair.SetLossFrom(deaf, 100);
  for (unsigned i = 0; i < 49; ++i) {
    network.pair.Advance(100 * kMillisecond, kStep);
    if (is_busy && i % 10 == 0) OpenAll(network, 0, 1001 + i);
  }
  for (const unsigned device : {0U, 1U}) {
    CAPTURE(device);
    CHECK_FALSE(ShowsInSync(network, device));
  }
  network.pair.SetLoss(0);
  network.pair.Advance(2 * kSecond, kStep);
  CheckSynchronised(network);
}

TEST_CASE("row 26: SNAT ports are used once, after both were active and when one is again",
          "[unit]") {
  PairNetwork network("mirror: true", 300);
  for (unsigned port = 1000; port < 1100; ++port)
    OpenConnection(network, 0, "tcp", "192.0.2.10:" + std::to_string(port) + " > 192.0.2.101:80");
  CheckSynchronised(network);
  const auto translated = [&](unsigned device, std::multiset<std::string>& names) {
    for (const unit::FlowInfo& flow : network.pair.rig(device).Flows()) {
      names.insert(flow.ss_client.ToString() + " " + std::to_string(flow.ss_client_port) + " " +
                   flow.ss_server.ToString());
    }
  };
  const auto check_unique = [&](const std::multiset<std::string>& names) {
    CHECK(std::set<std::string>(names.begin(), names.end()).size() == names.size());
  };
  // Each is alone, and takes what the other does not know of, from the same clients.
  network.pair.SetLoss(100);
  network.pair.rig(1).SetRole("tg", Role::kActive);
  for (unsigned port = 2000; port < 2100; ++port) {
    for (const unsigned device : {0U, 1U})
      OpenConnection(network, device, "tcp",
                     "192.0.2.10:" + std::to_string(port) + " > 192.0.2.101:80");
  }
  std::multiset<std::string> names;
  translated(0, names);
  translated(1, names);
  CHECK(names.size() == 400);
  CHECK(std::set<std::string>(names.begin(), names.end()).size() == 300);  // 100 are on both
  // One stays. What the other had alone its members may still have: nobody gets its ports.
  std::multiset<std::string> gone;
  translated(0, gone);
  network.pair.rig(0).SetRole("tg", Role::kStandby);
  network.pair.SetLoss(0);
  network.pair.Advance(100 * kMillisecond);
  CheckSynchronised(network, 1);
  for (unsigned port = 3000; port < 3100; ++port)
    OpenConnection(network, 1, "tcp", "192.0.2.10:" + std::to_string(port) + " > 192.0.2.101:80");
  names.clear();
  translated(1, names);
  CHECK(names.size() == 300);
  check_unique(names);
  for (const std::string& name : gone)
    names.insert(name);
  CHECK(std::set<std::string>(names.begin(), names.end()).size() == 400);
  CheckSynchronised(network, 1);
  network.pair.SwapRoles("tg");
  for (unsigned port = 4000; port < 4100; ++port)
    OpenConnection(network, 0, "tcp", "192.0.2.10:" + std::to_string(port) + " > 192.0.2.101:80");
  names.clear();
  translated(0, names);
  CHECK(names.size() == 400);
  check_unique(names);
}

TEST_CASE("row 28: a flood of frames takes a bounded part of each turn, and data goes on",
          "[unit]") {
  const bool has_data = GENERATE(true, false);
  CAPTURE(has_data);
  PairOptions options;
  options.is_direct = true;
  PairNetwork network("mirror: true", 300, options);
  const Connection one = OpenConnection(network, 0, "tcp", "192.0.2.10:1000 > 192.0.2.100:80");
  REQUIRE(network.pair.Synchronise());
  Rig& rig = network.pair.rig(0);
  const auto packet = PacketFromText(one.client, Hosts::LinkOf(rig, *network.hosts.Find("client")));
  REQUIRE(packet.ok());
  mirror::WorkerMirror& worker = rig.unit().mirroring()->worker(0);
  const config::TrafficGroupId group = rig.GroupNamed("tg");
  const auto session = static_cast<uint32_t>(worker.FindSender(group)->counters().session.Get());
  const unsigned most = has_data ? 1 : mirror::WorkerMirror::kFramesInMax;
  for (unsigned turn = 0; turn < 500; ++turn) {
    while (mirror::FrameSlot* slot = worker.inbound().Free()) {
      slot->cargo = mirror::Cargo::kFrame;
      slot->group = group;
      slot->body_size = 0;
      slot->header = {.type = FrameType::kFlowsAck, .session = session, .sequence = turn + 1};
      worker.inbound().Push();
    }
    if (has_data) {
      for (size_t i = 0; i < kBurstMax; ++i)
        rig.Inject(rig.PortNamed("1.1"), 0, packet->frame, packet->arrival);
    }
    const uint64_t frames = worker.counters().frames_in.Get();
    const uint64_t forwarded = rig.Total(&pipeline::WorkerCounters::forwarded);
    rig.Skip(20'000);
    rig.Turn(0);
    rig.Turn(1);  // what is its own was handed over
    REQUIRE(worker.counters().frames_in.Get() - frames == most);
    if (!has_data) continue;
    REQUIRE(rig.Total(&pipeline::WorkerCounters::forwarded) - forwarded == kBurstMax);
  }
}

TEST_CASE("row 29: of a worker's stream that is dead both devices say so", "[unit]") {
  const unsigned dead = GENERATE(0U, 1U);      // worker
  const unsigned from = GENERATE(0U, 1U, 2U);  // whose frames of it are lost; 2: both devices'
  const bool at_once = GENERATE(false, true);
  CAPTURE(dead, from, at_once);
  PairNetwork network("mirror: true", 300);
  OpenAll(network, 0, 1000);
  const auto is_dead = [&](unsigned device, std::span<const uint8_t> frame) {
    FrameHeader header;
    if (!HeaderOf(frame, header) || header.worker != dead) return true;
    const bool is_flows = header.type == FrameType::kFlows || header.type == FrameType::kFlowsAck;
    return !is_flows || (device != from && from != 2);
  };
  if (!at_once) CheckSynchronised(network);
  network.pair.SetFilter(is_dead);
  network.pair.Advance(at_once ? 100 * kMillisecond : 5 * kSecond, kStep);
  for (unsigned i = 0; i < 60; ++i) {
    network.pair.Advance(100 * kMillisecond, kStep);
    REQUIRE_FALSE(network.pair.IsInSync());
    REQUIRE_FALSE(ShowsInSync(network, 0));
    REQUIRE_FALSE(ShowsInSync(network, 1));
  }
  CHECK(network.pair.rig(0).unit().mirror_status()->peer == mirror::PeerState::kUp);
  network.pair.SetFilter(nullptr);
  network.pair.Advance(2 * kSecond, kStep);
  CheckSynchronised(network);
}

TEST_CASE("row 31: both devices crash, in every order, on a wire that is there or not", "[unit]") {
  const unsigned first = GENERATE(0U, 1U);
  const bool at_once = GENERATE(false, true);
  const bool is_cut = GENERATE(false, true);
  CAPTURE(first, at_once, is_cut);
  const auto config = [](unsigned device) { return PairConfigOf(device, "mirror: true", 300); };
  PairNetwork network("mirror: true", 300);
  OpenAll(network, 0, 1000);
  CheckSynchronised(network);
  if (is_cut) network.pair.SetLoss(100);
  OpenAll(network, 0, 1001);  // not told, perhaps
  network.pair.Restart(first, config(first));
  network.Meet(first);
  if (!at_once) {
    OpenAll(network, 0, 1002);
    // The other one has a moment to hear of it; until then its shadow is that of the one that died.
    network.pair.Advance(300 * kMillisecond, kStep);
    is_cut ? network.pair.Advance(2 * kSecond, kStep) : AdvanceTruthfully(network, 2 * kSecond);
  }
  network.pair.Restart(1 - first, config(1 - first));
  network.Meet(1 - first);
  OpenAll(network, 0, 1003);
  network.pair.SetLoss(0);
  network.pair.Advance(300 * kMillisecond, kStep);
  AdvanceTruthfully(network, kSecond);
  CheckSynchronised(network);
  // Of what an active had when it crashed, nothing is left on either.
  CHECK(network.pair.rig(0).Flows().size() == (first == 0 && !at_once ? 18U : 9U));
}

TEST_CASE("row 33: two writers of one epoch leave no tables that are unequal and in sync",
          "[unit]") {
  const unsigned winner = GENERATE(0U, 1U);
  CAPTURE(winner);
  PairNetwork network("mirror: true", 300);
  OpenAll(network, 0, 1000);
  CheckSynchronised(network);
  const uint32_t before = StatusOf(network, 0).epoch;
  // Neither hears that the other one takes the group over: both count the same epoch.
  network.pair.SetLoss(100);
  network.pair.rig(1).SetRole("tg", Role::kActive);
  network.pair.rig(0).SetRole("tg", Role::kStandby);
  network.pair.Advance(100 * kMillisecond, kStep);
  network.pair.rig(0).SetRole("tg", Role::kActive);
  network.pair.Advance(100 * kMillisecond, kStep);
  REQUIRE(StatusOf(network, 0).epoch == StatusOf(network, 1).epoch);
  REQUIRE(StatusOf(network, 0).epoch > before);
  for (unsigned port = 1001; port < 1011; ++port)
    OpenAll(network, 0, port);
  for (unsigned port = 2001; port < 2008; ++port)
    OpenAll(network, 1, port);
  network.pair.rig(1 - winner).SetRole("tg", Role::kStandby);
  network.pair.SetLoss(0);
  AdvanceTruthfully(network, kSecond, winner);
  CheckSynchronised(network, winner);
  CHECK(network.pair.rig(winner).Flows().size() == 9 * (winner == 0 ? 11 : 8));
}

TEST_CASE("row 34: an old active with changes it told nobody rejoins, and ends equal", "[unit]") {
  PairNetwork network("mirror: true", 300);
  OpenAll(network, 0, 1000);
  CheckSynchronised(network);
  // From here on both give the same births to different flows in the same slots.
  network.pair.SetLoss(100);
  network.pair.rig(1).SetRole("tg", Role::kActive);
  for (unsigned port = 1001; port < 1011; ++port) {
    OpenAll(network, 0, port);
    OpenAll(network, 1, 1000 + port);
  }
  std::set<std::tuple<unsigned, uint32_t, uint64_t>> ours;
  unsigned same = 0;
  for (const PairImage& image : ImagesOf(network.pair.rig(0), unit::FlowType::kSelf))
    ours.emplace(std::get<0>(image), std::get<1>(image), std::get<2>(image));
  const std::vector<PairImage> theirs = ImagesOf(network.pair.rig(1), unit::FlowType::kSelf);
  for (const PairImage& image : theirs)
    same += ours.contains({std::get<0>(image), std::get<1>(image), std::get<2>(image)});
  REQUIRE(same > 9);
  SECTION("it is told so") {
    network.pair.rig(0).SetRole("tg", Role::kStandby);
    network.pair.SetLoss(0);
    AdvanceTruthfully(network, kSecond, 1);
  }
  SECTION("both are active for a while when they meet") {
    network.pair.SetLoss(0);
    network.pair.Advance(kSecond, kStep);
    CHECK(std::string(StatusOf(network, 0).reason) == "both are active");
    network.pair.rig(0).SetRole("tg", Role::kStandby);
    AdvanceTruthfully(network, kSecond, 1);
  }
  SECTION("it crashes, and comes back as the standby") {
    std::string config = PairConfigOf(0, "mirror: true", 300);
    config.replace(config.find("ACTIVE"), 6, "STANDBY");
    network.pair.Restart(0, config);
    network.pair.SetLoss(0);
    AdvanceTruthfully(network, kSecond, 1);
  }
  CheckSynchronised(network, 1);
  CHECK(ImagesOf(network.pair.rig(1), unit::FlowType::kSelf) == theirs);
  CHECK(network.pair.rig(0).Flows().size() == theirs.size());
}

}  // namespace tandem::test
