// SPDX-License-Identifier: Apache-2.0
#include "control/config_compile.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "control/config_compile_parts.h"
#include "control/config_endpoint.h"
#include "control/config_lcores.h"
#include "control/config_networks.h"
#include "control/config_report.h"
#include "control/text.h"
#include "dataplane/base/assert.h"
#include "dataplane/lb/maglev.h"

namespace tandem::control {
namespace {

namespace v1 = config::v1;

Endpoint MustEndpoint(std::string_view text) {
  const auto endpoint = ParseEndpoint(text);
  TANDEM_ASSERT(endpoint.ok());
  return *endpoint;
}

template <class Objects>
std::vector<std::string> NamesOf(const Objects& objects) {
  std::vector<std::string> names;
  names.reserve(static_cast<size_t>(objects.size()));
  for (const auto& object : objects)
    names.push_back(object.name());
  return names;
}

template <class Objects>
absl::flat_hash_map<std::string, int> IndexOf(const Objects& objects) {
  absl::flat_hash_map<std::string, int> index;
  for (int i = 0; i < objects.size(); ++i)
    index.emplace(objects[i].name(), i);
  return index;
}

absl::Status AssignIds(const v1::Config& config, ConfigIds& ids) {
  std::vector<std::string> members;
  for (const v1::Pool& pool : config.pool()) {
    for (const auto& member : pool.member())
      members.push_back(MemberKey(pool.name(), MemberName(member)));
  }
  absl::Status status = ids.virtuals.Assign(NamesOf(config.virtual_()));
  status.Update(ids.pools.Assign(NamesOf(config.pool())));
  status.Update(ids.members.Assign(members));
  status.Update(ids.interfaces.Assign(NamesOf(config.vlan())));
  status.Update(ids.traffic_groups.Assign(NamesOf(config.traffic_group())));
  status.Update(ids.persistences.Assign(NamesOf(config.profile_persistence())));
  return status;
}

class Compiler {
 public:
  Compiler(const CompileInput& input, const ConfigIds& ids, config::Snapshot& out)
      : input_(input), config_(input.config), ids_(ids), out_(out) {}

  absl::Status Run() {
    out_.generation = input_.previous == nullptr ? 1 : input_.previous->generation + 1;
    out_.reset_rate_max = config_.limits().reset_rate();
    out_.announce_rate_max = config_.limits().announce_rate();
    if (const absl::Status status = Ports(); !status.ok()) return status;
    TrafficGroups();
    Interfaces();
    SelfIps();
    SnatPools();
    Pools();
    Persistences();
    Virtuals();
    out_.mirroring = CompileMirroring(config_, input_.mirroring_key);
    out_.mirroring.failover_paths = CompileFailoverPaths(config_, out_.interfaces);
    out_.mirror_generation = MirrorGeneration(input_.previous, out_);
    Steer();
    if (const absl::Status status = Routes(); !status.ok()) return status;
    out_.Finish(input_.previous);
    return absl::OkStatus();
  }

 private:
  absl::Status Ports();
  void TrafficGroups();
  void Interfaces();
  void SelfIps();
  void SnatPools();
  std::string_view GroupOfFirstUser(std::string_view snat_pool) const;
  void Pools();
  void CompileMember(const v1::Pool& pool, const v1::Pool::Member& member, config::Pool& to);
  void Persistences();
  void Virtuals();
  void CompileVirtual(const v1::Virtual& from, config::Virtual& to) const;
  std::vector<bool> ListensOn(const v1::Virtual& from) const;
  void Steer();
  absl::Status Routes();
  bool SameInterfaces() const;

  config::InterfaceId InterfaceOf(std::string_view vlan) const {
    return ids_.interfaces.Find(vlan);
  }
  config::TrafficGroupId GroupOf(std::string_view name) const {
    return static_cast<config::TrafficGroupId>(ids_.traffic_groups.Find(name));
  }

  const CompileInput& input_;
  const v1::Config& config_;
  const ConfigIds& ids_;
  config::Snapshot& out_;
  absl::flat_hash_map<std::string, uint16_t> port_index_;
  std::map<std::string_view, const v1::Virtual*> snat_users_;  // the first one of each SNAT pool
};

absl::Status Compiler::Ports() {
  const auto configured = IndexOf(config_.port());
  for (const PortFacts& facts : input_.ports) {
    const auto found = configured.find(facts.name);
    if (found == configured.end()) continue;
    const v1::Port& port = config_.port(found->second);
    port_index_.emplace(facts.name, static_cast<uint16_t>(out_.ports.size()));
    out_.ports.push_back({.name = port.name(),
                          .mac = facts.mac,
                          .mtu = facts.mtu != 0 ? facts.mtu : static_cast<uint16_t>(port.mtu()),
                          .promiscuous = port.promiscuous()});
  }
  for (const v1::Port& port : config_.port()) {
    if (port_index_.contains(port.name())) continue;
    return absl::FailedPreconditionError(
        Cat("port ", Quote(port.name()), ": the running device has no such port"));
  }
  if (out_.ports.size() == input_.ports.size()) return absl::OkStatus();
  return absl::FailedPreconditionError(Cat("the running device has ", input_.ports.size(),
                                           " ports, the configuration ", out_.ports.size()));
}

void Compiler::TrafficGroups() {
  out_.traffic_groups.resize(size_t{ids_.traffic_groups.HighestUsed()} + 1);
  for (const v1::TrafficGroup& from : config_.traffic_group()) {
    const config::TrafficGroupId id = GroupOf(from.name());
    config::TrafficGroup& to = out_.traffic_groups[id];
    to.name = from.name();
    to.id = id;
    // Where devices decide it among themselves, none begins as the active one.
    to.role = config_.has_device_group() ? config::Role::kStandby : CompileRole(from.role());
    to.has_mac = from.has_mac();
    if (from.has_mac()) to.mac = Must(ParseMac(from.mac()));
    to.announce_refresh = Nanos{from.announce_refresh()} * kSecond;
  }
}

void Compiler::Interfaces() {
  out_.interfaces.resize(size_t{ids_.interfaces.HighestUsed()} + 1);
  for (const v1::Vlan& from : config_.vlan()) {
    const config::InterfaceId id = InterfaceOf(from.name());
    const uint16_t port = port_index_.at(from.port());
    const uint16_t port_mtu = out_.ports[port].mtu;
    const auto mtu = static_cast<uint16_t>(from.mtu());
    config::Interface& to = out_.interfaces[id];
    to.name = from.name();
    to.id = id;
    to.port = port;
    to.vlan = static_cast<uint16_t>(from.tag());
    to.mtu = mtu == 0 ? port_mtu : std::min(mtu, port_mtu);
    to.mac = out_.ports[port].mac;
    to.facing = CompileFacing(from.facing());
    to.is_watched = from.failsafe();
  }
}

void Compiler::SelfIps() {
  for (const bool floating : {false, true}) {
    for (const v1::SelfIp& from : config_.self_ip()) {
      if (from.has_traffic_group() != floating) continue;
      config::Interface& to = out_.interfaces[InterfaceOf(from.vlan())];
      to.self_ips.push_back(Must(ParseConfigPrefix(from.address())));
      if (floating) to.floating_groups.push_back(GroupOf(from.traffic_group()));
    }
  }
}

// Addresses that have no group of their own float with the virtual that uses them.
std::string_view Compiler::GroupOfFirstUser(std::string_view snat_pool) const {
  const auto user = snat_users_.find(snat_pool);
  return user == snat_users_.end() ? "" : std::string_view(user->second->traffic_group());
}

void Compiler::SnatPools() {
  for (const v1::Virtual& virtual_server : config_.virtual_()) {
    const v1::SourceAddressTranslation& snat = virtual_server.source_address_translation();
    if (snat.has_pool()) snat_users_.emplace(snat.pool(), &virtual_server);
  }
  for (const v1::SnatPool& from : config_.snat_pool()) {
    config::SnatPool& to = out_.snat_pools.emplace_back();
    to.name = from.name();
    to.mirror = from.mirror();
    to.traffic_group =
        GroupOf(from.has_traffic_group() ? from.traffic_group() : GroupOfFirstUser(from.name()));
    for (const std::string& address : from.members())
      to.addresses.push_back(Must(ParseConfigAddress(address)));
  }
}

void Compiler::CompileMember(const v1::Pool& pool, const v1::Pool::Member& member,
                             config::Pool& to) {
  const std::string name = MemberName(member);
  const std::string key = MemberKey(pool.name(), name);
  const config::MemberId id = ids_.members.Find(key);
  bool up = true;
  if (input_.members_up != nullptr) {
    const auto verdict = input_.members_up->find(key);
    if (verdict != input_.members_up->end()) up = verdict->second;
  }
  out_.members[id] = {.name = name,
                      .id = id,
                      .pool = to.id,
                      .address = Must(ParseConfigAddress(member.address())),
                      .port = static_cast<uint16_t>(member.port()),
                      .ratio = static_cast<uint16_t>(member.ratio()),
                      .connection_limit = member.connection_limit(),
                      .state = CompileState(member.state()),
                      .up = up};
  to.members.push_back(id);
}

void Compiler::Pools() {
  out_.pools.resize(size_t{ids_.pools.HighestUsed()} + 1);
  out_.members.resize(size_t{ids_.members.HighestUsed()} + 1);
  for (const v1::Pool& from : config_.pool()) {
    const config::PoolId id = ids_.pools.Find(from.name());
    config::Pool& to = out_.pools[id];
    to.name = from.name();
    to.id = id;
    to.balancing = CompileBalancing(from.load_balancing_mode());
    for (const auto& member : from.member())
      CompileMember(from, member, to);
    lb::FillMaglev(to, out_.members);
  }
}

std::vector<bool> Compiler::ListensOn(const v1::Virtual& from) const {
  if (from.vlans_size() == 0) return {};
  std::vector<bool> listens(out_.interfaces.size(), from.vlans_disabled());
  for (const std::string& vlan : from.vlans())
    listens[InterfaceOf(vlan)] = !from.vlans_disabled();
  return listens;
}

void Compiler::CompileVirtual(const v1::Virtual& from, config::Virtual& to) const {
  const Endpoint destination = MustEndpoint(from.destination());
  const bool translates = from.type() == v1::Virtual::FASTL4 && from.translate_address();
  to.name = from.name();
  to.type = CompileType(from.type());
  to.enabled = from.enabled();
  to.destination = destination.prefix;
  to.port = destination.port;
  to.protocol = CompileProtocol(from.ip_protocol());
  to.source = from.has_source() ? Must(ParseConfigPrefix(from.source()))
                                : Everything(destination.prefix.address.is_v4());
  to.interfaces = ListensOn(from);
  to.pool = from.has_pool() ? ids_.pools.Find(from.pool()) : config::PoolId{0};
  to.translate_address = translates;
  to.translate_port = translates && from.translate_port();
  to.snat = CompileSnat(from.source_address_translation().type());
  to.source_port = CompileSourcePort(from.source_port());
  to.auto_last_hop = from.auto_last_hop();
  to.no_flow = CompileNoFlow(from.no_flow_action());
  to.connection_limit = from.connection_limit();
  to.traffic_group = GroupOf(from.traffic_group());
  to.persistence = from.has_persistence() ? ids_.persistences.Find(from.persistence())
                                          : config::PersistenceId{0};
  to.mirror = from.mirror();
  to.mirror_at = CompileMirrorAt(from.mirror_at());
  to.mirror_after_packets = static_cast<uint8_t>(from.mirror_after_packets());
  to.mirror_after = Ticks(static_cast<int32_t>(from.mirror_after_seconds()), kSecond);
  to.mirror_commit = CompileMirrorCommit(from.mirror_commit());
  to.commit_timeout = Nanos{from.mirror_commit_timeout()} * 1000;
}

void Compiler::Persistences() {
  out_.persistences.resize(size_t{ids_.persistences.HighestUsed()} + 1);
  for (const v1::PersistenceProfile& from : config_.profile_persistence()) {
    const config::PersistenceId id = ids_.persistences.Find(from.name());
    out_.persistences[id] = CompilePersistence(from);
    out_.persistences[id].id = id;
  }
}

void Compiler::Virtuals() {
  const auto profiles = IndexOf(config_.profile_fastl4());
  const auto snat_pools = IndexOf(config_.snat_pool());
  out_.virtuals.resize(size_t{ids_.virtuals.HighestUsed()} + 1);
  for (const v1::Virtual& from : config_.virtual_()) {
    const config::VirtualId id = ids_.virtuals.Find(from.name());
    config::Virtual& to = out_.virtuals[id];
    to.id = id;
    CompileVirtual(from, to);
    if (to.snat == config::SnatKind::kPool) {
      to.snat_pool = static_cast<uint16_t>(snat_pools.at(from.source_address_translation().pool()));
    }
    to.profile =
        CompileProfile(from.has_profile() ? config_.profile_fastl4(profiles.at(from.profile()))
                                          : v1::FastL4Profile::default_instance());
  }
}

void Compiler::Steer() {
  const unsigned workers = WorkerCount(config_.device());
  const config::Snapshot* previous = input_.previous;
  if (previous != nullptr && previous->steering->workers() == workers) {
    out_.steering = previous->steering;
  } else {
    out_.steering =
        std::make_shared<const config::Steering>(workers, config::kDefaultRssKey, input_.reta_size);
  }
}

auto RouteFields(const config::Route& route) {
  return std::tie(route.network, route.gateway, route.interface, route.name);
}

// In one order, whatever a table made of it.
std::vector<config::Route> Sorted(std::vector<config::Route> routes) {
  std::sort(routes.begin(), routes.end(), [](const config::Route& a, const config::Route& b) {
    return RouteFields(a) < RouteFields(b);
  });
  return routes;
}

bool Equal(const std::vector<config::Route>& a, const std::vector<config::Route>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const config::Route& x, const config::Route& y) {
                      return RouteFields(x) == RouteFields(y);
                    });
}

bool Compiler::SameInterfaces() const {
  const auto& before = input_.previous->interfaces;
  return std::equal(before.begin(), before.end(), out_.interfaces.begin(), out_.interfaces.end(),
                    [](const config::Interface& a, const config::Interface& b) {
                      return std::tie(a.id, a.port, a.vlan, a.mtu, a.mac, a.self_ips) ==
                             std::tie(b.id, b.port, b.vlan, b.mtu, b.mac, b.self_ips);
                    });
}

absl::Status Compiler::Routes() {
  std::vector<config::Route> routes;
  Networks connected;
  for (const config::Interface& interface : out_.interfaces) {
    for (const IpPrefix& self_ip : interface.self_ips) {
      // Several self IPs on one network are one route.
      const auto known = connected.Find(self_ip);
      const bool is_new =
          !known || routes[static_cast<size_t>(*known)].network.length != self_ip.length;
      if (!is_new) continue;
      connected.Add(self_ip, static_cast<int>(routes.size()));
      routes.push_back(
          {.name = "", .network = self_ip.Network(), .gateway = {}, .interface = interface.id});
    }
  }
  for (const v1::Route& from : config_.route()) {
    const IpAddress gateway = Must(ParseConfigAddress(from.gateway()));
    const IpPrefix network = from.network() == "default" ? Everything(gateway.is_v4())
                                                         : Must(ParseConfigPrefix(from.network()));
    const auto via = static_cast<size_t>(Must(connected.Find(gateway)));
    routes.push_back({.name = from.name(),
                      .network = network,
                      .gateway = gateway,
                      .interface = routes[via].interface});
  }
  const config::Snapshot* previous = input_.previous;
  const bool same_routes =
      previous != nullptr && Equal(Sorted(previous->routes->routes()), Sorted(routes));
  if (same_routes) {
    out_.routes = previous->routes;
  } else {
    auto table = input_.make_routes(std::move(routes));
    if (!table.ok()) return table.status();
    out_.routes = *std::move(table);
  }
  const uint32_t generation = previous == nullptr ? 0 : previous->route_generation;
  out_.route_generation = generation + (same_routes && SameInterfaces() ? 0 : 1);
  return absl::OkStatus();
}

// Finish knows self IPs without their traffic groups; in an index the first one to add an address
// says which group it has.
}  // namespace

absl::StatusOr<Compiled> Compile(const CompileInput& input) {
  Compiled result{std::make_unique<config::Snapshot>(), input.ids};
  if (const absl::Status status = AssignIds(input.config, result.ids); !status.ok()) return status;
  const absl::Status status = Compiler(input, result.ids, *result.snapshot).Run();
  if (!status.ok()) return status;
  return result;
}

std::string MemberName(const v1::Pool::Member& member) {
  return FormatEndpoint(Must(ParseConfigAddress(member.address())),
                        static_cast<uint16_t>(member.port()));
}

std::string MemberKey(std::string_view pool, std::string_view member_name) {
  return Cat(pool, "/", member_name);
}

}  // namespace tandem::control
