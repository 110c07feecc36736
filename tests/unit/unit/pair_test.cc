// SPDX-License-Identifier: Apache-2.0
//
// Two devices that mirror: the standby's shadow is the active's flows at the same places, is silent,
// and goes on with every one of them when the roles are changed.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "dataplane/unit/mirroring.h"
#include "tests/support/packet_text.h"
#include "tests/unit/unit/pair_network.h"

namespace tandem::test {

using config::Role;

TEST_CASE("pair: the shadow is the active's flows, at the same places", "[unit]") {
  PairNetwork network("mirror: true", 300);
  const std::vector<Connection> before = OpenAll(network, 0, 1000);
  REQUIRE(network.pair.Synchronise());
  CHECK(ImagesOf(network.pair.rig(1), unit::FlowType::kMirror).size() == before.size());
  CheckEqual(network);
  for (unsigned port = 1001; port < 1040; ++port)
    OpenAll(network, 0, port);
  // The device alone had turns for seconds: to its peer it was away.
  network.pair.Advance(5 * kSecond, kMillisecond);
  REQUIRE(network.pair.Synchronise());
  CHECK(ImagesOf(network.pair.rig(1), unit::FlowType::kMirror).size() == 40 * before.size());
  CheckEqual(network);
  CHECK(ImagesOf(network.pair.rig(1), unit::FlowType::kSelf).empty());
  CHECK(ImagesOf(network.pair.rig(0), unit::FlowType::kMirror) ==
        ImagesOf(network.pair.rig(1), unit::FlowType::kMirror));
}

TEST_CASE("pair: a standby is silent", "[unit]") {
  PairNetwork network;
  const std::vector<Connection> all = OpenAll(network, 0, 1000);
  REQUIRE(network.pair.Synchronise());
  for (const Connection& one : all) {
    CHECK(network.Send(1, "client", one.client).empty());
    if (!one.server.empty()) CHECK(network.Send(1, one.by, one.server).empty());
  }
  CHECK(network.pair.rig(1).Dropped(DropReason::kStandby) == 2 * all.size() - 1);
  CHECK(network.pair.rig(1).DeleteFlows() == 0);
  CheckEqual(network);
}

TEST_CASE("pair: whoever becomes active goes on with every flow", "[unit]") {
  PairNetwork network;
  const std::vector<Connection> all = OpenAll(network, 0, 1000);
  REQUIRE(network.pair.Synchronise());
  network.pair.SwapRoles("tg");
  CheckGoesOn(network, 1, all);
  CHECK(network.pair.rig(1).Ended(pipeline::EndReason::kUnbound) == 0);
  for (const Connection& one : all)
    CHECK(network.Send(0, "client", one.client).empty());

  // And back, with flows of the second device's own among them.
  const std::vector<Connection> more = OpenAll(network, 1, 1001);
  REQUIRE(network.pair.Synchronise());
  network.pair.SwapRoles("tg");
  CheckGoesOn(network, 0, all);
  CheckGoesOn(network, 0, more);
}

TEST_CASE("pair: a handshake that a switchover finds under way ends at the other device",
          "[unit]") {
  // Told as virtuals ask for: once it is established, which it is not when the group is frozen.
  PairNetwork network;
  REQUIRE(network.pair.Synchronise());
  const std::string endpoints = "192.0.2.10:1000 > 192.0.2.100:80";
  const auto out = network.Send(0, "client", "tcp " + endpoints + " S seq=100");
  REQUIRE(out.size() == 1);
  const std::string server = out[0].substr(0, out[0].find(':'));
  const std::string back = "tcp " + EndpointsOf(out[0], true);
  REQUIRE(network.Send(0, server, back + " SA seq=500 ack=101").size() == 1);
  CHECK(network.pair.rig(1).Flows(FlowsOf(unit::FlowType::kMirror)).empty());

  Rig& active = network.pair.rig(0);
  active.unit().SetFrozen(active.GroupNamed("tg"), true);
  REQUIRE(network.pair.Synchronise());
  CHECK(network.pair.rig(1).Flows(FlowsOf(unit::FlowType::kMirror)).size() == 1);
  // What ends the handshake waits until the group is the other one's.
  const std::string ack = "tcp " + endpoints + " A seq=101 ack=501";
  CHECK(network.Send(0, "client", ack).empty());
  network.pair.SwapRoles("tg");
  const auto there = network.Send(1, "client", ack);
  REQUIRE(there.size() == 1);
  CHECK(there[0].substr(0, there[0].find(':')) == server);
  CHECK(network.Send(1, server, back + " A seq=501 ack=101 len=7").size() == 1);
}

TEST_CASE("pair: every worker mirrors, however late it takes its role", "[unit]") {
  PairNetwork network;
  REQUIRE(network.pair.Synchronise());
  Rig& next = network.pair.rig(1);
  // One worker has much to drop when it becomes active, and the other one nothing.
  const auto packet = PacketFromText("udp 192.0.2.10:9 > 192.0.2.100:80",
                                     Hosts::LinkOf(next, *network.hosts.Find("client")));
  REQUIRE(packet.ok());
  for (size_t i = 0; i < 8 * kBurstMax; ++i)
    next.Inject(next.PortNamed("1.1"), 0, packet->frame, packet->arrival);
  network.pair.rig(0).unit().SetRole(network.pair.rig(0).GroupNamed("tg"), config::Role::kStandby);
  next.unit().SetRole(next.GroupNamed("tg"), config::Role::kActive);
  // It stands still in the midst of that, while the devices agree on a session.
  next.SetStalled(0, true);
  network.pair.Advance(kMillisecond);
  next.Turn(0);
  network.pair.Advance(kSecond);
  next.SetStalled(0, false);
  CHECK(network.pair.Synchronise());
}

TEST_CASE("row 4: a shadow does not age; what was taken over has one whole timeout", "[unit]") {
  PairNetwork network;
  const std::vector<Connection> all = OpenAll(network, 0, 1000);
  REQUIRE(network.pair.Synchronise());
  network.pair.SetLoss(100);
  network.pair.Advance(60 * kSecond, 100 * kMillisecond);
  CHECK(network.pair.rig(0).Ended(pipeline::EndReason::kIdle) == all.size());
  CHECK(network.pair.rig(1).Flows(FlowsOf(unit::FlowType::kMirror)).size() == all.size());
  network.pair.rig(1).SetRole("tg", Role::kActive);
  network.pair.rig(1).Advance(9 * kSecond);
  CHECK(network.pair.rig(1).Flows(FlowsOf(unit::FlowType::kSelf)).size() == all.size());
  network.pair.rig(1).Advance(2 * kSecond);
  CHECK(network.pair.rig(1).Ended(pipeline::EndReason::kIdle) == all.size());
  CHECK(network.pair.rig(1).IsEmpty());
}

TEST_CASE("pair: half a handshake goes on too, where it is mirrored from the SYN", "[unit]") {
  PairNetwork network("mirror: true mirror_at: SYN");
  REQUIRE(network.pair.Synchronise());
  const std::string endpoints = "192.0.2.10:1000 > 192.0.2.101:80";
  const std::vector<std::string> out = network.Send(0, "client", "tcp " + endpoints + " S seq=100");
  REQUIRE(out.size() == 1);
  const std::string server = out[0].substr(0, out[0].find(':'));
  const std::string back = "tcp " + EndpointsOf(out[0], true);
  SECTION("the SYN-ACK comes to the other device") {}
  SECTION("the ACK does") {
    REQUIRE(network.Send(0, server, back + " SA seq=500 ack=101").size() == 1);
  }
  network.pair.Advance(20 * kMillisecond);
  network.pair.SwapRoles("tg");
  CHECK(network.Send(1, server, back + " SA seq=500 ack=101").size() == 1);
  CHECK(network.Send(1, "client", "tcp " + endpoints + " A seq=101 ack=501").size() == 1);
  const std::vector<unit::FlowInfo> flows = network.pair.rig(1).Flows();
  REQUIRE(flows.size() == 1);
  CHECK(flows[0].state == flow::State::kEstablished);
  network.pair.rig(1).Advance(9 * kSecond);
  CHECK(network.pair.rig(1).Ended(pipeline::EndReason::kHandshakeTimeout) == 0);
}

namespace {

// Changes of flows that the device told its peer of, those it told twice counted twice.
uint64_t Told(Rig& rig) {
  uint64_t told = 0;
  for (unsigned worker = 0; worker < rig.unit().workers(); ++worker) {
    const mirror::FlowSender* sender = rig.unit().mirroring()->worker(worker).FindSender(1);
    if (sender == nullptr) continue;
    const mirror::SenderCounters& counters = sender->counters();
    told += counters.creates.Get() + counters.updates.Get() + counters.closes.Get();
  }
  return told;
}

}  // namespace

TEST_CASE("pair: where so many packets are waited for, short connections cost nothing", "[unit]") {
  PairNetwork network("mirror: true mirror_after_packets: 6");
  REQUIRE(network.pair.Synchronise());
  // Five packets of TCP, three of UDP, or two for want of replies.
  std::vector<Connection> all = OpenAll(network, 0, 1000);
  network.pair.Advance(50 * kMillisecond);
  CHECK(network.pair.rig(1).IsEmpty());
  network.pair.rig(0).DeleteFlows();
  network.pair.Advance(50 * kMillisecond);
  CHECK(Told(network.pair.rig(0)) == 0);

  all = OpenAll(network, 0, 1001);
  const size_t count = all.size();
  const auto talk = [&](unsigned packets) {
    for (unsigned i = 0; i < packets; ++i)
      CheckGoesOn(network, 0, all);
    network.pair.Advance(50 * kMillisecond);
  };
  talk(1);  // TCP has had 7 packets, UDP 5, what is answered past the device 3
  CHECK(network.pair.rig(1).Flows().size() == 4);
  talk(1);
  CHECK(network.pair.rig(1).Flows().size() == count - 1);
  talk(3);
  CHECK(network.pair.rig(1).Flows().size() == count);
  CheckEqual(network);
  network.pair.SwapRoles("tg");
  CheckGoesOn(network, 1, all);
  // What was taken over is told of at once.
  network.pair.Advance(2 * kSecond, kMillisecond);
  CHECK(network.pair.rig(0).Flows().size() == count);
}

TEST_CASE("pair: where an age is waited for, the peer is told when it has come", "[unit]") {
  PairNetwork network("mirror: true mirror_after_seconds: 3");
  REQUIRE(network.pair.Synchronise());
  // What the hosts' greetings left.
  network.pair.rig(0).DeleteFlows();
  network.pair.Advance(50 * kMillisecond);
  const uint64_t before = Told(network.pair.rig(0));
  const auto told = [&] { return Told(network.pair.rig(0)) - before; };
  const std::vector<Connection> all = OpenAll(network, 0, 1000);
  // Time passed while they were opened, too.
  network.pair.Advance(2500 * kMillisecond, kMillisecond);
  CHECK(network.pair.rig(1).IsEmpty());
  CHECK(told() == 0);
  SECTION("though nothing happens") {
    network.pair.Advance(520 * kMillisecond, kMillisecond);
    CHECK(told() == all.size());
    CheckEqual(network);
    network.pair.SwapRoles("tg");
    CheckGoesOn(network, 1, all);
  }
  SECTION("but not of what has ended") {
    network.pair.rig(0).DeleteFlows();
    network.pair.Advance(3 * kSecond, kMillisecond);
    CHECK(told() == 0);
  }
  SECTION("nor before the handshake is complete") {
    network.pair.rig(0).DeleteFlows();
    network.Send(0, "client", "tcp 192.0.2.10:2000 > 192.0.2.100:80 S seq=100");
    network.pair.Advance(4 * kSecond, kMillisecond);
    CHECK(told() == 0);
  }
}

TEST_CASE("pair: how long is waited can be changed while connections wait", "[unit]") {
  PairNetwork network("mirror: true mirror_after_packets: 200");
  const size_t count = OpenAll(network, 0, 1000).size();
  REQUIRE(network.pair.Synchronise());
  CHECK(network.pair.rig(1).IsEmpty());
  const auto reload = [&](const std::string& mirror) {
    REQUIRE(network.pair.rig(0).Reload(PairConfigOf(0, mirror)).ok());
    network.pair.Advance(100 * kMillisecond);
  };
  SECTION("not at all") {
    reload("mirror: true");
    CHECK(network.pair.rig(1).Flows().size() == count);
    // What is mirrored stays so.
    reload("mirror: true mirror_after_seconds: 60");
    CHECK(network.pair.rig(1).Flows().size() == count);
  }
  SECTION("until a time that has not come") {
    reload("mirror: true mirror_after_seconds: 6");
    CHECK(network.pair.rig(1).IsEmpty());
    network.pair.Advance(6 * kSecond, kMillisecond);
    CHECK(network.pair.rig(1).Flows().size() == count);
  }
}

TEST_CASE("pair: ends are told, and nothing is left over", "[unit]") {
  PairNetwork network;
  OpenAll(network, 0, 1000);
  REQUIRE(network.pair.Synchronise());
  network.pair.rig(0).DeleteFlows();
  network.pair.Advance(50 * kMillisecond);
  CHECK(network.pair.rig(0).IsEmpty());
  CHECK(network.pair.rig(1).IsEmpty());
}

TEST_CASE("pair: loss delays, nothing more", "[unit]") {
  PairNetwork network;
  network.pair.SetLoss(30);
  for (unsigned port = 1000; port < 1030; ++port) {
    OpenAll(network, 0, port);
    network.pair.Advance(2 * kMillisecond);
  }
  network.pair.rig(0).DeleteFlows({.protocol = 17});
  REQUIRE(network.pair.Synchronise());
  // In sync is said of what is a little late, too; the last frames are repeated ever more slowly.
  network.pair.Advance(3 * kSecond);
  CheckEqual(network);
  CHECK(network.pair.rig(1).Flows().size() == 30 * 4);
}

TEST_CASE("pair: what is mirrored can be changed at run time", "[unit]") {
  PairNetwork network;
  const size_t count = OpenAll(network, 0, 1000).size();
  REQUIRE(network.pair.Synchronise());
  REQUIRE(network.pair.rig(0).Reload(PairConfigOf(0, "")).ok());
  network.pair.Advance(100 * kMillisecond);
  CHECK(network.pair.rig(1).IsEmpty());
  CHECK(network.pair.rig(0).Flows().size() == count);
  OpenAll(network, 0, 1001);
  network.pair.Advance(100 * kMillisecond);
  CHECK(network.pair.rig(1).IsEmpty());
  REQUIRE(network.pair.rig(0).Reload(PairConfigOf(0)).ok());
  network.pair.Advance(100 * kMillisecond);
  CHECK(network.pair.rig(1).Flows().size() == 2 * count);
  CheckEqual(network);
}

TEST_CASE("pair: a shadow of what is not configured waits, and is ended when it is needed",
          "[unit]") {
  PairNetwork network("mirror: true", 300);
  const std::vector<Connection> all = OpenAll(network, 0, 1000);
  REQUIRE(network.pair.Synchronise());
  const std::string whole = PairConfigOf(1, "mirror: true", 300);
  const size_t at = whole.find("virtual { name: \"web\"");
  const size_t end = whole.find('\n', at);
  REQUIRE(network.pair.rig(1).Reload(whole.substr(0, at) + whole.substr(end)).ok());
  network.pair.Advance(100 * kMillisecond);
  CHECK(network.pair.rig(1).Flows(FlowsOf(unit::FlowType::kMirror)).size() == all.size());
  SECTION("configured again, they are bound again") {
    CHECK_FALSE(network.pair.IsInSync());
    REQUIRE(network.pair.rig(1).Reload(whole).ok());
    network.pair.Advance(100 * kMillisecond);
    CHECK(network.pair.IsInSync());
    CheckEqual(network);
    network.pair.SwapRoles("tg");
    CheckGoesOn(network, 1, all);
  }
  SECTION("taken over, they are ended") {
    network.pair.SwapRoles("tg");
    network.pair.Advance(100 * kMillisecond);
    CHECK(network.pair.rig(1).Ended(pipeline::EndReason::kUnbound) == 2);
    CheckGoesOn(network, 1, {all.begin() + 2, all.end()});
  }
}

}  // namespace tandem::test
