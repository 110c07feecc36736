// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/pair_config.h"

#include <netinet/in.h>

#include <absl/strings/str_cat.h>

namespace tandem::sim {
namespace {

struct VirtualText {
  const char* name;
  const char* destination;
  const char* address;
  uint16_t port;
  uint8_t protocol;
  unsigned group;
  const char* persistence;
  const char* rest;
};

constexpr VirtualText kVirtuals[] = {
    {"web", "192.0.2.100:80", "192.0.2.100", 80, IPPROTO_TCP, 0, "by-source", R"(pool: "p")"},
    {"app", "192.0.2.101:80", "192.0.2.101", 80, IPPROTO_TCP, 0, "by-hash",
     R"(pool: "p" source_address_translation { type: AUTOMAP })"},
    {"out", "192.0.2.102:80", "192.0.2.102", 80, IPPROTO_TCP, 1, "by-source",
     R"(pool: "p" source_port: CHANGE source_address_translation { type: SNAT pool: "green" })"},
    {"dns", "192.0.2.103:53", "192.0.2.103", 53, IPPROTO_UDP, 1, "by-payload",
     R"(pool: "any" ip_protocol: UDP source_address_translation { type: SNAT pool: "green" })"},
    {"six", "[2001:db8:1::100]:80", "2001:db8:1::100", 80, IPPROTO_TCP, 0, "by-source",
     R"(pool: "six" source_address_translation { type: AUTOMAP })"},
    {"udp6", "[2001:db8:1::101]:53", "2001:db8:1::101", 53, IPPROTO_UDP, 1, "by-hash",
     R"(pool: "six")"},
    {"anyport", "192.0.2.104:any", "192.0.2.104", 4711, IPPROTO_TCP, 1, "local", R"(pool: "any")"},
    {"plain", "192.0.2.105:80", "192.0.2.105", 80, IPPROTO_TCP, 0, "by-source", R"(pool: "p")"},
};
constexpr const char* kThirdMember = "10.0.20.13";
constexpr unsigned kVirtualCount = sizeof(kVirtuals) / sizeof(kVirtuals[0]);

std::string Network(const PairConfig& config, unsigned device) {
  const unsigned host = device + 1;
  std::string text =
      absl::StrCat("device { name: \"unit", host, "\" workers: ", config.workers, " }\n");
  for (unsigned group = 0; group < kPairGroups; ++group) {
    absl::StrAppend(&text, "traffic_group { name: \"", kGroupNames[group],
                    "\" role: ", config.active[group] == device ? "ACTIVE" : "STANDBY", " }\n");
  }
  absl::StrAppend(&text, R"(
port { name: "1.1" device: "a" }
port { name: "1.2" device: "b" }
vlan { name: "external" port: "1.1" }
vlan { name: "internal" port: "1.2" }
)");
  absl::StrAppend(
      &text, "self_ip { name: \"e4\" address: \"192.0.2.", host, "/24\" vlan: \"external\" }\n",
      "self_ip { name: \"e6\" address: \"2001:db8:1::", host, "/64\" vlan: \"external\" }\n",
      "self_ip { name: \"i4\" address: \"10.0.20.", host, "/24\" vlan: \"internal\" }\n",
      "self_ip { name: \"i6\" address: \"2001:db8:20::", host, "/64\" vlan: \"internal\" }\n");
  absl::StrAppend(&text, R"(
self_ip { name: "float4" address: "10.0.20.250/24" vlan: "internal" traffic_group: "blue" }
self_ip { name: "float6" address: "2001:db8:20::250/64" vlan: "internal" traffic_group: "blue" }
snat_pool { name: "green" members: ["10.0.20.240", "10.0.20.241"] traffic_group: "green" }
)");
  absl::StrAppend(&text, "profile_fastl4 { name: \"short\" idle_timeout: ", config.idle_timeout,
                  " udp_idle_timeout: ", config.idle_timeout, " }\n");
  return text;
}

std::string Profiles(const PairConfig& config) {
  const std::string across = config.across_services ? " match_across_services: true" : "";
  const auto hash = [&config](const char* name, const char* fields) {
    return absl::StrCat("profile_persistence { name: \"", name,
                        "\" type: HASH mirror: ", config.hash_mirrored ? "true" : "false",
                        " timeout: ", config.hash_timeout, " hash_fields: [", fields, "] }\n");
  };
  return absl::StrCat(
      "profile_persistence { name: \"by-source\" mirror: true timeout: ", config.source_timeout,
      across, " }\n", "profile_persistence { name: \"", kUnmirroredProfile,
      "\" timeout: ", config.source_timeout, " }\n",
      hash("by-hash", "HASH_SOURCE_ADDRESS, HASH_DESTINATION_PORT"),
      "profile_persistence { name: \"by-payload\" type: HASH mirror: true timeout: ",
      config.hash_timeout,
      " hash_fields: [HASH_PAYLOAD, HASH_SOURCE_ADDRESS] hash_offset: 3 hash_length: 1 }\n");
}

std::string MirroringText(const PairConfig& config, unsigned device) {
  return absl::StrCat(
      "mirroring { device: \"m\" mtu: ", config.mtu, " address: \"10.255.0.", device + 1,
      "/24\" peer: \"10.255.0.", 2 - device, "\" unit_id: ", device + 1,
      config.authenticated ? " key: \"" + std::string(64, '5') + "\"" : " authentication: NONE",
      " }\n");
}

std::string Pools(const PairConfig& config) {
  const std::string state = config.second_disabled ? " state: DISABLED" : "";
  const std::string third =
      config.has_third_member ? absl::StrCat("member { address: \"", kThirdMember, "\" port: 80 }")
                              : "";
  return absl::StrCat(
      "pool { name: \"p\" member { address: \"10.0.20.11\" port: 80 } member { address: "
      "\"10.0.20.12\" port: 80",
      state, " } ", third, " }\n",
      "pool { name: \"any\" member { address: \"10.0.20.11\" } member { address: \"10.0.20.12\" } "
      "}\n"
      "pool { name: \"six\" member { address: \"2001:db8:20::11\" port: 80 } member { address: "
      "\"2001:db8:20::12\" port: 80 } }\n");
}

std::string VirtualEntry(const PairConfig& config, unsigned index) {
  const VirtualText& one = kVirtuals[index];
  const auto has = [index](uint32_t bits) { return (bits >> index & 1) != 0; };
  const bool is_mirrored = has(config.mirrored);
  std::string rest = one.rest;
  if (has(config.strict)) absl::StrAppend(&rest, " mirror_commit: STRICT");
  if (has(config.bounded) && !has(config.strict)) absl::StrAppend(&rest, " mirror_commit: BOUNDED");
  if (has(config.persistent)) absl::StrAppend(&rest, " persistence: \"", one.persistence, "\"");
  return absl::StrCat("virtual { name: \"", one.name, "\" destination: \"", one.destination,
                      "\" traffic_group: \"", kGroupNames[one.group], "\" profile: \"short\" ",
                      is_mirrored ? "mirror: true " : "",
                      is_mirrored && config.at_syn ? "mirror_at: SYN " : "", rest, " }\n");
}

}  // namespace

std::string TextOf(const PairConfig& config, unsigned device) {
  std::string text = Network(config, device) + MirroringText(config, device);
  // Numbers follow the order; the devices' differ.
  absl::StrAppend(&text, Pools(config), Profiles(config));
  for (unsigned i = 0; i < kVirtualCount; ++i) {
    const unsigned index = device == 0 ? i : kVirtualCount - 1 - i;
    if ((config.virtuals >> index & 1) != 0) absl::StrAppend(&text, VirtualEntry(config, index));
  }
  return text;
}

bool Serves(const PairConfig& config, const LanService& service, const IpAddress& server) {
  for (unsigned i = 0; i < kVirtualCount; ++i) {
    if (service.name == kVirtuals[i].name && (config.virtuals >> i & 1) == 0) return false;
  }
  return config.has_third_member || server != test::Ip(kThirdMember);
}

std::vector<LanService> PairServices() {
  std::vector<LanService> services;
  for (const VirtualText& one : kVirtuals)
    services.push_back({one.name, {test::Ip(one.address), one.port}, one.protocol, one.group});
  return services;
}

std::vector<std::string> PairClients() {
  return {"192.0.2.10", "192.0.2.11", "192.0.2.12", "2001:db8:1::10", "2001:db8:1::11"};
}

std::vector<test::Host> PairHosts() {
  const auto mac = [](uint8_t last) { return MacAddress{2, 0, 0, 0, 0, last}; };
  return {{.name = "client", .port = "1.1", .mac = mac(0x0c), .addresses = PairClients()},
          {.name = "s1",
           .port = "1.2",
           .mac = mac(0x11),
           .addresses = {"10.0.20.11", "2001:db8:20::11"}},
          {.name = "s2",
           .port = "1.2",
           .mac = mac(0x12),
           .addresses = {"10.0.20.12", "2001:db8:20::12"}},
          {.name = "s3", .port = "1.2", .mac = mac(0x13), .addresses = {kThirdMember}}};
}

}  // namespace tandem::sim
