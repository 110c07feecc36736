// SPDX-License-Identifier: Apache-2.0
//
// Random configurations, valid by construction: they load, print and load again, compile, and keep
// their ids over a chain of reloads.
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "control/config_compile.h"
#include "control/config_edit.h"
#include "control/config_load.h"
#include "control/text.h"
#include "dataplane/base/prng.h"

namespace tandem::control {
namespace {

namespace v1 = config::v1;

constexpr uint32_t kVlans = 6;

class Generator {
 public:
  explicit Generator(uint64_t seed) : prng_(seed) {}

  v1::Config Next() {
    v1::Config config;
    Network(config);
    for (uint32_t i = 0; i < 12; ++i) {
      if (Maybe()) Pool(config, i);
    }
    for (uint32_t i = 0; i < 20; ++i) {
      if (Maybe()) Virtual(config, i);
    }
    Shuffle(*config.mutable_pool());
    Shuffle(*config.mutable_virtual_());
    Shuffle(*config.mutable_vlan());
    return config;
  }

 private:
  bool Maybe() { return prng_.Below(2) == 0; }

  template <class Objects>
  void Shuffle(Objects& objects) {
    for (int i = objects.size() - 1; i > 0; --i) {
      objects.SwapElements(i, static_cast<int>(prng_.Below(static_cast<uint32_t>(i) + 1)));
    }
  }

  // VLAN i has 10.i.0.0/24 and 2001:db8:i::/64; the first ones always exist.
  void Network(v1::Config& config) {
    for (const char* name : {"p0", "p1"}) {
      v1::Port& port = *config.add_port();
      port.set_name(name);
      port.set_device(Cat("net_null_", name));
    }
    config.mutable_device()->set_workers(2);
    config.add_traffic_group()->set_name("tg");
    for (uint32_t i = 0; i < kVlans; ++i) {
      if (i >= 2 && Maybe()) continue;
      v1::Vlan& vlan = *config.add_vlan();
      vlan.set_name(Cat("vlan", i));
      vlan.set_port(i % 2 == 0 ? "p0" : "p1");
      vlan.set_tag(i);
      SelfIp(config, i, Cat("10.", i, ".0.1/24"), "four");
      SelfIp(config, i, Cat("2001:db8:", i, "::1/64"), "six");
    }
    if (Maybe()) Route(config, "default4", "default", "10.0.0.254");
    if (Maybe()) Route(config, "default6", "default", "2001:db8:1::fe");
    if (Maybe()) Route(config, "inner", "172.16.0.0/12", "10.1.0.254");
    v1::SnatPool& snat = *config.add_snat_pool();
    snat.set_name("snat");
    snat.add_members("10.0.0.99");
    snat.add_members("2001:db8::99");
    if (Maybe()) snat.set_traffic_group("tg");
    if (Maybe()) Mirroring(*config.mutable_mirroring());
    for (const char* name : {"first", "second"}) {
      if (Maybe()) Persistence(*config.add_profile_persistence(), name);
    }
  }

  void Mirroring(v1::Mirroring& mirroring) {
    mirroring.set_device("net_null_mirror");
    mirroring.set_address("10.255.0.1/24");
    mirroring.set_peer("10.255.0.2");
    mirroring.set_unit_id(1 + prng_.Below(2));
    mirroring.set_authentication(v1::Mirroring::NONE);
    if (Maybe()) mirroring.set_mtu(1280 + prng_.Below(9216 - 1280 + 1));
  }

  void Persistence(v1::PersistenceProfile& profile, const char* name) {
    profile.set_name(name);
    profile.set_type(static_cast<v1::PersistenceProfile::Type>(
        prng_.Below(v1::PersistenceProfile::Type_ARRAYSIZE)));
    if (profile.type() == v1::PersistenceProfile::HASH) {
      profile.add_hash_fields(v1::PersistenceProfile::HASH_SOURCE_PORT);
    } else if (Maybe()) {
      profile.set_mask(prng_.Below(33));
    }
    if (Maybe()) {
      profile.set_hash_algorithm(v1::PersistenceProfile::CARP);
    } else {
      profile.set_mirror(Maybe());
      if (Maybe()) profile.set_timeout(-1);
    }
  }

  void SelfIp(v1::Config& config, uint32_t vlan, const std::string& address, const char* name) {
    v1::SelfIp& self_ip = *config.add_self_ip();
    self_ip.set_name(Cat(name, vlan));
    self_ip.set_address(address);
    self_ip.set_vlan(Cat("vlan", vlan));
    if (Maybe()) self_ip.set_traffic_group("tg");
  }

  static void Route(v1::Config& config, const char* name, const char* network,
                    const char* gateway) {
    v1::Route& route = *config.add_route();
    route.set_name(name);
    route.set_network(network);
    route.set_gateway(gateway);
  }

  // Even pools are IPv4, odd ones IPv6.
  void Pool(v1::Config& config, uint32_t number) {
    v1::Pool& pool = *config.add_pool();
    pool.set_name(Cat("pool", number));
    pool.set_load_balancing_mode(static_cast<v1::Pool::LoadBalancingMode>(
        prng_.Below(v1::Pool::LoadBalancingMode_ARRAYSIZE)));
    for (uint32_t i = 0; i < 5; ++i) {
      if (i > 0 && Maybe()) continue;
      v1::Pool::Member& member = *pool.add_member();
      member.set_address(number % 2 == 0 ? Cat("10.0.0.", 10 + i) : Cat("2001:db8::", 10 + i));
      if (Maybe()) member.set_port(prng_.Below(65536));
      if (Maybe()) member.set_ratio(1 + prng_.Below(100));
      if (Maybe()) member.set_connection_limit(prng_.Below(1000));
      member.set_state(
          static_cast<v1::Pool::Member::State>(prng_.Below(v1::Pool::Member::State_ARRAYSIZE)));
    }
  }

  std::string PoolOf(const v1::Config& config, bool v4) {
    for (const v1::Pool& pool : config.pool()) {
      if ((pool.member(0).address().find(':') == std::string::npos) == v4) return pool.name();
    }
    return "";
  }

  // Virtual i has port 1000 + i, so that no two are the same.
  void Virtual(v1::Config& config, uint32_t number) {
    const bool v4 = Maybe();
    const std::string pool = PoolOf(config, v4);
    v1::Virtual& virtual_server = *config.add_virtual_();
    virtual_server.set_name(Cat("virtual", number));
    virtual_server.set_destination(
        Cat(Maybe() ? (v4 ? "192.0.2.1" : "[2001:db8:ff::1]") : (v4 ? "any" : "[2001:db8::/32]"),
            ":", 1000 + number));
    virtual_server.set_type(Maybe() ? v1::Virtual::REJECT : v1::Virtual::FORWARDING_IP);
    if (!pool.empty()) {
      virtual_server.set_type(v1::Virtual::FASTL4);
      virtual_server.set_pool(pool);
      if (Maybe()) virtual_server.set_translate_address(false);
      if (config.profile_persistence_size() > 0 && Maybe()) {
        virtual_server.set_persistence(config.profile_persistence(0).name());
      }
    }
    Mirror(config, virtual_server);
    if (virtual_server.translate_address()) Snat(virtual_server);
    for (const v1::Vlan& vlan : config.vlan()) {
      if (prng_.Below(4) == 0) virtual_server.add_vlans(vlan.name());
    }
    if (Maybe()) virtual_server.set_vlans_disabled(Maybe());
    if (Maybe()) virtual_server.set_enabled(Maybe());
    virtual_server.set_ip_protocol(
        static_cast<v1::Virtual::Protocol>(prng_.Below(v1::Virtual::Protocol_ARRAYSIZE)));
  }

  // Virtuals of one address have one traffic group, and that is its SNAT pool's, too.
  void Mirror(const v1::Config& config, v1::Virtual& virtual_server) {
    if (!config.snat_pool(0).has_traffic_group()) return;
    virtual_server.set_traffic_group("tg");
    if (virtual_server.type() != v1::Virtual::REJECT) virtual_server.set_mirror(Maybe());
    if (Maybe()) {
      virtual_server.set_mirror_at(v1::Virtual::SYN);
    } else {
      virtual_server.set_mirror_after_packets(prng_.Below(256));
      virtual_server.set_mirror_after_seconds(prng_.Below(100));
    }
  }

  void Snat(v1::Virtual& virtual_server) {
    auto& snat = *virtual_server.mutable_source_address_translation();
    snat.set_type(static_cast<v1::SourceAddressTranslation::Type>(
        prng_.Below(v1::SourceAddressTranslation::Type_ARRAYSIZE)));
    if (snat.type() == v1::SourceAddressTranslation::SNAT) snat.set_pool("snat");
  }

  Prng prng_;
};

absl::StatusOr<std::shared_ptr<const config::RouteTable>> MakeRoutes(
    std::vector<config::Route> routes) {
  return std::make_shared<const config::LinearRoutes>(std::move(routes));
}

// Every name's id is right in the snapshot, as it was before when the name was there before, and
// not one that a removed name might still need.
void CheckIds(const v1::Config& config, const Compiled& compiled,
              std::map<std::string, uint16_t>& ids_before) {
  std::map<std::string, uint16_t> ids;
  std::set<uint16_t> used;
  for (const v1::Virtual& each : config.virtual_()) {
    const uint16_t id = compiled.ids.virtuals.Find(each.name());
    const config::Virtual* found = compiled.snapshot->FindVirtual(id);
    REQUIRE(found != nullptr);
    CHECK(found->name == each.name());
    CHECK(found->id == id);
    CHECK(used.insert(id).second);
    CHECK_FALSE(compiled.ids.virtuals.retired().contains(id));
    const auto before = ids_before.find(each.name());
    if (before != ids_before.end()) CHECK(before->second == id);
    ids[each.name()] = id;
  }
  size_t holes = 0;
  for (const config::Virtual& each : compiled.snapshot->virtuals)
    holes += each.id == 0 ? size_t{1} : size_t{0};
  CHECK(compiled.snapshot->virtuals.size() - holes == used.size());
  ids_before = ids;
}

void CheckPools(const v1::Config& config, const Compiled& compiled) {
  for (const v1::Pool& each : config.pool()) {
    const config::Pool* pool = compiled.snapshot->FindPool(compiled.ids.pools.Find(each.name()));
    REQUIRE(pool != nullptr);
    size_t available = 0;
    for (int i = 0; i < each.member_size(); ++i) {
      const config::Member* member =
          compiled.snapshot->FindMember(pool->members.at(static_cast<size_t>(i)));
      REQUIRE(member != nullptr);
      CHECK(member->pool == pool->id);
      CHECK(member->name == MemberName(each.member(i)));
      available += member->accepts_new() ? size_t{1} : size_t{0};
    }
    CHECK(pool->available.size() == available);
  }
}

TEST_CASE("config: random valid configurations load, print, compile and reload", "[config]") {
  constexpr uint64_t kSeed = 20240612;
  INFO("seed " << kSeed);
  Generator generator(kSeed);
  Prng prng(kSeed);
  const std::vector<PortFacts> ports = {{.name = "p1"}, {.name = "p0"}};
  const RouteTableFactory make_routes = MakeRoutes;
  Compiled running;
  std::map<std::string, uint16_t> ids_before;
  for (int round = 0; round < 300; ++round) {
    const v1::Config config = generator.Next();
    INFO("round " << round << "\n" << config.DebugString());
    const auto document = LoadConfigText(PrintConfig(config, "random"), "f");
    INFO(document.status().ToString());
    REQUIRE(document.ok());
    REQUIRE(document->config().SerializeAsString() == config.SerializeAsString());
    auto compiled = Compile({.config = config,
                             .ids = running.ids,
                             .ports = ports,
                             .make_routes = make_routes,
                             .previous = running.snapshot.get()});
    REQUIRE(compiled.ok());
    CHECK(compiled->snapshot->generation == static_cast<uint64_t>(round) + 1);
    CheckIds(config, *compiled, ids_before);
    CheckPools(config, *compiled);
    running = *std::move(compiled);
    if (prng.Below(3) == 0) {
      const auto& retired = running.ids.virtuals.retired();
      running.ids.virtuals.Released({retired.begin(), retired.end()});
    }
  }
}

}  // namespace
}  // namespace tandem::control
