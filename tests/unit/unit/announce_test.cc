// SPDX-License-Identifier: Apache-2.0
//
// A device becomes active: when the network hears of it, and what becomes of packets that waited.
#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

#include "tests/support/hosts.h"
#include "tests/support/packet_text.h"
#include "tests/support/rig.h"

namespace tandem::test {
namespace {

using config::Role;

constexpr const char* kConfig = R"(
device { workers: 2 }
port { name: "1.1" device: "a" }
port { name: "1.2" device: "b" }
vlan { name: "external" port: "1.1" facing: CLIENT }
vlan { name: "internal" port: "1.2" facing: SERVER }
self_ip { name: "e" address: "192.0.2.1/24" vlan: "external" }
self_ip { name: "i" address: "10.0.20.1/24" vlan: "internal" }
traffic_group { name: "tg" role: STANDBY }
pool { name: "p" member { address: "10.0.20.11" } }
virtual { name: "web" destination: "192.0.2.100:any" pool: "p" traffic_group: "tg" })";

struct Device {
  Device() : rig(kConfig) {
    hosts.Add({"client", "1.1", 0, Mac("02:00:00:00:00:0c"), {"192.0.2.10"}});
    hosts.Add({"s1", "1.2", 0, Mac("02:00:00:00:00:11"), {"10.0.20.11"}});
    hosts.Attach(rig);
    hosts.Greet(rig);
  }

  void Inject(unsigned worker, unsigned port) {
    const auto packet =
        PacketFromText("udp 192.0.2.10:" + std::to_string(port) + " > 192.0.2.100:80",
                       Hosts::LinkOf(rig, *hosts.Find("client")));
    REQUIRE(packet.ok());
    rig.Inject(rig.PortNamed("1.1"), worker, packet->frame, packet->arrival);
  }

  void SetRole(Role role) { rig.unit().SetRole(rig.GroupNamed("tg"), role); }

  Rig rig;
  Hosts hosts;
};

}  // namespace

TEST_CASE("announce: when every worker has taken the role over", "[unit]") {
  Device device;
  device.SetRole(Role::kActive);
  for (int i = 0; i < 5; ++i)
    CHECK(device.rig.Turn(0).empty());
  // Worker 1 sees it, and takes it over a turn later, when its queue is known to be empty.
  device.rig.Turn(1);
  CHECK(device.rig.Turn(0).empty());
  device.rig.Turn(1);
  const auto sent = device.rig.Turn(0);
  REQUIRE(sent.size() == 1);
  CHECK(TextFromPacket(sent[0].bytes) == "arp who-has 192.0.2.100 tell 192.0.2.100");
  CHECK(device.rig.Total(&pipeline::WorkerCounters::announced) == 1);
  // Who heard it may ask any worker.
  device.Inject(0, 1000);
  device.Inject(1, 1001);
  device.rig.Run();
  CHECK(device.rig.Total(&pipeline::WorkerCounters::forwarded) == 2);
}

TEST_CASE("announce: a worker that hangs is not waited for long", "[unit]") {
  Device device;
  device.SetRole(Role::kActive);
  device.rig.Turn(0);
  device.rig.Turn(0);
  device.rig.Skip(11 * kMillisecond);
  CHECK(device.rig.Turn(0).size() == 1);
}

TEST_CASE("backlog: what other workers had handed over is of the time before, too", "[unit]") {
  Device device;
  // As many for each owner; the ring to worker 0 fills while worker 0 hangs.
  for (unsigned port = 1000; port < 1300; ++port)
    device.Inject(1, port);
  for (int i = 0; i < 10; ++i)
    device.rig.Turn(1);
  const uint64_t handed = device.rig.Total(&pipeline::WorkerCounters::handed_off);
  REQUIRE(handed > 2 * kBurstMax);
  device.SetRole(Role::kActive);
  for (int i = 0; i < 10; ++i)
    device.rig.Turn(0);
  CHECK(device.rig.Dropped(DropReason::kBacklog) == handed);
  CHECK(device.rig.Total(&pipeline::WorkerCounters::forwarded) == 0);
  device.rig.Run();
  device.Inject(0, 1000);
  device.rig.Run();
  CHECK(device.rig.Total(&pipeline::WorkerCounters::forwarded) == 1);
}

TEST_CASE("backlog: a role that is lost again before it was taken over is not taken", "[unit]") {
  Device device;
  device.Inject(0, 1000);
  device.SetRole(Role::kActive);
  device.rig.Turn(0);
  device.rig.Turn(1);  // in case it is the owner
  device.SetRole(Role::kStandby);
  device.Inject(0, 1001);
  device.rig.Run();
  CHECK(device.rig.Dropped(DropReason::kBacklog) == 1);
  CHECK(device.rig.Dropped(DropReason::kStandby) == 1);
  CHECK(device.rig.Total(&pipeline::WorkerCounters::announced) == 0);
}

}  // namespace tandem::test
