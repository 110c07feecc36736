// SPDX-License-Identifier: Apache-2.0
#include "dataplane/net/frame_writer.h"

namespace tandem::net {
namespace {

// The type shares a 16-bit word with the code, which stays. A reply may be all zeros, which sum up to 0 and
// not to 0xffff: its checksum is 0xffff, and that serves as well where 0 would be right.
void ChangeType(uint8_t* icmp, uint8_t type) {
  uint16_t before = 0;
  uint16_t after = 0;
  uint16_t checksum = 0;
  std::memcpy(&before, icmp, 2);
  icmp[0] = type;
  std::memcpy(&after, icmp, 2);
  std::memcpy(&checksum, icmp + 2, 2);
  ChecksumDelta delta;
  delta.Change16(before, after);
  checksum = delta.Apply(checksum);
  if (checksum == 0) checksum = 0xffff;
  std::memcpy(icmp + 2, &checksum, 2);
}

}  // namespace

// Swapping the addresses changes no sum, neither the header's nor the pseudo header's. The reply is
// a packet of our own and starts with a full TTL.
void EchoReplyInPlace(Packet& packet, const Parsed& parsed) noexcept {
  uint8_t* l4 = packet.data + parsed.l4_offset;
  if (parsed.is_ipv6()) {
    auto& ip = HeaderAt<rte_ipv6_hdr>(packet.data, parsed.l3_offset);
    std::swap_ranges(ip.src_addr, ip.src_addr + 16, ip.dst_addr);
    ip.hop_limits = internal::kTtlDefault;
    ChangeType(l4, kIcmpv6EchoReply);
    return;
  }
  auto& ip = HeaderAt<rte_ipv4_hdr>(packet.data, parsed.l3_offset);
  const uint32_t source = ip.src_addr;
  ip.src_addr = ip.dst_addr;
  ip.dst_addr = source;
  ChecksumDelta delta;
  delta.Change16(ip.time_to_live, internal::kTtlDefault);  // the low byte of its word
  ip.time_to_live = internal::kTtlDefault;
  ip.hdr_checksum = delta.Apply(ip.hdr_checksum);
  ChangeType(l4, kIcmpEchoReply);
}

}  // namespace tandem::net
