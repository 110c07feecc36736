// SPDX-License-Identifier: Apache-2.0
//
// The link-layer header of a packet that leaves.
#pragma once

#include "dataplane/base/mac_word.h"
#include "dataplane/net/frame.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/packet.h"
#include "dataplane/net/parse.h"

namespace tandem::net {

// Replaces the Ethernet header and tag of `packet`, moving `data` by 4 bytes when a tag comes or goes; the
// IP header stays where it is. `parsed.l3_offset` locates it and is updated, as is l4_offset. False (and
// nothing written) when a tag needs headroom that is not there.
[[nodiscard]] inline bool SetLink(Packet& packet, Parsed& parsed, MacWord destination,
                                  MacWord source, uint16_t vlan) noexcept;
[[nodiscard]] inline bool SetLink(Packet& packet, Parsed& parsed, const LinkHeader& link) noexcept {
  return SetLink(packet, parsed, WordOf(link.destination), WordOf(link.source), link.vlan);
}

namespace internal {
// SetLink where a tag comes or goes.
[[nodiscard]] bool MoveLink(Packet& packet, Parsed& parsed, const LinkHeader& link) noexcept;
}  // namespace internal

inline bool SetLink(Packet& packet, Parsed& parsed, MacWord destination, MacWord source,
                    uint16_t vlan) noexcept {
  // The EtherTypes stay where they do.
  if (vlan == kUntagged) {
    if (parsed.l3_offset != kEthernetSize) [[unlikely]]
      return internal::MoveLink(packet, parsed, {MacOf(destination), MacOf(source), vlan});
  } else {
    if (parsed.l3_offset != kEthernetSize + kVlanTagSize) [[unlikely]]
      return internal::MoveLink(packet, parsed, {MacOf(destination), MacOf(source), vlan});
    Store16(packet.data + kEthernetSize, vlan);
  }
  StoreMacs(packet.data, destination, source);
  return true;
}

}  // namespace tandem::net
