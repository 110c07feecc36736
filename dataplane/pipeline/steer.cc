// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/steer.h"

#include <arpa/inet.h>

#include <cstring>

namespace tandem::pipeline {
namespace {

enum class End : uint8_t { kSource, kDestination };

// What our own addresses say: an address that is asked from clients shows them as source; one that
// SNAT or the device itself uses is answered by servers.
bool EndByLocalAddress(const config::Snapshot& snapshot, const config::VirtualIndex::Query& query,
                       End& end) {
  const config::LocalAddress* local = snapshot.addresses.Find(query.destination);
  if (local == nullptr) return false;
  const bool is_virtual = (local->roles & config::kVirtualAddress) != 0;
  const bool is_translation = (local->roles & (config::kSnatAddress | config::kSelfIp)) != 0;
  if (is_virtual && is_translation) {  // one address in both roles: the port tells
    end = snapshot.virtual_index.Find(query) != nullptr ? End::kSource : End::kDestination;
  } else {
    end = is_virtual ? End::kSource : End::kDestination;
  }
  return true;
}

// Both directions of a flow between strangers must agree without knowing which way it was opened.
template <class Key>
End LowerEnd(const Key& key) {
  const int order = std::memcmp(&key.source, &key.destination, sizeof(key.source));
  if (order != 0) return order < 0 ? End::kSource : End::kDestination;
  return key.source_port <= key.destination_port ? End::kSource : End::kDestination;
}

// Whether the other end is reached by interfaces that face the way `interface` does, as far as the
// routes know. `facing` tells the two legs apart only where it is not.
bool StaysOnOneSide(const config::Snapshot& snapshot, const config::Interface& interface,
                    const IpAddress& destination) {
  const config::Route* route = snapshot.routes->Lookup(destination);
  return route != nullptr && snapshot.interfaces[route->interface].facing == interface.facing;
}

template <class Key>
End SharedEnd(const config::Snapshot& snapshot, const config::Interface& interface, const Key& key,
              uint8_t protocol) {
  config::VirtualIndex::Query query;
  query.source = AddressOf(key.source);
  query.destination = AddressOf(key.destination);
  query.destination_port = ntohs(key.destination_port);
  query.protocol = protocol;
  query.interface = interface.id;
  End end = End::kSource;
  if (EndByLocalAddress(snapshot, query, end)) return end;
  using config::ServerRank;
  const ServerRank from = snapshot.ServerRankOf(query.source, ntohs(key.source_port));
  const ServerRank to = snapshot.ServerRankOf(query.destination, query.destination_port);
  const bool from_member = from == ServerRank::kMember;
  if (from_member != (to == ServerRank::kMember)) {
    return from_member ? End::kDestination : End::kSource;
  }
  // A network of virtual addresses: the reply will come from a member.
  const config::Virtual* wanted = snapshot.virtual_index.Find(query);
  if (wanted != nullptr && wanted->type == config::VirtualType::kFastL4) return End::kSource;
  if (from != to) return from > to ? End::kDestination : End::kSource;
  if (from == ServerRank::kStranger && interface.facing != config::Facing::kBoth &&
      !StaysOnOneSide(snapshot, interface, query.destination)) {
    return interface.facing == config::Facing::kClient ? End::kSource : End::kDestination;
  }
  return LowerEnd(key);
}

template <class Key>
unsigned Owner(const config::Snapshot& snapshot, const config::Interface& interface, const Key& key,
               uint8_t protocol) {
  const config::Steering& steering = *snapshot.steering;
  if (steering.workers() == 1) return 0;
  return SharedEnd(snapshot, interface, key, protocol) == End::kSource
             ? steering.OwnerOf(key.source, key.source_port)
             : steering.OwnerOf(key.destination, key.destination_port);
}

}  // namespace

unsigned OwnerOf(const config::Snapshot& snapshot, const config::Interface& interface,
                 const net::FlowKey4& key, uint8_t protocol) noexcept {
  return Owner(snapshot, interface, key, protocol);
}

unsigned OwnerOf(const config::Snapshot& snapshot, const config::Interface& interface,
                 const net::FlowKey6& key, uint8_t protocol) noexcept {
  return Owner(snapshot, interface, key, protocol);
}

bool HandOff(Context& context, const Work& work, unsigned owner) noexcept {
  if (owner == context.worker || (work.packet.flags & net::kHandedOff) != 0) return false;
  net::Packet packet = work.packet;
  packet.flags |= net::kHandedOff;
  if (context.shared.exchange.HandOff(context.worker, owner, packet)) {
    context.counters.handed_off.Add(1);
  } else {
    Drop(context, work.packet, DropReason::kHandoffFull);
  }
  return true;
}

}  // namespace tandem::pipeline
