// SPDX-License-Identifier: Apache-2.0
//
// What of a flow's keys follows from its virtual, its member and its flags, by a dictionary: the part
// of a create that is not written. The writer's ShapeOf omits exactly what the reader's DestinationOf and
// ServerOf fill in; they are two, for the writer has only to compare.
#pragma once

#include <rte_byteorder.h>

#include <cstdint>
#include <cstring>

#include "dataplane/base/ip_address.h"
#include "dataplane/config/dictionary.h"
#include "dataplane/flow/flow.h"

namespace tandem::mirror {

// Bits of the column `shape`.
enum Shape : uint32_t {
  kDestinationExplicit = 1,
  kServerExplicit = 2,
  kServerPortKept = 4,  // the server's port is the one that the client addressed
  kReturnExplicit = 8,  // where the server answers to is written though kTranslateSource is not set
  kShapeMask = 15,
};

template <class Hot>
struct FlowEndpoint {
  decltype(Hot::Key::source) address{};
  uint16_t port = 0;  // network byte order

  bool operator==(const FlowEndpoint&) const = default;
};

// The entry's address in the flow's family; false when it has none.
template <class Hot>
bool AddressOf(const config::DictionaryEntry& entry, FlowEndpoint<Hot>& endpoint) noexcept {
  if (entry.address.is_v4() == Hot::kIsIpv6 || entry.address.is_unset()) return false;
  if constexpr (Hot::kIsIpv6) {
    std::memcpy(endpoint.address.bytes, entry.address.bytes().data(),
                sizeof(endpoint.address.bytes));
  } else {
    endpoint.address = entry.address.v4();
  }
  return true;
}

// Whether AddressOf gives this address, without putting it together.
inline bool HasAddress(const config::DictionaryEntry& entry, uint32_t address) noexcept {
  const IpAddress::Halves its = entry.address.halves();
  const IpAddress::Halves wanted = IpAddress::V4(address).halves();
  return its[0] == wanted[0] && its[1] == wanted[1];
}
inline bool HasAddress(const config::DictionaryEntry& entry,
                       const net::Ipv6Bytes& address) noexcept {
  const IpAddress wanted = IpAddress::V6(address.bytes);
  return entry.address == wanted && !wanted.is_v4() && !wanted.is_unset();
}

inline const config::DictionaryEntry& EntryOf(const config::Dictionary& dictionary,
                                              config::ObjectKind kind, uint16_t number) noexcept {
  static constexpr config::DictionaryEntry kNone;
  const auto& entries = dictionary.All(kind);
  return number < entries.size() ? entries[number] : kNone;
}

// What clients of the virtual address; false when the dictionary does not say.
template <class Hot>
bool DestinationOf(const config::Dictionary& dictionary, config::VirtualId virtual_id,
                   FlowEndpoint<Hot>& endpoint) noexcept {
  const auto& entry = EntryOf(dictionary, config::ObjectKind::kVirtual, virtual_id);
  endpoint.port = rte_cpu_to_be_16(entry.port);
  return entry.port != 0 && AddressOf<Hot>(entry, endpoint);
}

// The server's end of a flow to `destination`: that itself unless the address is translated, then the
// member's, whose port 0 stands for the destination's.
template <class Hot>
bool ServerOf(const config::Dictionary& dictionary, uint16_t flags, config::MemberId member_id,
              const FlowEndpoint<Hot>& destination, FlowEndpoint<Hot>& endpoint) noexcept {
  if ((flags & flow::kTranslateAddress) == 0) {
    endpoint = destination;
    return true;
  }
  const auto& entry = EntryOf(dictionary, config::ObjectKind::kMember, member_id);
  endpoint.port = entry.port != 0 ? rte_cpu_to_be_16(entry.port) : destination.port;
  return AddressOf<Hot>(entry, endpoint);
}

// The writer's side: what of the flow's keys DestinationOf and ServerOf do not tell a reader, or tell it wrong.
template <class Hot>
uint32_t ShapeOf(const config::Dictionary& dictionary, const Hot& hot) noexcept {
  using config::ObjectKind;
  const typename Hot::Key& client = hot.client;
  const typename Hot::Key& server = hot.server;
  uint32_t shape = 0;
  const auto& destination = EntryOf(dictionary, ObjectKind::kVirtual, hot.common.virtual_id);
  if (destination.port == 0 || rte_cpu_to_be_16(destination.port) != client.destination_port ||
      !HasAddress(destination, client.destination)) {
    shape |= kDestinationExplicit;
  }
  bool is_derived = server.source == client.destination;
  uint16_t port = client.destination_port;
  if ((hot.common.flags & flow::kTranslateAddress) != 0) {
    const auto& member = EntryOf(dictionary, ObjectKind::kMember, hot.common.member_id);
    is_derived = HasAddress(member, server.source);
    if (member.port != 0) port = rte_cpu_to_be_16(member.port);
  }
  if (!is_derived) {
    shape |= kServerExplicit;
  } else if (port != server.source_port) {
    shape |= server.source_port == client.destination_port ? kServerPortKept : kServerExplicit;
  }
  if ((hot.common.flags & flow::kTranslateSource) != 0) return shape;
  const bool answers_client =
      server.destination == client.source && server.destination_port == client.source_port;
  return answers_client ? shape : shape | kReturnExplicit;
}

}  // namespace tandem::mirror
