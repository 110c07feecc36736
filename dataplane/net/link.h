// SPDX-License-Identifier: Apache-2.0
//
// The link-layer header of a packet that leaves.
#pragma once

#include <cstring>

#include "dataplane/base/ip_address.h"
#include "dataplane/net/frame.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/packet.h"
#include "dataplane/net/parse.h"

namespace tandem::net {

// Replaces the Ethernet header and tag of `packet` by `link`, moving `data` by 4 bytes when a tag
// comes or goes; the IP header stays where it is. `parsed.l3_offset` locates it and is updated, as
// is l4_offset. False (and nothing written) when a tag needs headroom that is not there.
[[nodiscard]] inline bool SetLink(Packet& packet, Parsed& parsed, const MacAddress& destination,
                                  const MacAddress& source, uint16_t vlan) noexcept;
[[nodiscard]] inline bool SetLink(Packet& packet, Parsed& parsed, const LinkHeader& link) noexcept {
  return SetLink(packet, parsed, link.destination, link.source, link.vlan);
}

namespace internal {
// SetLink where a tag comes or goes.
[[nodiscard]] bool MoveLink(Packet& packet, Parsed& parsed, const LinkHeader& link) noexcept;
}  // namespace internal

inline bool SetLink(Packet& packet, Parsed& parsed, const MacAddress& destination,
                    const MacAddress& source, uint16_t vlan) noexcept {
  const bool is_tagged = vlan != kUntagged;
  const size_t size = is_tagged ? kEthernetSize + kVlanTagSize : kEthernetSize;
  if (size != parsed.l3_offset) [[unlikely]]
    return internal::MoveLink(packet, parsed, {destination, source, vlan});
  // The EtherTypes stay.
  uint8_t* const data = packet.data;
  std::memcpy(data, destination.data(), destination.size());
  std::memcpy(data + destination.size(), source.data(), source.size());
  if (is_tagged) Store16(data + kEthernetSize, vlan);
  return true;
}

}  // namespace tandem::net
