// SPDX-License-Identifier: Apache-2.0
//
// A turn allocates nothing: not for established packets, and not for new flows, held packets,
// refusals, timers, queries or a reload.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>

#include "tests/support/allocation_guard.h"
#include "tests/support/hosts.h"
#include "tests/support/packet_text.h"
#include "tests/support/pair.h"
#include "tests/support/rig.h"

namespace tandem::test {
namespace {

const char* const kConfig = R"(
device { workers: 2 }
port { name: "1.1" device: "a" }
port { name: "1.2" device: "b" }
vlan { name: "external" port: "1.1" }
vlan { name: "internal" port: "1.2" }
self_ip { name: "e4" address: "192.0.2.1/24" vlan: "external" }
self_ip { name: "i4" address: "10.0.20.1/24" vlan: "internal" }
self_ip { name: "e6" address: "2001:db8:1::1/64" vlan: "external" }
self_ip { name: "i6" address: "2001:db8:20::1/64" vlan: "internal" }
profile_fastl4 { name: "short" idle_timeout: 5 udp_idle_timeout: 5 }
pool { name: "two" load_balancing_mode: LEAST_CONNECTIONS_MEMBER
       member { address: "10.0.20.11" port: 80 } member { address: "10.0.20.12" port: 80 } }
pool { name: "six" load_balancing_mode: MAGLEV_SOURCE member { address: "2001:db8:20::11" port: 80 } }
virtual { name: "web" destination: "192.0.2.100:80" pool: "two" profile: "short"
          source_address_translation { type: AUTOMAP } }
virtual { name: "six" destination: "[2001:db8:1::100]:80" pool: "six" profile: "short" }
)";

class Bench {
 public:
  Bench() : rig(kConfig, Options()) {
    hosts.Add({"client", "1.1", 0, Mac("02:00:00:00:00:0c"), {"192.0.2.10", "2001:db8:1::10"}});
    hosts.Add({"s1", "1.2", 0, Mac("02:00:00:00:00:11"), {"10.0.20.11", "2001:db8:20::11"}});
    hosts.Attach(rig);  // s2 is silent: 10.0.20.12 never answers
  }

  void Send(const std::string& host, unsigned worker, const std::string& line) {
    const auto packet = PacketFromText(line, Hosts::LinkOf(rig, *hosts.Find(host)));
    REQUIRE(packet.ok());
    rig.Inject(rig.PortNamed(hosts.Find(host)->port), worker, packet->frame);
  }

  Hosts hosts;
  Rig rig;

 private:
  static RigOptions Options() {
    RigOptions options;
    options.around_turn = &GuardAllocations;
    return options;
  }
};

}  // namespace

TEST_CASE("the guard sees an allocation by new and by malloc", "[pipeline]") {
  const unsigned before = Allocations();
  GuardAllocations(true);
  auto* volatile number = new int(1);
  void* volatile memory = std::malloc(1);
  GuardAllocations(false);
  delete number;
  std::free(memory);
  CHECK(Allocations() == before + 2);
}

TEST_CASE("a turn allocates nothing, whatever it is given", "[pipeline]") {
  Bench bench;
  Rig& rig = bench.rig;
  const unsigned before = Allocations();
  for (int round = 0; round < 3; ++round) {
    for (unsigned port = 1000; port < 1300; ++port) {
      const std::string client = "192.0.2.10:" + std::to_string(port);
      const std::string six = "[2001:db8:1::10]:" + std::to_string(port);
      const unsigned worker = port % 2;
      bench.Send("client", worker, "tcp " + client + " > 192.0.2.100:80 S seq=5");
      bench.Send("client", worker, "udp " + client + " > 192.0.2.100:80 len=5");
      bench.Send("client", worker, "udp " + six + " > [2001:db8:1::100]:80 len=5");
      bench.Send("s1", worker, "udp [2001:db8:20::11]:80 > " + six + " len=5");
      bench.Send("client", worker, "udp " + client + " > 192.0.2.100:99");
      bench.Send("client", worker, "tcp " + client + " > 192.0.2.100:80 A seq=6 ack=9");
    }
    bench.Send("client", 0, "arp who-has 192.0.2.1 tell 192.0.2.10");
    bench.Send("client", 1, "nd who-has 2001:db8:1::1 tell 2001:db8:1::10");
    rig.Run();
    CHECK(rig.Flows().size() > 100);
    REQUIRE(rig.Reload(kConfig).ok());
    rig.Advance(3 * kSecond);
    rig.DeleteFlows({.protocol = 17});
    rig.Advance(10 * kSecond);
  }
  CHECK(rig.IsEmpty());
  CHECK(rig.Total(&pipeline::WorkerCounters::forwarded) > 1000);
  CHECK(rig.Total(&pipeline::WorkerCounters::handed_off) > 100);
  CHECK(rig.Dropped(DropReason::kNeighbourUnresolved) > 0);
  CHECK(rig.Ended(pipeline::EndReason::kHandshakeTimeout) > 0);
  CHECK(Allocations() == before);
}

TEST_CASE("a turn that mirrors allocates nothing, on either device", "[pipeline]") {
  const auto config = [](unsigned device) {
    const std::string one = std::to_string(device + 1);
    std::string text = kConfig;
    for (size_t at = 0; (at = text.find("virtual {", at)) != std::string::npos; at += 40)
      text.insert(at + 9, " traffic_group: \"tg\" mirror: true ");
    return text + "traffic_group { name: \"tg\" role: " + (device == 0 ? "ACTIVE" : "STANDBY") +
           " } mirroring { device: \"m\" authentication: NONE unit_id: " + one +
           " address: \"10.255.0." + one + "/24\" peer: \"10.255.0." + std::to_string(2 - device) +
           "\" }\n";
  };
  PairOptions options;
  options.is_direct = true;
  options.rig.around_turn = &GuardAllocations;
  Pair pair(config(0), config(1), options);
  Hosts hosts;
  hosts.Add({"client", "1.1", 0, Mac("02:00:00:00:00:0c"), {"192.0.2.10"}});
  hosts.Add({"s1", "1.2", 0, Mac("02:00:00:00:00:11"), {"10.0.20.11", "2001:db8:20::11"}});
  hosts.Attach(pair.rig(0));
  hosts.Attach(pair.rig(1));
  const unsigned before = Allocations();
  const auto send = [&](Rig& rig, const std::string& line) {
    const auto packet = PacketFromText(line, Hosts::LinkOf(rig, *hosts.Find("client")));
    REQUIRE(packet.ok());
    rig.Inject(rig.PortNamed("1.1"), 0, packet->frame);
  };
  for (int round = 0; round < 2; ++round) {
    for (unsigned port = 1000; port < 1300; ++port) {
      const std::string number = std::to_string(port);
      for (unsigned device = 0; device < 2; ++device) {
        send(pair.rig(device), "tcp 192.0.2.10:" + number + " > 192.0.2.100:80 S seq=5");
        send(pair.rig(device), "udp [2001:db8:1::10]:" + number + " > [2001:db8:1::100]:80 len=5");
      }
      if (port % 50 == 0) pair.Advance(2 * kMillisecond);
    }
    pair.SetLoss(20);
    pair.Advance(200 * kMillisecond);
    pair.SetLoss(0);
    REQUIRE(pair.Synchronise());
    pair.SwapRoles("tg");
    pair.Advance(100 * kMillisecond);
    pair.rig(0).DeleteFlows();
    pair.rig(1).DeleteFlows();
    pair.Advance(6 * kSecond, 5 * kMillisecond);
  }
  CHECK(pair.frames(0) > 10);
  CHECK(pair.frames(1) > 10);
  CHECK(Allocations() == before);
}

}  // namespace tandem::test
