// SPDX-License-Identifier: Apache-2.0
//
// A device that lives, and is not fit: its traffic group moves to the other one, and its connections go on
// there. Whole units, in virtual time.
#include <catch2/catch.hpp>
#include <string>

#include "tests/unit/unit/takeover_pair.h"

namespace tandem::test {
namespace {

using ha::State;

TakeoverPairOptions WithWorkerStall() {
  TakeoverPairOptions options;
  for (const uint32_t worker : {0U, 1U}) {
    options.health.pulses.push_back({.index = worker, .timeout = 500 * kMillisecond});
    options.health.rules.push_back({.subject = worker, .pulses = {worker}});
  }
  return options;
}

constexpr uint32_t kInternal = 2;  // the VLAN's id on both devices
constexpr config::TrafficGroupId kGroup = 1;

// The servers, one of which has to answer.
ha::HealthSettings WithGateways() {
  ha::HealthSettings settings;
  for (const char* address : {"10.0.20.11", "10.0.20.12"}) {
    settings.pulses.push_back({.kind = ha::Pulse::Kind::kGateway,
                               .index = kInternal,
                               .address = *IpAddress::Parse(address),
                               .timeout = 4 * kSecond,
                               .ask_every = kSecond});
  }
  settings.rules.push_back({.kind = ha::Fault::Kind::kGatewayDown,
                            .subject = kGroup,
                            .group = kGroup,
                            .pulses = {0, 1}});
  return settings;
}

void Configure(TakeoverPair& devices, const ha::HealthSettings& settings) {
  for (const unsigned device : {0U, 1U}) {
    unit::Unit& unit = devices.network.pair.rig(device).unit();
    REQUIRE(unit.snapshot().interfaces.at(kInternal).name == "internal");
    unit.watchdog()->Configure(settings);
  }
}

std::string FaultOf(TakeoverPair& devices, unsigned device) {
  const char* fault = devices.takeover(device).status()->groups.at(0).fault;
  return fault == nullptr ? "" : fault;
}

}  // namespace

TEST_CASE("watchdog: when a worker stands still the group moves, and stays when it goes on",
          "[unit]") {
  TakeoverPair devices(WithWorkerStall());
  const std::vector<Connection> all = OpenAll(devices.network, 0, 1000);
  REQUIRE(devices.Until([&] { return devices.IsReady(0) && AreEqual(devices.network); }));
  devices.network.pair.rig(0).SetStalled(1, true);
  devices.Pass(400 * kMillisecond);
  CHECK(devices.Acts(0));
  REQUIRE(devices.Until([&] { return devices.Acts(1); }, 2 * kSecond));
  CHECK(devices.state(0) == State::kFailed);
  CHECK(FaultOf(devices, 0) == "a worker stands still");
  CheckGoesOn(devices.network, 1, all);

  devices.network.pair.rig(0).SetStalled(1, false);
  REQUIRE(devices.Until([&] { return devices.IsReady(1); }));
  CHECK(FaultOf(devices, 0) == "");
  devices.Pass(10 * kSecond);
  CHECK(devices.IsReady(1));
  CheckEqual(devices.network, 1);
}

TEST_CASE("watchdog: when workers stand still on both devices, the group stays", "[unit]") {
  TakeoverPair devices(WithWorkerStall());
  devices.network.pair.rig(1).SetStalled(0, true);
  REQUIRE(devices.Until([&] { return devices.state(1) == State::kFailed; }, 2 * kSecond));
  devices.network.pair.rig(0).SetStalled(1, true);
  devices.Pass(5 * kSecond);
  CHECK(devices.Acts(0));
  // Who acts is well first, and nothing moves then either.
  for (const unsigned device : {0U, 1U})
    devices.network.pair.rig(device).SetStalled(1 - device, false);
  devices.transitions[1].clear();
  REQUIRE(devices.Until([&] { return devices.IsReady(0); }));
  for (const State state : devices.transitions[1])
    CHECK_FALSE(ha::Acts(state));
}

TEST_CASE("watchdog: when a device reaches its gateways no more the group moves", "[unit]") {
  TakeoverPair devices;
  const std::vector<Connection> all = OpenAll(devices.network, 0, 1000);
  Configure(devices, WithGateways());
  devices.Pass(20 * kSecond);
  CHECK(FaultOf(devices, 0) == "");
  CHECK(FaultOf(devices, 1) == "");
  CHECK(devices.IsReady(0));
  // One of the two is enough.
  devices.network.hosts.Find("s2")->answers = false;
  devices.Pass(10 * kSecond);
  CHECK(devices.IsReady(0));
  Rig& rig = devices.network.pair.rig(0);
  rig.SetUnsent(rig.PortNamed("1.2"), DropReason::kPortDown);
  devices.Pass(3 * kSecond);
  CHECK(devices.Acts(0));
  REQUIRE(devices.Until([&] { return devices.Acts(1); }, 3 * kSecond));
  CHECK(FaultOf(devices, 0) == "too few gateways answer");
  CheckGoesOn(devices.network, 1, all);
  rig.SetUnsent(rig.PortNamed("1.2"), DropReason::kNone);
  REQUIRE(devices.Until([&] { return devices.IsReady(1); }));
}

TEST_CASE("watchdog: gateways that are gone for both devices move nothing, nor when they are back",
          "[unit]") {
  TakeoverPair devices;
  Configure(devices, WithGateways());
  devices.Pass(10 * kSecond);
  for (std::vector<State>& transitions : devices.transitions)
    transitions.clear();
  for (const char* name : {"s1", "s2"})
    devices.network.hosts.Find(name)->answers = false;
  devices.Pass(20 * kSecond);
  CHECK(FaultOf(devices, 0) == "too few gateways answer");
  CHECK(FaultOf(devices, 1) == "too few gateways answer");
  CHECK(devices.Acts(0));
  for (const char* name : {"s1", "s2"})
    devices.network.hosts.Find(name)->answers = true;
  REQUIRE(devices.Until([&] { return devices.IsReady(0); }));
  for (const State state : devices.transitions[1])
    CHECK_FALSE(ha::Acts(state));
}

TEST_CASE("watchdog: a link that goes down moves the group", "[unit]") {
  ha::HealthSettings settings;
  settings.pulses = {{.kind = ha::Pulse::Kind::kLink, .index = 1, .timeout = 25 * kMillisecond}};
  settings.rules = {{.kind = ha::Fault::Kind::kLinkDown, .subject = 1, .pulses = {0}}};
  TakeoverPair devices;
  Configure(devices, settings);
  devices.Pass(5 * kSecond);
  CHECK(devices.IsReady(0));
  devices.network.pair.rig(0).unit().watchdog()->SetLinkUp(0, false);
  devices.Pass(kSecond);
  CHECK(devices.IsReady(0));
  devices.network.pair.rig(0).unit().watchdog()->SetLinkUp(1, false);
  REQUIRE(devices.Until([&] { return devices.Acts(1); }, kSecond));
  CHECK(FaultOf(devices, 0) == "the link of a port is down");
}

TEST_CASE("watchdog: a silent VLAN is asked for a sign of life, and is a fault without one",
          "[unit]") {
  ha::HealthSettings settings;
  settings.pulses = {{.kind = ha::Pulse::Kind::kVlan, .index = kInternal, .timeout = 16 * kSecond}};
  settings.rules = {{.kind = ha::Fault::Kind::kVlanSilent, .subject = kInternal, .pulses = {0}}};
  TakeoverPair devices;
  devices.Pass(5 * kSecond);
  // Nothing is stamped: the VLANs of this configuration are not watched. Device 1 is not asked about it.
  Rig& rig = devices.network.pair.rig(0);
  rig.unit().watchdog()->Configure(settings);
  devices.Pass(7 * kSecond);
  const uint64_t before = rig.Total(&pipeline::WorkerCounters::originated);
  devices.Pass(8 * kSecond);
  // Every second, both servers in two families.
  CHECK(rig.Total(&pipeline::WorkerCounters::originated) >= before + 7 * 2);
  CHECK(devices.IsReady(0));
  REQUIRE(devices.Until([&] { return devices.Acts(1); }, 3 * kSecond));
  CHECK(FaultOf(devices, 0) == "nothing comes from a VLAN");
}

TEST_CASE("watchdog: what comes from a watched VLAN is stamped, whatever becomes of it", "[unit]") {
  Rig rig(R"(device { workers: 2 name: "a" }
mirroring { device: "m" authentication: NONE unit_id: 1 address: "10.255.0.1/24" peer: "10.255.0.2" }
device_group { name: "g" device { name: "a" unit_id: 1 } device { name: "b" unit_id: 2 } }
port { name: "1.1" device: "x" }
vlan { name: "watched" port: "1.1" tag: 10 failsafe: true }
vlan { name: "other" port: "1.1" tag: 20 }
self_ip { name: "s" address: "192.0.2.1/24" vlan: "watched" })");
  const auto heard_at = [&](config::InterfaceId id) {
    return rig.unit().counters(1).heard_at[id].Get();
  };
  for (const uint16_t tag : {uint16_t{10}, uint16_t{20}}) {
    rig.Inject(0, 1, PacketBuilder().Vlan(tag).Ipv4("192.0.2.9", "192.0.2.8").Udp(1, 2).Build());
  }
  const Nanos before = rig.now();
  rig.Advance(10 * kMillisecond);
  REQUIRE(rig.unit().snapshot().interfaces.at(1).is_watched);
  CHECK(heard_at(1) > before);
  CHECK(heard_at(2) == 0);
}

TEST_CASE("watchdog: by HA score the group goes to the device that has more", "[unit]") {
  TakeoverPairOptions options;
  options.method = ha::Method::kHaScore;
  TakeoverPair devices(options);
  const std::vector<Connection> all = OpenAll(devices.network, 0, 1000);
  ha::HealthSettings settings;
  settings.pulses = {{.kind = ha::Pulse::Kind::kLink, .index = 0, .timeout = 25 * kMillisecond},
                     {.kind = ha::Pulse::Kind::kLink, .index = 1, .timeout = 25 * kMillisecond}};
  settings.score_parts = {{.group = kGroup, .name = "ports", .weight = 30, .pulses = {0, 1}},
                          {.group = kGroup, .name = "pool", .weight = 10, .up = 1, .total = 2}};
  Configure(devices, settings);
  devices.Pass(5 * kSecond);
  CHECK(devices.IsReady(0));
  CHECK(devices.takeover(0).status()->groups.at(0).score == 35);
  devices.transitions[1].clear();
  devices.network.pair.rig(0).unit().watchdog()->SetLinkUp(1, false);
  devices.Pass(500 * kMillisecond);
  CHECK(devices.takeover(0).status()->groups.at(0).score == 20);
  CHECK(devices.Acts(0));
  // 20 and 10 for who acts against 35; handed over, with the table as it was.
  REQUIRE(devices.Until([&] { return devices.IsReady(1); }, 20 * kSecond));
  CHECK(devices.transitions[1].front() == State::kSwitchingIn);
  CheckGoesOn(devices.network, 1, all);
  devices.network.pair.rig(0).unit().watchdog()->SetLinkUp(1, true);
  devices.Pass(10 * kSecond);
  CHECK(devices.IsReady(1));
}

}  // namespace tandem::test
