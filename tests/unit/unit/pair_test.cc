// SPDX-License-Identifier: Apache-2.0
//
// Two devices that mirror: the standby's shadow is the active's flows at the same places, is silent,
// and goes on with every one of them when the roles are changed.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "dataplane/unit/mirroring.h"
#include "tests/support/hosts.h"
#include "tests/support/packet_text.h"
#include "tests/support/pair.h"

namespace tandem::test {
namespace {

using config::Role;

// `device` is 0 or 1; objects come in another order on the second, so that their numbers differ.
std::string ConfigOf(unsigned device, const std::string& mirror = "mirror: true",
                     unsigned timeout = 10) {
  const std::string one = std::to_string(device + 1);
  const std::string other = std::to_string(2 - device);
  const std::string virtuals[] = {
      R"(virtual { name: "web" destination: "192.0.2.100:80" pool: "p" )",
      R"(virtual { name: "six" destination: "[2001:db8:1::100]:80" pool: "six" )",
      R"(virtual { name: "out" destination: "192.0.2.101:80" pool: "p"
                   source_address_translation { type: SNAT pool: "out" } )",
      R"(virtual { name: "dsr" destination: "192.0.2.102:53" pool: "any" translate_address: false )",
      R"(virtual { name: "forward" type: FORWARDING_IP destination: "10.0.20.0/24:any" )"};
  std::string text = "device { workers: 2 name: \"unit" + one + "\" }" + R"(
traffic_group { name: "tg" role: )" +
                     (device == 0 ? "ACTIVE" : "STANDBY") + R"( }
mirroring { device: "m" authentication: NONE unit_id: )" +
                     one + " address: \"10.255.0." + one + "/24\" peer: \"10.255.0." + other +
                     R"(" }
port { name: "1.1" device: "a" }
port { name: "1.2" device: "b" }
vlan { name: "external" port: "1.1" facing: CLIENT }
vlan { name: "internal" port: "1.2" facing: SERVER }
self_ip { name: "e4" address: "192.0.2.)" +
                     one + R"(/24" vlan: "external" }
self_ip { name: "e6" address: "2001:db8:1::)" +
                     one + R"(/64" vlan: "external" }
self_ip { name: "i4" address: "10.0.20.)" +
                     one + R"(/24" vlan: "internal" }
self_ip { name: "i6" address: "2001:db8:20::)" +
                     one + R"(/64" vlan: "internal" }
self_ip { name: "f6" address: "2001:db8:20::250/64" vlan: "internal" traffic_group: "tg" }
snat_pool { name: "out" members: ["10.0.20.240", "10.0.20.241"] traffic_group: "tg" }
profile_fastl4 { name: "short" idle_timeout: )" +
                     std::to_string(timeout) + " udp_idle_timeout: " + std::to_string(timeout) +
                     R"( tcp_handshake_timeout: 5 }
pool { name: "p" member { address: "10.0.20.11" port: 80 } member { address: "10.0.20.12" port: 80 } }
pool { name: "any" member { address: "10.0.20.11" } }
pool { name: "six" member { address: "2001:db8:20::11" port: 80 } }
)";
  for (size_t i = 0; i < std::size(virtuals); ++i) {
    text += virtuals[device == 0 ? i : std::size(virtuals) - 1 - i] +
            "traffic_group: \"tg\" profile: \"short\" " + mirror + " }\n";
  }
  return text;
}

struct Network {
  explicit Network(const std::string& mirror = "mirror: true", unsigned timeout = 10)
      : pair(ConfigOf(0, mirror, timeout), ConfigOf(1, mirror, timeout)) {
    Attach();
  }

  void Attach() {
    hosts.Add({"client", "1.1", 0, Mac("02:00:00:00:00:0c"), {"192.0.2.10", "2001:db8:1::10"}});
    hosts.Add({"s1", "1.2", 0, Mac("02:00:00:00:00:11"), {"10.0.20.11", "2001:db8:20::11"}});
    hosts.Add({"s2", "1.2", 0, Mac("02:00:00:00:00:12"), {"10.0.20.12"}});
    for (unsigned device = 0; device < 2; ++device) {
      hosts.Attach(pair.rig(device));
      hosts.Greet(pair.rig(device));
    }
  }

  // What leaves the device, "host: packet", when `host` sends `line`.
  std::vector<std::string> Send(unsigned device, const std::string& host, const std::string& line) {
    Rig& rig = pair.rig(device);
    const auto packet = PacketFromText(line, Hosts::LinkOf(rig, *hosts.Find(host)));
    REQUIRE(packet.ok());
    rig.Inject(rig.PortNamed(hosts.Find(host)->port), 0, packet->frame, packet->arrival);
    std::vector<std::string> result;
    for (const Sent& sent : rig.Run()) {
      const std::string text = TextFromPacket(sent.bytes);
      if (text.compare(0, 3, "arp") == 0 || text.compare(0, 2, "nd") == 0) continue;
      result.push_back(hosts.Recipient(rig, sent) + ": " + text);
    }
    return result;
  }

  Hosts hosts;
  Pair pair;
};

// A connection as its two ends see it: a line each, to be sent again and again.
struct Connection {
  std::string client;  // what the client sends
  std::string server;  // what its server sends back; empty: it answers past the device
  std::string by;      // the server
  std::vector<std::string> forward, back;  // what came out then
};

std::string EndpointsOf(const std::string& text, bool turned) {
  // "s1: tcp A > B …"
  const size_t kind = text.find(' ') + 1;
  const size_t from = text.find(' ', kind) + 1;
  const size_t arrow = text.find(" > ", from);
  const size_t end = text.find(' ', arrow + 3);
  const std::string a = text.substr(from, arrow - from);
  const std::string b = text.substr(arrow + 3, end - arrow - 3);
  return turned ? b + " > " + a : a + " > " + b;
}

// Opens it on `device`.
Connection Open(Network& network, unsigned device, const std::string& kind,
                const std::string& endpoints, bool answers = true) {
  Connection one;
  const bool is_tcp = kind == "tcp";
  const std::string first = kind + " " + endpoints + (is_tcp ? " S seq=100" : " len=8");
  const std::vector<std::string> out = network.Send(device, "client", first);
  REQUIRE(out.size() == 1);
  one.by = out[0].substr(0, out[0].find(':'));
  const std::string back = kind + " " + EndpointsOf(out[0], true);
  one.client = kind + " " + endpoints + (is_tcp ? " A seq=101 ack=501 len=5" : " len=9");
  one.server = back + (is_tcp ? " A seq=501 ack=106 len=7" : " len=7");
  if (is_tcp) {
    REQUIRE(network.Send(device, one.by, back + " SA seq=500 ack=101").size() == 1);
    REQUIRE(network.Send(device, "client", kind + " " + endpoints + " A seq=101 ack=501").size() ==
            1);
  }
  if (!answers) one.server.clear();
  one.forward = network.Send(device, "client", one.client);
  REQUIRE(one.forward.size() == 1);
  if (answers) {
    one.back = network.Send(device, one.by, one.server);
    REQUIRE(one.back.size() == 1);
  }
  return one;
}

std::vector<Connection> OpenAll(Network& network, unsigned device, unsigned port) {
  const std::string p = std::to_string(port);
  return {Open(network, device, "tcp", "192.0.2.10:" + p + " > 192.0.2.100:80"),
          Open(network, device, "udp", "192.0.2.10:" + p + " > 192.0.2.100:80"),
          Open(network, device, "tcp", "[2001:db8:1::10]:" + p + " > [2001:db8:1::100]:80"),
          Open(network, device, "udp", "[2001:db8:1::10]:" + p + " > [2001:db8:1::100]:80"),
          Open(network, device, "tcp", "192.0.2.10:" + p + " > 192.0.2.101:80"),
          Open(network, device, "udp", "192.0.2.10:" + p + " > 192.0.2.101:80"),
          Open(network, device, "udp", "192.0.2.10:" + p + " > 192.0.2.102:53", false),
          Open(network, device, "tcp", "192.0.2.10:" + p + " > 10.0.20.12:8080"),
          Open(network, device, "udp", "192.0.2.10:" + p + " > 10.0.20.12:8080")};
}

void CheckGoesOn(Network& network, unsigned device, const std::vector<Connection>& all) {
  for (const Connection& one : all) {
    CAPTURE(one.client, one.server);
    CHECK(network.Send(device, "client", one.client) == one.forward);
    if (!one.server.empty()) CHECK(network.Send(device, one.by, one.server) == one.back);
  }
}

// All that both devices must agree on, by the names of what a flow belongs to.
using Image = std::tuple<unsigned, uint32_t, uint64_t, uint8_t, flow::State, uint16_t, std::string,
                         std::string, std::string, std::string>;
std::vector<Image> ImagesOf(Rig& rig, unit::FlowType type) {
  unit::FlowFilter filter;
  filter.type = type;
  constexpr uint16_t kFlags = flow::kTranslateAddress | flow::kTranslateSource | flow::kOneLegged |
                              flow::kLooselyInitiated | flow::kClientByRoute | flow::kWindowScaled;
  const auto endpoint = [](const IpAddress& address, uint16_t port) {
    return address.ToString() + "/" + std::to_string(port);
  };
  std::vector<Image> images;
  for (const unit::FlowInfo& flow : rig.Flows(filter)) {
    images.emplace_back(flow.worker, flow.logical_slot, flow.birth, flow.protocol, flow.state,
                        flow.flags & kFlags, rig.VirtualName(flow.virtual_id),
                        rig.MemberName(flow.member_id),
                        endpoint(flow.cs_client, flow.cs_client_port) + ">" +
                            endpoint(flow.cs_server, flow.cs_server_port),
                        endpoint(flow.ss_client, flow.ss_client_port) + ">" +
                            endpoint(flow.ss_server, flow.ss_server_port));
  }
  std::sort(images.begin(), images.end());
  return images;
}

void CheckEqual(Network& network) {
  const std::vector<Image> active = ImagesOf(network.pair.rig(0), unit::FlowType::kSelf);
  const std::vector<Image> standby = ImagesOf(network.pair.rig(1), unit::FlowType::kMirror);
  CHECK(active == standby);
}

unit::FlowFilter Of(unit::FlowType type) {
  unit::FlowFilter filter;
  filter.type = type;
  return filter;
}

}  // namespace

TEST_CASE("pair: the shadow is the active's flows, at the same places", "[unit]") {
  Network network("mirror: true", 300);
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
  Network network;
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
  Network network;
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

TEST_CASE("pair: a shadow does not age; what was taken over has one whole timeout", "[unit]") {
  Network network;
  const std::vector<Connection> all = OpenAll(network, 0, 1000);
  REQUIRE(network.pair.Synchronise());
  network.pair.SetLoss(100);
  network.pair.Advance(60 * kSecond, 100 * kMillisecond);
  CHECK(network.pair.rig(0).Ended(pipeline::EndReason::kIdle) == all.size());
  CHECK(network.pair.rig(1).Flows(Of(unit::FlowType::kMirror)).size() == all.size());
  network.pair.rig(1).SetRole("tg", Role::kActive);
  network.pair.rig(1).Advance(9 * kSecond);
  CHECK(network.pair.rig(1).Flows(Of(unit::FlowType::kSelf)).size() == all.size());
  network.pair.rig(1).Advance(2 * kSecond);
  CHECK(network.pair.rig(1).Ended(pipeline::EndReason::kIdle) == all.size());
  CHECK(network.pair.rig(1).IsEmpty());
}

TEST_CASE("pair: half a handshake goes on too, where it is mirrored from the SYN", "[unit]") {
  Network network("mirror: true mirror_at: SYN");
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

TEST_CASE("pair: where so many packets are waited for, short connections cost nothing", "[unit]") {
  Network network("mirror: true mirror_after_packets: 6");
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
  Network network("mirror: true mirror_after_seconds: 3");
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
  Network network("mirror: true mirror_after_packets: 200");
  const size_t count = OpenAll(network, 0, 1000).size();
  REQUIRE(network.pair.Synchronise());
  CHECK(network.pair.rig(1).IsEmpty());
  const auto reload = [&](const std::string& mirror) {
    REQUIRE(network.pair.rig(0).Reload(ConfigOf(0, mirror)).ok());
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
  Network network;
  OpenAll(network, 0, 1000);
  REQUIRE(network.pair.Synchronise());
  network.pair.rig(0).DeleteFlows();
  network.pair.Advance(50 * kMillisecond);
  CHECK(network.pair.rig(0).IsEmpty());
  CHECK(network.pair.rig(1).IsEmpty());
}

TEST_CASE("pair: loss delays, nothing more", "[unit]") {
  Network network;
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
  Network network;
  const size_t count = OpenAll(network, 0, 1000).size();
  REQUIRE(network.pair.Synchronise());
  REQUIRE(network.pair.rig(0).Reload(ConfigOf(0, "")).ok());
  network.pair.Advance(100 * kMillisecond);
  CHECK(network.pair.rig(1).IsEmpty());
  CHECK(network.pair.rig(0).Flows().size() == count);
  OpenAll(network, 0, 1001);
  network.pair.Advance(100 * kMillisecond);
  CHECK(network.pair.rig(1).IsEmpty());
  REQUIRE(network.pair.rig(0).Reload(ConfigOf(0)).ok());
  network.pair.Advance(100 * kMillisecond);
  CHECK(network.pair.rig(1).Flows().size() == 2 * count);
  CheckEqual(network);
}

TEST_CASE("pair: a shadow of what is not configured waits, and is ended when it is needed",
          "[unit]") {
  Network network("mirror: true", 300);
  const std::vector<Connection> all = OpenAll(network, 0, 1000);
  REQUIRE(network.pair.Synchronise());
  const std::string whole = ConfigOf(1, "mirror: true", 300);
  const size_t at = whole.find("virtual { name: \"web\"");
  const size_t end = whole.find('\n', at);
  REQUIRE(network.pair.rig(1).Reload(whole.substr(0, at) + whole.substr(end)).ok());
  network.pair.Advance(100 * kMillisecond);
  CHECK(network.pair.rig(1).Flows(Of(unit::FlowType::kMirror)).size() == all.size());
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
