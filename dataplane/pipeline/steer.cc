// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/steer.h"

#include <arpa/inet.h>

#include <cstring>

namespace tandem::pipeline {
namespace {

enum class End : uint8_t { kSource, kDestination };

// What our own addresses say: an address that is asked from clients shows them as source; one that
// SNAT or the device itself uses is answered by servers.
bool EndByLocalAddress(const Context& context, const config::VirtualIndex::Query& query, End& end) {
  const config::LocalAddress* local = context.snapshot->addresses.Find(query.destination);
  if (local == nullptr) return false;
  const bool is_virtual = (local->roles & config::kVirtualAddress) != 0;
  const bool is_translation = (local->roles & (config::kSnatAddress | config::kSelfIp)) != 0;
  if (is_virtual && is_translation) {  // one address in both roles: the port tells
    end = context.snapshot->virtual_index.Find(query) != nullptr ? End::kSource : End::kDestination;
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

template <class Key>
End SharedEnd(const Context& context, const config::Interface& interface, const Key& key,
              uint8_t protocol) {
  config::VirtualIndex::Query query;
  query.source = AddressOf(key.source);
  query.destination = AddressOf(key.destination);
  query.destination_port = ntohs(key.destination_port);
  query.protocol = protocol;
  query.interface = interface.id;
  End end = End::kSource;
  if (EndByLocalAddress(context, query, end)) return end;
  if (interface.facing == config::Facing::kClient) return End::kSource;
  if (interface.facing == config::Facing::kServer) return End::kDestination;
  const bool from_member = context.snapshot->IsMemberAddress(query.source);
  const bool to_member = context.snapshot->IsMemberAddress(query.destination);
  if (from_member != to_member) return from_member ? End::kDestination : End::kSource;
  return LowerEnd(key);
}

template <class Key>
unsigned Owner(const Context& context, const config::Interface& interface, const Key& key,
               uint8_t protocol) {
  const config::Steering& steering = *context.snapshot->steering;
  if (steering.workers() == 1) return 0;
  return SharedEnd(context, interface, key, protocol) == End::kSource
             ? steering.OwnerOf(key.source, key.source_port)
             : steering.OwnerOf(key.destination, key.destination_port);
}

}  // namespace

unsigned OwnerOf(const Context& context, const config::Interface& interface,
                 const net::FlowKey4& key, uint8_t protocol) noexcept {
  return Owner(context, interface, key, protocol);
}

unsigned OwnerOf(const Context& context, const config::Interface& interface,
                 const net::FlowKey6& key, uint8_t protocol) noexcept {
  return Owner(context, interface, key, protocol);
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
