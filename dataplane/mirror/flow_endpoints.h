// SPDX-License-Identifier: Apache-2.0
//
// What of a flow's keys follows from its virtual, its member and its flags, by a dictionary: the part
// of a create that is not written. Writer and reader share it, so that one omits exactly what the
// other fills in.
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
  static constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const uint8_t* bytes = entry.address.bytes().data();
  if (std::memcmp(bytes, kMapped, sizeof(kMapped)) == 0) {
    if constexpr (!Hot::kIsIpv6) {
      std::memcpy(&endpoint.address, bytes + 12, 4);
      return true;
    }
    return false;
  }
  if constexpr (Hot::kIsIpv6) {
    std::memcpy(endpoint.address.bytes, bytes, 16);
    return endpoint.address != net::Ipv6Bytes{};
  }
  return false;
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

}  // namespace tandem::mirror
