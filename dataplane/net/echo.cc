// SPDX-License-Identifier: Apache-2.0
//
// Echo (RFC 792, RFC 4443 section 4): the answer to a request, and the request to everybody on a link.
#include "dataplane/net/frame_writer.h"

namespace tandem::net {
namespace {

// The type shares a 16-bit word with the code, which stays; `delta`: what else changed that the checksum
// covers. A reply may be all zeros, which sum up to 0 and not to 0xffff: its checksum is 0xffff, and that
// serves as well where 0 would be right.
void ChangeType(uint8_t* icmp, uint8_t type, ChecksumDelta delta) {
  uint16_t before = 0;
  uint16_t after = 0;
  uint16_t checksum = 0;
  std::memcpy(&before, icmp, 2);
  icmp[0] = type;
  std::memcpy(&after, icmp, 2);
  std::memcpy(&checksum, icmp + 2, 2);
  delta.Change16(before, after);
  checksum = delta.Apply(checksum);
  if (checksum == 0) checksum = 0xffff;
  std::memcpy(icmp + 2, &checksum, 2);
}

}  // namespace

// Swapping the addresses changes no sum, neither the header's nor the pseudo header's; another address than
// the one that was asked does. The reply is a packet of our own and starts with a full TTL.
void EchoReplyInPlace(Packet& packet, const Parsed& parsed, const IpAddress& own) noexcept {
  uint8_t* l4 = packet.data + parsed.l4_offset;
  if (parsed.is_ipv6()) {
    auto& ip = HeaderAt<rte_ipv6_hdr>(packet.data, parsed.l3_offset);
    Ipv6Bytes answers;
    std::memcpy(answers.bytes, own.bytes().data(), 16);
    ChecksumDelta delta;
    delta.Change128(parsed.key6.destination, answers);
    std::memcpy(ip.dst_addr, ip.src_addr, 16);
    std::memcpy(ip.src_addr, answers.bytes, 16);
    ip.hop_limits = internal::kTtlDefault;
    ChangeType(l4, kIcmpv6EchoReply, delta);
    return;
  }
  auto& ip = HeaderAt<rte_ipv4_hdr>(packet.data, parsed.l3_offset);
  const uint32_t source = ip.src_addr;
  ChecksumDelta delta;
  delta.Change32(ip.dst_addr, own.v4());
  ip.src_addr = own.v4();
  ip.dst_addr = source;
  delta.Change16(ip.time_to_live, internal::kTtlDefault);  // the low byte of its word
  ip.time_to_live = internal::kTtlDefault;
  ip.hdr_checksum = delta.Apply(ip.hdr_checksum);
  ChangeType(l4, kIcmpEchoReply, {});
}

IpAddress AllHosts(bool is_v4) {
  static constexpr uint8_t kNodes[16] = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return is_v4 ? IpAddress::V4(RTE_BE32(0xe0000001)) : IpAddress::V6(kNodes);
}

size_t BuildEchoToAllHosts(FrameBuffer out, const LinkHeader& link,
                           const IpAddress& source) noexcept {
  const bool is_v4 = source.is_v4();
  const internal::IpSpec ip{.source = source,
                            .destination = AllHosts(is_v4),
                            .protocol = is_v4 ? kProtocolIcmp : kProtocolIcmpv6,
                            .ttl = 1};
  internal::WriteLink(out.data(), link, internal::EtherTypeOf(is_v4));
  const size_t l3 = internal::LinkSize(link);
  const size_t l4 = l3 + internal::IpSize(is_v4);
  internal::WriteIp(out.data() + l3, ip, is_v4, kIcmpSize);
  uint8_t* const icmp = out.data() + l4;
  std::memset(icmp, 0, kIcmpSize);
  icmp[0] = is_v4 ? kIcmpEchoRequest : kIcmpv6EchoRequest;
  // In IPv4 the pseudo header is not summed.
  const uint16_t checksum = is_v4
                                ? static_cast<uint16_t>(~ChecksumFold(ChecksumAdd(icmp, kIcmpSize)))
                                : internal::L4Checksum(out.data() + l3, false, icmp, kIcmpSize);
  std::memcpy(icmp + 2, &checksum, sizeof(checksum));
  return internal::Pad(out, l4 + kIcmpSize);
}

}  // namespace tandem::net
