// SPDX-License-Identifier: Apache-2.0
#include "dataplane/net/link.h"

#include "dataplane/net/frame_writer.h"

namespace tandem::net::internal {

bool MoveLink(Packet& packet, Parsed& parsed, const LinkHeader& link) noexcept {
  const size_t size = LinkSize(link);
  if (size > size_t{parsed.l3_offset} + packet.headroom) return false;
  // The innermost EtherType stands right before the IP header, tag or not.
  const uint16_t ether_type = Load16(packet.data + parsed.l3_offset - 2);
  const int grow = static_cast<int>(size) - parsed.l3_offset;
  packet.data -= grow;
  packet.headroom = static_cast<uint16_t>(packet.headroom - grow);
  packet.length += static_cast<uint32_t>(grow);
  packet.contiguous += static_cast<uint32_t>(grow);
  parsed.l3_offset = static_cast<uint16_t>(size);
  parsed.l4_offset = static_cast<uint16_t>(parsed.l4_offset + grow);
  WriteLink(packet.data, link, ether_type);
  return true;
}

}  // namespace tandem::net::internal
