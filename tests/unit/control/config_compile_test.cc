// SPDX-License-Identifier: Apache-2.0
#include "control/config_compile.h"

#include <netinet/in.h>

#include <catch2/catch.hpp>

#include "control/config_load.h"
#include "control/text.h"
#include "dataplane/lb/maglev.h"

namespace tandem::control {
namespace {

constexpr MacAddress kMac0 = {2, 0, 0, 0, 0, 0x10};
constexpr MacAddress kMac1 = {2, 0, 0, 0, 0, 0x11};

int tables_made = 0;  // since the start of the process

const RouteTableFactory kLinear = [](std::vector<config::Route> routes)
    -> absl::StatusOr<std::shared_ptr<const config::RouteTable>> {
  ++tables_made;
  return std::make_shared<const config::LinearRoutes>(std::move(routes));
};

Document Loaded(const std::string& text) {
  auto document = LoadConfigText(text, "t");
  INFO(document.status().ToString());
  REQUIRE(document.ok());
  return *std::move(document);
}

config::v1::Config Parsed(const std::string& text) {
  return Loaded(text).config();
}

// What a daemon keeps between reloads.
struct Device {
  std::vector<PortFacts> ports = {{"p0", kMac0, 1500}, {"p1", kMac1, 9000}};
  ConfigIds ids;
  std::unique_ptr<config::Snapshot> snapshot;
  absl::flat_hash_map<std::string, bool> members_up;

  absl::Status Try(const config::v1::Config& config) {
    auto compiled = Compile({.config = config,
                             .ids = ids,
                             .ports = ports,
                             .make_routes = kLinear,
                             .previous = snapshot.get(),
                             .members_up = &members_up});
    if (!compiled.ok()) return compiled.status();
    snapshot = std::move(compiled->snapshot);
    ids = std::move(compiled->ids);
    return absl::OkStatus();
  }

  const config::Snapshot& Apply(const std::string& text) {
    const absl::Status status = Try(Parsed(text));
    INFO(status.ToString());
    REQUIRE(status.ok());
    return *snapshot;
  }

  const config::Virtual& Virtual(std::string_view name) const {
    return snapshot->virtuals.at(ids.virtuals.Find(name));
  }
  const config::Pool& Pool(std::string_view name) const {
    return snapshot->pools.at(ids.pools.Find(name));
  }
  const config::Member& Member(std::string_view key) const {
    return snapshot->members.at(ids.members.Find(key));
  }
};

constexpr char kSmallest[] = R"(
  port { name: "p0" device: "net_null0" }
  port { name: "p1" device: "net_null1" mtu: 9000 promiscuous: true }
  vlan { name: "out" port: "p0" facing: CLIENT }
  vlan { name: "in" port: "p1" tag: 20 mtu: 1400 facing: SERVER }
  vlan { name: "in9" port: "p1" tag: 21 }
  traffic_group { name: "tg1" mac: "02:00:5e:00:00:01" }
  traffic_group { name: "tg2" announce_refresh: 60 }
  limits { announce_rate: 500 }
  self_ip { name: "f" address: "10.0.0.3/24" vlan: "in" traffic_group: "tg1" }
  self_ip { name: "a" address: "192.0.2.2/24" vlan: "out" }
  self_ip { name: "b" address: "10.0.0.2/24" vlan: "in" }
  self_ip { name: "c" address: "2001:db8::2/64" vlan: "in" }
  route { name: "default" network: "default" gateway: "192.0.2.1" }
  route { name: "deep" network: "10.9.0.0/16" gateway: "10.0.0.1" }
  route { name: "six" network: "default" gateway: "2001:db8::1" }
  snat_pool { name: "s0" members: "192.0.2.80" }
  snat_pool { name: "s1" members: ["10.0.0.80", "2001:db8::80"] }
  profile_fastl4 {
    name: "odd" idle_timeout: -1 udp_idle_timeout: 0 tcp_handshake_timeout: 7
    tcp_close_timeout: 8 tcp_time_wait_timeout: 1500 reset_on_timeout: false loose_close: true
  }
  pool {
    name: "web"
    member { address: "10.0.0.11" port: 80 ratio: 3 connection_limit: 9 }
    member { address: "10.0.0.12" port: 80 state: DISABLED }
    member { address: "10.0.0.13" port: 80 state: FORCED_OFFLINE }
    member { address: "10.0.0.14" }
  }
  pool {
    name: "six" load_balancing_mode: MAGLEV_FIVE_TUPLE
    member { address: "2001:db8::11" port: 53 }
  }
  virtual { name: "plain" destination: "192.0.2.10:80" pool: "web" }
  virtual {
    name: "all" destination: "[2001:db8:1::/48]:any" ip_protocol: UDP source: "2001:db8:2::/48"
    vlans: "out" enabled: false pool: "six" profile: "odd" translate_port: false
    source_address_translation { type: SNAT pool: "s1" } source_port: CHANGE auto_last_hop: false
    connection_limit: 7 no_flow_action: LOOSE_INITIATION traffic_group: "tg2"
  }
  virtual { name: "fwd" type: FORWARDING_IP destination: "any:any" vlans: "out" vlans_disabled: true }
  virtual { name: "no" type: REJECT destination: "192.0.2.0/24:any" ip_protocol: TCP no_flow_action: DROP }
)";

TEST_CASE("config compile: ports take what the device knows of them", "[config]") {
  Device device;
  device.ports = {{"p1", kMac1, 4000}, {"p0", kMac0, 0}};
  const config::Snapshot& snapshot = device.Apply(kSmallest);
  REQUIRE(snapshot.ports.size() == 2);
  CHECK(snapshot.ports[0].name == "p1");
  CHECK(snapshot.ports[0].mac == kMac1);
  CHECK(snapshot.ports[0].mtu == 4000);
  CHECK(snapshot.ports[0].promiscuous);
  CHECK(snapshot.ports[1].mtu == 1500);
  CHECK_FALSE(snapshot.ports[1].promiscuous);
  const auto& in9 = snapshot.interfaces[device.ids.interfaces.Find("in9")];
  CHECK(in9.port == 0);
  CHECK(in9.mtu == 4000);
}

TEST_CASE("config compile: a port that the device lacks is an error", "[config]") {
  Device device;
  device.ports = {{"p0", kMac0, 1500}};
  CHECK(device.Try(Parsed(kSmallest)).message() ==
        "port 'p1': the running device has no such port");
  device.ports = {{"p0", kMac0, 1500}, {"p1", kMac1, 1500}, {"p2", kMac1, 1500}};
  CHECK(device.Try(Parsed(kSmallest)).message() ==
        "the running device has 3 ports, the configuration 2");
}

TEST_CASE("config compile: interfaces and traffic groups", "[config]") {
  Device device;
  const config::Snapshot& snapshot = device.Apply(kSmallest);
  const auto& out = snapshot.interfaces[device.ids.interfaces.Find("out")];
  const auto& in = snapshot.interfaces[device.ids.interfaces.Find("in")];
  CHECK(out.port == 0);
  CHECK(out.vlan == 0);
  CHECK(out.mtu == 1500);
  CHECK(out.mac == kMac0);
  CHECK(out.facing == config::Facing::kClient);
  CHECK(in.port == 1);
  CHECK(in.vlan == 20);
  CHECK(in.mtu == 1400);
  CHECK(in.facing == config::Facing::kServer);
  // Non-floating first, though the floating one is written first.
  REQUIRE(in.self_ips.size() == 3);
  CHECK(in.self_ips[0].ToString() == "10.0.0.2/24");
  CHECK(in.self_ips[2].ToString() == "10.0.0.3/24");
  CHECK(snapshot.InterfaceOf(1, 20) == in.id);

  const auto tg1 = device.ids.traffic_groups.Find("tg1");
  CHECK(snapshot.traffic_groups[tg1].has_mac);
  CHECK(snapshot.traffic_groups[tg1].mac == MacAddress{2, 0, 0x5e, 0, 0, 1});
  CHECK_FALSE(snapshot.traffic_groups[device.ids.traffic_groups.Find("tg2")].has_mac);
  const auto* floating = snapshot.addresses.Find(*IpAddress::Parse("10.0.0.3"));
  REQUIRE(floating != nullptr);
  CHECK(floating->traffic_group == tg1);
  CHECK(floating->interface == in.id);
  CHECK(floating->roles == config::kSelfIp);
  const auto* fixed = snapshot.addresses.Find(*IpAddress::Parse("10.0.0.2"));
  REQUIRE(fixed != nullptr);
  CHECK(fixed->traffic_group == 0);
  CHECK(snapshot.addresses.Find(*IpAddress::Parse("192.0.2.10"))->roles == config::kVirtualAddress);
  CHECK(snapshot.announce_rate_max == 500);
  CHECK(snapshot.traffic_groups[tg1].announce_refresh == 0);
  CHECK(snapshot.traffic_groups[device.ids.traffic_groups.Find("tg2")].announce_refresh ==
        60 * kSecond);
  CHECK(snapshot.announcements.NewestOf(static_cast<config::TrafficGroupId>(tg1)) ==
        snapshot.generation);
}

TEST_CASE("config compile: connected networks and gateways become routes", "[config]") {
  Device device;
  const config::Snapshot& snapshot = device.Apply(kSmallest);
  const auto out = device.ids.interfaces.Find("out");
  const auto in = device.ids.interfaces.Find("in");
  CHECK(snapshot.routes->routes().size() == 6);
  const auto expect = [&](const char* destination, config::InterfaceId interface,
                          const char* gateway) {
    INFO(destination);
    const config::Route* route = snapshot.routes->Lookup(*IpAddress::Parse(destination));
    REQUIRE(route != nullptr);
    CHECK(route->interface == interface);
    CHECK(route->gateway == (gateway == nullptr ? IpAddress() : *IpAddress::Parse(gateway)));
  };
  expect("10.0.0.77", in, nullptr);
  expect("192.0.2.77", out, nullptr);
  expect("10.9.1.1", in, "10.0.0.1");
  expect("8.8.8.8", out, "192.0.2.1");
  expect("2001:db8::77", in, nullptr);
  expect("2a00::1", in, "2001:db8::1");
}

TEST_CASE("config compile: pools and members", "[config]") {
  Device device;
  device.members_up = {{"web/10.0.0.14:any", false}};
  const config::Snapshot& snapshot = device.Apply(kSmallest);
  const config::Pool& web = device.Pool("web");
  CHECK(web.balancing == config::Balancing::kRoundRobin);
  REQUIRE(web.members.size() == 4);
  CHECK(web.available == std::vector{device.Member("web/10.0.0.11:80").id});
  const config::Member& first = device.Member("web/10.0.0.11:80");
  CHECK(first.name == "10.0.0.11:80");
  CHECK(first.pool == web.id);
  CHECK(first.address == *IpAddress::Parse("10.0.0.11"));
  CHECK(first.port == 80);
  CHECK(first.ratio == 3);
  CHECK(first.connection_limit == 9);
  CHECK(first.up);
  CHECK(device.Member("web/10.0.0.12:80").state == config::MemberState::kDisabled);
  CHECK(device.Member("web/10.0.0.13:80").state == config::MemberState::kForcedOffline);
  CHECK(device.Member("web/10.0.0.14:any").port == 0);
  CHECK_FALSE(device.Member("web/10.0.0.14:any").up);
  const config::Pool& six = device.Pool("six");
  CHECK(six.balancing == config::Balancing::kMaglevFiveTuple);
  CHECK(six.maglev.size() == lb::MaglevSize(1));
  CHECK(snapshot.FindPool(six.id) == &six);
}

TEST_CASE("config compile: a virtual with defaults", "[config]") {
  Device device;
  device.Apply(kSmallest);
  const config::Virtual& plain = device.Virtual("plain");
  CHECK(plain.name == "plain");
  CHECK(plain.type == config::VirtualType::kFastL4);
  CHECK(plain.enabled);
  CHECK(plain.destination.ToString() == "192.0.2.10/32");
  CHECK(plain.port == 80);
  CHECK(plain.protocol == 0);
  CHECK(plain.source.ToString() == "0.0.0.0/0");
  CHECK(plain.interfaces.empty());
  CHECK(plain.pool == device.Pool("web").id);
  CHECK(plain.translate_address);
  CHECK(plain.translate_port);
  CHECK(plain.snat == config::SnatKind::kNone);
  CHECK(plain.source_port == config::SourcePort::kPreserve);
  CHECK(plain.auto_last_hop);
  CHECK(plain.no_flow == config::NoFlowAction::kReset);
  CHECK(plain.connection_limit == 0);
  CHECK(plain.traffic_group == 0);
  // The schema's defaults and the dataplane's are the same.
  const config::FastL4 defaults;
  CHECK(plain.profile.idle_timeout == defaults.idle_timeout);
  CHECK(plain.profile.udp_idle_timeout == defaults.udp_idle_timeout);
  CHECK(plain.profile.tcp_handshake_timeout == defaults.tcp_handshake_timeout);
  CHECK(plain.profile.tcp_close_timeout == defaults.tcp_close_timeout);
  CHECK(plain.profile.tcp_time_wait_timeout == defaults.tcp_time_wait_timeout);
  CHECK(plain.profile.reset_on_timeout == defaults.reset_on_timeout);
  CHECK(plain.profile.loose_close == defaults.loose_close);
  CHECK(device.snapshot->reset_rate_max == config::Snapshot().reset_rate_max);
}

TEST_CASE("config compile: a virtual with everything set", "[config]") {
  Device device;
  const config::Snapshot& snapshot = device.Apply(kSmallest);
  const config::Virtual& all = device.Virtual("all");
  CHECK_FALSE(all.enabled);
  CHECK(all.destination.ToString() == "2001:db8:1::/48");
  CHECK(all.port == 0);
  CHECK(all.protocol == IPPROTO_UDP);
  CHECK(all.source.ToString() == "2001:db8:2::/48");
  CHECK(all.ListensOn(device.ids.interfaces.Find("out")));
  CHECK_FALSE(all.ListensOn(device.ids.interfaces.Find("in")));
  CHECK(all.translate_address);
  CHECK_FALSE(all.translate_port);
  CHECK(all.snat == config::SnatKind::kPool);
  CHECK(snapshot.snat_pools.at(all.snat_pool).name == "s1");
  CHECK(snapshot.snat_pools.at(all.snat_pool).addresses.size() == 2);
  CHECK(all.source_port == config::SourcePort::kChange);
  CHECK_FALSE(all.auto_last_hop);
  CHECK(all.connection_limit == 7);
  CHECK(all.no_flow == config::NoFlowAction::kLooseInitiation);
  CHECK(all.traffic_group == device.ids.traffic_groups.Find("tg2"));
  CHECK(all.profile.idle_timeout == config::kIndefinite);
  CHECK(all.profile.udp_idle_timeout == 0);
  CHECK(all.profile.tcp_handshake_timeout == TicksIn(7 * kSecond));
  CHECK(all.profile.tcp_close_timeout == TicksIn(8 * kSecond));
  CHECK(all.profile.tcp_time_wait_timeout == TicksIn(1500 * kMillisecond));
  CHECK_FALSE(all.profile.reset_on_timeout);
  CHECK(all.profile.loose_close);

  const config::Virtual& fwd = device.Virtual("fwd");
  CHECK(fwd.type == config::VirtualType::kForwardIp);
  CHECK_FALSE(fwd.translate_address);
  CHECK_FALSE(fwd.translate_port);
  CHECK_FALSE(fwd.ListensOn(device.ids.interfaces.Find("out")));
  CHECK(fwd.ListensOn(device.ids.interfaces.Find("in")));
  CHECK(fwd.ListensOn(device.ids.interfaces.Find("in9")));
  const config::Virtual& no = device.Virtual("no");
  CHECK(no.type == config::VirtualType::kReject);
  CHECK(no.no_flow == config::NoFlowAction::kDrop);
  CHECK(no.protocol == IPPROTO_TCP);
}

std::string WithPools(const std::vector<std::string>& names) {
  std::string text = kSmallest;
  for (const std::string& name : names)
    text += Cat("pool { name: \"", name, "\" member { address: \"10.0.0.50\" port: 1 } }\n");
  return text;
}

TEST_CASE("config compile: ids stay with their names over reloads", "[config]") {
  Device device;
  device.Apply(WithPools({"x", "y", "z"}));
  const auto x = device.ids.pools.Find("x");
  const auto y = device.ids.pools.Find("y");
  const auto z = device.ids.pools.Find("z");
  const auto member = device.ids.members.Find("z/10.0.0.50:1");
  CHECK(device.snapshot->generation == 1);

  device.Apply(WithPools({"new", "z", "x"}));
  CHECK(device.ids.pools.Find("x") == x);
  CHECK(device.ids.pools.Find("z") == z);
  CHECK(device.ids.pools.Find("y") == 0);
  CHECK(device.ids.members.Find("z/10.0.0.50:1") == member);
  CHECK(device.ids.pools.Find("new") != y);  // flows may still have it
  CHECK(device.ids.pools.retired().contains(y));
  CHECK(device.snapshot->FindPool(y) == nullptr);
  CHECK(device.snapshot->FindPool(x)->name == "x");
  CHECK(device.snapshot->generation == 2);

  // It comes back before its flows are gone: another pool, by another id.
  device.Apply(WithPools({"z", "y", "x"}));
  CHECK(device.ids.pools.Find("y") != y);
  device.ids.pools.Released({y, x});  // x is in use, so that is ignored
  device.Apply(WithPools({"z", "y", "x", "late"}));
  CHECK(device.ids.pools.Find("late") == y);
  CHECK(device.ids.pools.Find("x") == x);
}

TEST_CASE("config compile: ids that run out are an error that changes nothing", "[config]") {
  IdSpace space("virtual", 2);
  REQUIRE(space.Assign({"a", "b"}).ok());
  REQUIRE(space.Assign({"b"}).ok());
  CHECK(space.Assign({"b", "c"}).message() ==
        "virtual 'c': none of 2 ids is free; 1 removed ones still have flows, try again when those "
        "have ended");
  CHECK(space.Find("b") == 2);
  CHECK(space.Find("c") == 0);
  space.Released({1});
  REQUIRE(space.Assign({"b", "c"}).ok());
  CHECK(space.Find("c") == 1);
}

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST_CASE("config compile: the route generation counts changes of routes and self IPs",
          "[config]") {
  Device device;
  device.Apply(kSmallest);
  CHECK(device.snapshot->route_generation == 1);
  const auto routes = device.snapshot->routes;
  const auto steering = device.snapshot->steering;
  const int made = tables_made;

  device.Apply(WithPools({"x"}));
  CHECK(device.snapshot->route_generation == 1);
  CHECK(device.snapshot->routes == routes);
  CHECK(device.snapshot->steering == steering);
  CHECK(tables_made == made);

  // A second self IP on a known network changes no route.
  const std::string with_self_ip =
      Cat(kSmallest, "self_ip { name: \"d\" address: \"10.0.0.4/24\" vlan: \"in\" }");
  device.Apply(with_self_ip);
  CHECK(device.snapshot->route_generation == 2);
  CHECK(device.snapshot->routes == routes);

  device.Apply(Replaced(with_self_ip, "10.9.0.0/16", "10.8.0.0/16"));
  CHECK(device.snapshot->route_generation == 3);
  CHECK(device.snapshot->routes != routes);
  CHECK(tables_made == made + 1);
}

TEST_CASE("config compile: a route table that cannot be made is an error", "[config]") {
  const RouteTableFactory fails =
      [](std::vector<config::Route>) -> absl::StatusOr<std::shared_ptr<const config::RouteTable>> {
    return absl::ResourceExhaustedError("no memory for routes");
  };
  const config::v1::Config config = Parsed(kSmallest);
  const Device device;
  const auto compiled =
      Compile({.config = config, .ids = device.ids, .ports = device.ports, .make_routes = fails});
  CHECK(compiled.status().message() == "no memory for routes");
}

TEST_CASE("config compile: what a running device cannot change is named", "[config]") {
  const auto running = Parsed(kSmallest);
  CHECK(CheckReloadable(running, Loaded(WithPools({"x"}))).ok());
  // A default that is written down is no difference.
  CHECK(CheckReloadable(running, Loaded(Cat(kSmallest, "device { workers: 1 poll_mode: AUTO }")))
            .ok());
  const std::string text =
      Replaced(Replaced(kSmallest, "\"net_null1\" mtu: 9000", "\"net_null2\" mtu: 9001"), "p0\"",
               "p0\" rx_descriptors: 64");
  CHECK(CheckReloadable(running, Loaded(Cat(text, R"(
          device { workers: 2 eal_args: ["-x", "-y"] }
          port { name: "p2" device: "net_null9" })")))
            .message() ==
        "t:2:21: port 'p0': rx_descriptors: 1024 cannot become 64 while running; restart required\n"
        "t:3:21: port 'p1': device: \"net_null1\" cannot become \"net_null2\" while running; "
        "restart required\n"
        "t:3:41: port 'p1': mtu: 9000 cannot become 9001 while running; restart required\n"
        "t:44:20: device: workers: 1 cannot become 2 while running; restart required\n"
        "t:44:31: device: eal_args: [] cannot become [\"-x\", \"-y\"] while running; restart "
        "required\n"
        "t:45:11: port 'p2': cannot be added while running; restart required");
  CHECK(CheckReloadable(Parsed("port { name: \"p0\" device: \"net_null0\" }"), Loaded(""))
            .message() == "t: port 'p0': cannot be removed while running; restart required");
}

}  // namespace
}  // namespace tandem::control
