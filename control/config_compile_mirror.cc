// SPDX-License-Identifier: Apache-2.0
//
// Compile: persistence profiles, the mirroring peers, and what is mirrored.
#include <algorithm>
#include <optional>
#include <tuple>

#include "control/config_compile_parts.h"
#include "control/config_endpoint.h"
#include "control/config_takeover.h"

namespace tandem::control {
namespace {

namespace v1 = config::v1;
using Profile = v1::PersistenceProfile;

config::PersistenceType CompileType(Profile::Type type) {
  switch (type) {
    case Profile::SOURCE_ADDRESS:
      return config::PersistenceType::kSourceAddress;
    case Profile::DESTINATION_ADDRESS:
      return config::PersistenceType::kDestinationAddress;
    case Profile::HASH:
      return config::PersistenceType::kHash;
  }
  return config::PersistenceType::kSourceAddress;
}

config::HashField CompileHashField(int field) {
  switch (static_cast<Profile::HashField>(field)) {
    case Profile::HASH_SOURCE_ADDRESS:
      return config::kHashSourceAddress;
    case Profile::HASH_DESTINATION_ADDRESS:
      return config::kHashDestinationAddress;
    case Profile::HASH_SOURCE_PORT:
      return config::kHashSourcePort;
    case Profile::HASH_DESTINATION_PORT:
      return config::kHashDestinationPort;
    case Profile::HASH_PROTOCOL:
      return config::kHashProtocol;
    case Profile::HASH_PAYLOAD:
      return config::kHashPayload;
  }
  return config::kHashSourceAddress;
}

// From when on flows of a virtual are mirrored: of all of them, and of those that a SNAT pool
// translates.
using Mirrored = std::tuple<std::optional<config::MirrorAt>, bool, bool, uint32_t, uint32_t>;

Mirrored MirroredOf(const config::Snapshot& snapshot, const config::Virtual& virtual_server) {
  const bool by_pool = virtual_server.snat == config::SnatKind::kPool &&
                       snapshot.snat_pools[virtual_server.snat_pool].mirror;
  if (!virtual_server.mirror && !by_pool) return {};
  return {virtual_server.mirror_at, by_pool,
          virtual_server.mirror_commit != config::MirrorCommit::kAsync,
          virtual_server.mirror_after_packets, virtual_server.mirror_after};
}

void CompilePeers(const v1::Config& config, config::Mirroring& to) {
  const std::string& peer = config.mirroring().peer();
  if (!config.has_device_group()) {
    to.peers = {{static_cast<config::UnitId>(3 - to.unit_id), Must(ParseConfigAddress(peer))}};
    to.port_share = static_cast<uint8_t>(to.unit_id - 1);
    to.port_shares = 2;
    return;
  }
  for (const v1::GroupDevice* device : PeersOf(config)) {
    const std::string& address =
        device->has_mirroring_address() ? device->mirroring_address() : peer;
    to.peers.push_back(
        {static_cast<config::UnitId>(device->unit_id()), Must(ParseConfigAddress(address))});
    if (device->unit_id() < to.unit_id) ++to.port_share;
  }
  to.port_shares = static_cast<uint8_t>(to.peers.size() + 1);
}

}  // namespace

config::Persistence CompilePersistence(const Profile& from) {
  config::Persistence to;
  to.name = from.name();
  to.type = CompileType(from.type());
  to.timeout = Ticks(from.timeout(), kSecond);
  to.mask_ipv4 = static_cast<uint8_t>(from.mask());
  to.mask_ipv6 = static_cast<uint8_t>(from.mask_ipv6());
  for (const int field : from.hash_fields()) {
    to.hash_fields = static_cast<uint8_t>(to.hash_fields | CompileHashField(field));
  }
  to.payload_offset = static_cast<uint16_t>(from.hash_offset());
  to.payload_length = static_cast<uint16_t>(from.hash_length());
  to.stateless = from.hash_algorithm() == Profile::CARP;
  to.match_across_services = from.match_across_services();
  to.match_across_virtuals = from.match_across_virtuals();
  to.match_across_pools = from.match_across_pools();
  to.override_connection_limit = from.override_connection_limit();
  to.mirror = from.mirror();
  return to;
}

config::Mirroring CompileMirroring(const v1::Config& config, const MirroringKey& key) {
  constexpr uint64_t kBytesPerMegabit = 1'000'000 / 8;
  config::Mirroring to;
  to.device_name = config.device().name();
  if (!config.has_mirroring()) return to;
  const v1::Mirroring& from = config.mirroring();
  to.enabled = true;
  to.unit_id = static_cast<uint8_t>(from.unit_id());
  to.address = Must(ParseConfigPrefix(from.address()));
  CompilePeers(config, to);
  to.mtu = static_cast<uint16_t>(from.mtu());
  to.authenticated = from.authentication() == v1::Mirroring::PSK;
  if (to.authenticated) to.key = key;
  to.bulk_rate = from.bulk_rate_mbps() * kBytesPerMegabit;
  to.flush = static_cast<Nanos>(from.flush_us()) * (kMillisecond / 1000);
  return to;
}

std::vector<config::FailoverPath> CompileFailoverPaths(
    const v1::Config& config, const std::vector<config::Interface>& interfaces) {
  std::vector<config::FailoverPath> paths;
  const v1::GroupDevice* const self = SelfOf(config);
  if (self == nullptr) return paths;
  for (int i = 0; i < self->failover_address_size(); ++i) {
    config::FailoverPath& path = paths.emplace_back();
    path.address = Must(ParseConfigAddress(self->failover_address(i)));
    for (const config::Interface& interface : interfaces) {
      const auto self_ips = interface.fixed_self_ips();
      if (std::ranges::find(self_ips, path.address, &IpPrefix::address) != self_ips.end())
        path.interface = interface.id;
    }
    for (const v1::GroupDevice* peer : PeersOf(config))
      path.peers.push_back(Must(ParseConfigAddress(peer->failover_address(i))));
  }
  return paths;
}

uint32_t MirrorGeneration(const config::Snapshot* previous, const config::Snapshot& next) {
  if (previous == nullptr) return 1;
  bool same = true;
  for (const config::Virtual& virtual_server : next.virtuals) {
    const config::Virtual* before =
        virtual_server.id != 0 ? previous->FindVirtual(virtual_server.id) : nullptr;
    if (before == nullptr) continue;
    same = same && MirroredOf(*previous, *before) == MirroredOf(next, virtual_server);
  }
  for (const config::Persistence& profile : next.persistences) {
    const config::Persistence* before =
        profile.id != 0 ? previous->FindPersistence(profile.id) : nullptr;
    same = same && (before == nullptr || before->mirror == profile.mirror);
  }
  return previous->mirror_generation + (same ? 0 : 1);
}

}  // namespace tandem::control
