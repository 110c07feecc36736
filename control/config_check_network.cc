// SPDX-License-Identifier: Apache-2.0
//
// Validate, the network side: ports, VLANs, traffic groups, self IPs, routes.
#include <algorithm>
#include <bit>
#include <map>
#include <set>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>

#include "control/config_check_context.h"
#include "control/config_endpoint.h"
#include "control/text.h"
#include "dataplane/base/limits.h"

namespace tandem::control {
namespace {

namespace v1 = config::v1;

constexpr uint32_t kMtuMin = 68;        // RFC 791 section 3.2
constexpr uint32_t kMtuMinIpv6 = 1280;  // RFC 8200 section 5
constexpr uint32_t kMtuMax = 9216;
constexpr uint32_t kAnnounceRefreshMax = 86400;
constexpr uint32_t kTagMax = 4094;  // IEEE 802.1Q reserves 4095

// "0000:03:00.0" for "03:00.0" as well; empty when it is no PCI address.
std::string PciAddress(std::string_view text) {
  const std::string full = text.size() == 7 ? Cat("0000:", text) : std::string(text);
  constexpr std::string_view kPattern = "hhhh:hh:hh.h";
  if (full.size() != kPattern.size()) return "";
  for (size_t i = 0; i < full.size(); ++i) {
    const bool fits = kPattern[i] == 'h' ? absl::ascii_isxdigit(static_cast<unsigned char>(full[i]))
                                         : full[i] == kPattern[i];
    if (!fits) return "";
  }
  return absl::AsciiStrToLower(full);
}

// 0 when the VLAN has no valid port.
uint32_t MtuOf(const CheckContext& context, const v1::Vlan& vlan) {
  if (vlan.mtu() != 0) return vlan.mtu();
  const auto port = context.ports.find(vlan.port());
  return port == context.ports.end() ? 0 : context.config.port(port->second).mtu();
}

struct SelfIp {
  int index;
  int vlan;
  IpPrefix prefix;
};

std::optional<SelfIp> CheckSelfIp(CheckContext& context, int index) {
  const v1::SelfIp& self_ip = context.config.self_ip(index);
  const Origin origin = context.document.Object("self_ip", index);
  if (self_ip.has_traffic_group()) {
    context.Resolve(origin, "traffic_group", self_ip.traffic_group(), context.traffic_groups);
  }
  std::optional<int> vlan;
  if (context.Given(origin, "vlan", self_ip.vlan())) {
    vlan = context.Resolve(origin, "vlan", self_ip.vlan(), context.vlans);
  }
  if (!context.Given(origin, "address", self_ip.address())) return std::nullopt;
  const auto prefix = ParseConfigPrefix(self_ip.address());
  if (!prefix || !absl::StrContains(self_ip.address(), "/")) {
    context.Error(
        origin, "address",
        Cat(Quote(self_ip.address()), " is no address with prefix length, as in \"10.0.0.1/24\""));
    return std::nullopt;
  }
  if (!CheckInterfaceAddress(context, origin, *prefix, self_ip.address()) || !vlan)
    return std::nullopt;
  const uint32_t mtu = MtuOf(context, context.config.vlan(*vlan));
  if (!prefix->address.is_v4() && mtu != 0 && mtu < kMtuMinIpv6) {
    context.Error(
        origin, "address",
        Cat("IPv6 needs an MTU of ", kMtuMinIpv6, "; vlan ", Quote(self_ip.vlan()), " has ", mtu));
  }
  const auto [other, inserted] = context.self_addresses.emplace(prefix->address, index);
  if (!inserted) {
    const Origin twin = context.document.Object("self_ip", other->second);
    context.Error(origin, "address",
                  Cat(Quote(self_ip.address()), " is also the address of ", twin.label(),
                      AtLine(twin.location())));
  }
  return SelfIp{index, *vlan, *prefix};
}

// A network that is part of another one on another VLAN would make the next hop of its addresses
// depend on the order of things. Wide networks go first, so each finds what it lies in.
void CheckOverlaps(CheckContext& context, std::vector<SelfIp> self_ips) {
  std::stable_sort(self_ips.begin(), self_ips.end(), [](const SelfIp& a, const SelfIp& b) {
    return a.prefix.length < b.prefix.length;
  });
  std::map<int, int> vlan_of;
  for (const SelfIp& self_ip : self_ips) {
    vlan_of[self_ip.index] = self_ip.vlan;
    const auto around = context.connected.Find(self_ip.prefix);
    if (around && vlan_of[*around] != self_ip.vlan) {
      const Origin other = context.document.Object("self_ip", *around);
      context.Error(context.document.Object("self_ip", self_ip.index), "address",
                    Cat("network ", self_ip.prefix.Network().ToString(), " overlaps that of ",
                        other.label(), AtLine(other.location()), " on another VLAN"));
    }
    context.connected.Add(self_ip.prefix, self_ip.index);
    context.self_families.Add(self_ip.prefix.address);
  }
}

std::optional<IpPrefix> RouteNetwork(CheckContext& context, const Origin& origin,
                                     std::string_view text, const IpAddress& gateway) {
  if (text == "default") return Everything(gateway.is_v4());
  const auto network = ParseConfigPrefix(text);
  if (!network) {
    context.Error(origin, "network", Cat(Quote(text), " is no prefix, nor \"default\""));
  } else if (*network != network->Network()) {
    context.Error(
        origin, "network",
        Cat(Quote(text), " has host bits; the network is ", network->Network().ToString()));
  } else if (network->address.is_v4() != gateway.is_v4()) {
    context.Error(origin, "gateway",
                  Cat(Quote(gateway.ToString()), " is not of the family of ", text));
  } else {
    return network;
  }
  return std::nullopt;
}

// The self IP whose network is exactly this one.
std::optional<int> ConnectedAs(const CheckContext& context, const IpPrefix& network) {
  const auto self_ip = context.connected.Find(network);
  if (!self_ip) return std::nullopt;
  const auto prefix = ParseConfigPrefix(context.config.self_ip(*self_ip).address());
  return prefix && prefix->length == network.length ? self_ip : std::nullopt;
}

void CheckGateway(CheckContext& context, const Origin& origin, const IpAddress& gateway) {
  if (context.self_addresses.contains(gateway)) {
    context.Error(origin, "gateway",
                  Cat(Quote(gateway.ToString()), " is a self IP of this device"));
  } else if (!context.connected.Find(gateway)) {
    context.Error(origin, "gateway",
                  Cat(Quote(gateway.ToString()), " is on no network of a self IP"));
  }
}

}  // namespace

std::string DeviceName(std::string_view text) {
  constexpr size_t kDeviceMax = 1024;
  if (text.size() > kDeviceMax) return "";
  if (std::string pci = PciAddress(text); !pci.empty()) return pci;
  const std::string_view name = text.substr(0, text.find(','));
  const bool fits = !name.empty() && absl::ascii_islower(static_cast<unsigned char>(name[0])) &&
                    std::all_of(name.begin(), name.end(), [](char c) {
                      return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_';
                    });
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c));
  });
  return fits && printable ? std::string(name) : "";
}

void CheckDescriptors(CheckContext& context, const Origin& origin, std::string_view field,
                      uint32_t count) {
  constexpr uint32_t kMin = 64;
  constexpr uint32_t kMax = 32768;
  if (count < kMin || count > kMax || !std::has_single_bit(count)) {
    context.Error(origin, field, Cat(count, " is no power of two in 64..32768"));
  }
}

bool CheckInterfaceAddress(CheckContext& context, const Origin& origin, const IpPrefix& prefix,
                           std::string_view text) {
  const IpAddress& address = prefix.address;
  std::string_view why_not = WhyNotHost(address);
  if (why_not.empty() && prefix.length == 0) why_not = "on a network of length 0";
  if (why_not.empty() && address.is_v4() && prefix.length < 31) {
    if (address == prefix.Network().address) why_not = "the address of the network itself";
    if (address == prefix.Broadcast()) why_not = "the broadcast address of its network";
  }
  if (why_not.empty()) return true;
  context.Error(origin, "address", Cat(Quote(text), " is ", why_not));
  return false;
}

void CheckPorts(CheckContext& context) {
  for (int i = 0; i < context.config.port_size(); ++i) {
    const v1::Port& port = context.config.port(i);
    const Origin origin = context.document.Object("port", i);
    context.InRange(origin, "mtu", port.mtu(), kMtuMin, kMtuMax);
    CheckDescriptors(context, origin, "rx_descriptors", port.rx_descriptors());
    CheckDescriptors(context, origin, "tx_descriptors", port.tx_descriptors());
    if (!context.Given(origin, "device", port.device())) continue;
    const std::string name = DeviceName(port.device());
    if (name.empty()) {
      context.Error(
          origin, "device",
          Cat(Quote(port.device()), " is neither a PCI address nor a DPDK virtual device"));
      continue;
    }
    const auto [other, inserted] = context.devices.emplace(name, i);
    if (!inserted) {
      const Origin twin = context.document.Object("port", other->second);
      context.Error(
          origin, "device",
          Cat(Quote(name), " is also the device of ", twin.label(), AtLine(twin.location())));
    }
  }
}

void CheckVlans(CheckContext& context) {
  std::map<std::pair<int, uint32_t>, int> tags;
  for (int i = 0; i < context.config.vlan_size(); ++i) {
    const v1::Vlan& vlan = context.config.vlan(i);
    const Origin origin = context.document.Object("vlan", i);
    const bool tag_ok = context.InRange(origin, "tag", vlan.tag(), 0, kTagMax);
    const bool mtu_ok =
        vlan.mtu() == 0 || context.InRange(origin, "mtu", vlan.mtu(), kMtuMin, kMtuMax);
    if (!context.Given(origin, "port", vlan.port())) continue;
    const auto port = context.Resolve(origin, "port", vlan.port(), context.ports);
    if (!port) continue;
    const uint32_t port_mtu = context.config.port(*port).mtu();
    if (mtu_ok && vlan.mtu() > port_mtu) {
      context.Error(
          origin, "mtu",
          Cat(vlan.mtu(), " is more than the ", port_mtu, " of port ", Quote(vlan.port())));
    }
    if (!tag_ok) continue;
    const auto [other, inserted] = tags.emplace(std::pair(*port, vlan.tag()), i);
    if (!inserted) {
      const Origin twin = context.document.Object("vlan", other->second);
      context.Error(
          origin, "tag",
          Cat(vlan.tag() == 0 ? "untagged frames" : Cat("tag ", vlan.tag()), " of port ",
              Quote(vlan.port()), vlan.tag() == 0 ? " already belong to " : " already belongs to ",
              twin.label(), AtLine(twin.location())));
    }
  }
}

void CheckTrafficGroups(CheckContext& context) {
  for (int i = 0; i < context.config.traffic_group_size(); ++i) {
    const v1::TrafficGroup& group = context.config.traffic_group(i);
    context.InRange(context.document.Object("traffic_group", i), "announce_refresh",
                    group.announce_refresh(), 0, kAnnounceRefreshMax);
    if (!group.has_mac()) continue;
    const auto mac = ParseMac(group.mac());
    std::string_view why_not;
    if (!mac) {
      why_not = "no MAC address, as in \"02:00:5e:00:00:01\"";
    } else if (((*mac)[0] & 1) != 0) {
      why_not = "a multicast address";
    } else if (*mac == MacAddress{}) {
      why_not = "no address at all";
    }
    if (why_not.empty()) continue;
    context.Error(context.document.Object("traffic_group", i), "mac",
                  Cat(Quote(group.mac()), " is ", why_not));
  }
}

void CheckSelfIps(CheckContext& context) {
  std::vector<SelfIp> self_ips;
  for (int i = 0; i < context.config.self_ip_size(); ++i) {
    if (const auto self_ip = CheckSelfIp(context, i)) self_ips.push_back(*self_ip);
  }
  context.address_count = self_ips.size();
  CheckOverlaps(context, std::move(self_ips));
}

void CheckRoutes(CheckContext& context) {
  std::map<IpPrefix, int> networks;
  for (int i = 0; i < context.config.route_size(); ++i) {
    const v1::Route& route = context.config.route(i);
    const Origin origin = context.document.Object("route", i);
    const bool network_given = context.Given(origin, "network", route.network());
    if (!context.Given(origin, "gateway", route.gateway())) continue;
    const auto gateway = context.HostAddress(origin, "gateway", route.gateway());
    if (!gateway) continue;
    CheckGateway(context, origin, *gateway);
    if (!network_given) continue;
    const auto network = RouteNetwork(context, origin, route.network(), *gateway);
    if (!network) continue;
    if (const auto self_ip = ConnectedAs(context, *network)) {
      const Origin twin = context.document.Object("self_ip", *self_ip);
      context.Error(origin, "network",
                    Cat(Quote(route.network()), " is the network of ", twin.label(),
                        AtLine(twin.location())));
    }
    const auto [other, inserted] = networks.emplace(*network, i);
    if (!inserted) {
      const Origin twin = context.document.Object("route", other->second);
      context.Error(origin, "network",
                    Cat(Quote(route.network()), " is also the network of ", twin.label(),
                        AtLine(twin.location())));
    }
  }
}

}  // namespace tandem::control
