// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/unit/pair_network.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/support/packet_text.h"

namespace tandem::test {
namespace {

std::string DeviceText(unsigned device, const std::string& groups, const std::string& global) {
  const std::string one = std::to_string(device + 1);
  const std::string other = std::to_string(2 - device);
  return "device { workers: 2 name: \"unit" + one + "\" }" + groups + R"(
mirroring { device: "m" authentication: NONE )" +
         global + " unit_id: " + one + " address: \"10.255.0." + one + "/24\" peer: \"10.255.0." +
         other + R"(" }
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
)";
}

}  // namespace

std::string BarePairConfigOf(unsigned device) {
  return DeviceText(device, "", "");
}

std::string PairConfigOf(unsigned device, const std::string& mirror, unsigned timeout,
                         const std::string& global) {
  const std::string virtuals[] = {
      R"(virtual { name: "web" destination: "192.0.2.100:80" pool: "p" )",
      R"(virtual { name: "six" destination: "[2001:db8:1::100]:80" pool: "six" )",
      R"(virtual { name: "out" destination: "192.0.2.101:80" pool: "p"
                   source_address_translation { type: SNAT pool: "out" } )",
      R"(virtual { name: "dsr" destination: "192.0.2.102:53" pool: "any" translate_address: false )",
      R"(virtual { name: "forward" type: FORWARDING_IP destination: "10.0.20.0/24:any" )"};
  const std::string role = device == 0 ? "ACTIVE" : "STANDBY";
  std::string text =
      DeviceText(device, "\ntraffic_group { name: \"tg\" role: " + role + " }", global) +
      R"(self_ip { name: "f6" address: "2001:db8:20::250/64" vlan: "internal" traffic_group: "tg" }
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

PairNetwork::PairNetwork(const std::string& mirror, unsigned timeout, const PairOptions& options,
                         const std::string& global)
    : pair(PairConfigOf(0, mirror, timeout, global), PairConfigOf(1, mirror, timeout, global),
           options) {
  hosts.Add({"client", "1.1", 0, Mac("02:00:00:00:00:0c"), {"192.0.2.10", "2001:db8:1::10"}});
  hosts.Add({"s1", "1.2", 0, Mac("02:00:00:00:00:11"), {"10.0.20.11", "2001:db8:20::11"}});
  hosts.Add({"s2", "1.2", 0, Mac("02:00:00:00:00:12"), {"10.0.20.12"}});
  Meet(0);
  Meet(1);
}

void PairNetwork::Meet(unsigned device) {
  hosts.Attach(pair.rig(device));
  hosts.Greet(pair.rig(device));
}

std::vector<std::string> PairNetwork::Send(unsigned device, const std::string& host,
                                           const std::string& line) {
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

Connection OpenConnection(PairNetwork& network, unsigned device, const std::string& kind,
                          const std::string& endpoints, bool answers) {
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

std::vector<Connection> OpenAll(PairNetwork& network, unsigned device, unsigned port) {
  const std::string p = std::to_string(port);
  return {
      OpenConnection(network, device, "tcp", "192.0.2.10:" + p + " > 192.0.2.100:80"),
      OpenConnection(network, device, "udp", "192.0.2.10:" + p + " > 192.0.2.100:80"),
      OpenConnection(network, device, "tcp", "[2001:db8:1::10]:" + p + " > [2001:db8:1::100]:80"),
      OpenConnection(network, device, "udp", "[2001:db8:1::10]:" + p + " > [2001:db8:1::100]:80"),
      OpenConnection(network, device, "tcp", "192.0.2.10:" + p + " > 192.0.2.101:80"),
      OpenConnection(network, device, "udp", "192.0.2.10:" + p + " > 192.0.2.101:80"),
      OpenConnection(network, device, "udp", "192.0.2.10:" + p + " > 192.0.2.102:53", false),
      OpenConnection(network, device, "tcp", "192.0.2.10:" + p + " > 10.0.20.12:8080"),
      OpenConnection(network, device, "udp", "192.0.2.10:" + p + " > 10.0.20.12:8080")};
}

void CheckGoesOn(PairNetwork& network, unsigned device, const std::vector<Connection>& all) {
  for (const Connection& one : all) {
    CAPTURE(one.client, one.server);
    CHECK(network.Send(device, "client", one.client) == one.forward);
    if (!one.server.empty()) CHECK(network.Send(device, one.by, one.server) == one.back);
  }
}

std::vector<PairImage> ImagesOf(Rig& rig, unit::FlowType type) {
  unit::FlowFilter filter;
  filter.type = type;
  constexpr uint16_t kFlags = flow::kTranslateAddress | flow::kTranslateSource | flow::kOneLegged |
                              flow::kLooselyInitiated | flow::kClientByRoute | flow::kWindowScaled;
  const auto endpoint = [](const IpAddress& address, uint16_t port) {
    return address.ToString() + "/" + std::to_string(port);
  };
  std::vector<PairImage> images;
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

bool AreEqual(PairNetwork& network, unsigned active) {
  return ImagesOf(network.pair.rig(active), unit::FlowType::kSelf) ==
         ImagesOf(network.pair.rig(1 - active), unit::FlowType::kMirror);
}

void CheckEqual(PairNetwork& network, unsigned active) {
  CHECK(ImagesOf(network.pair.rig(active), unit::FlowType::kSelf) ==
        ImagesOf(network.pair.rig(1 - active), unit::FlowType::kMirror));
}

unit::FlowFilter FlowsOf(unit::FlowType type) {
  unit::FlowFilter filter;
  filter.type = type;
  return filter;
}

}  // namespace tandem::test
