// SPDX-License-Identifier: Apache-2.0
//
// The packet inside an ICMP error. It is often cut off behind 8 bytes of L4, and its lengths may
// have been touched on the way: only what is read is bounded, by the error's own end.
#include "dataplane/net/parse.h"
#include "dataplane/net/parse_internal.h"

namespace tandem::net {
namespace {

constexpr size_t kQuotedL4Size = 8;  // RFC 792; RFC 4443 asks for more

// Sets l4_offset, l4_length, protocol, ttl and the addresses of `quoted`.
bool ReadQuotedIpv4(std::span<const uint8_t> frame, Parsed& quoted) {
  const size_t l3 = quoted.l3_offset;
  if (l3 + kIpv4Size > frame.size()) return false;
  const auto& ip = HeaderAt<rte_ipv4_hdr>(frame.data(), l3);
  const uint32_t header_length = (ip.version_ihl & 0x0fU) * 4U;
  quoted.ip_length = __builtin_bswap16(ip.total_length);
  if (ip.version_ihl >> 4 != 4 || header_length < kIpv4Size || quoted.ip_length < header_length) {
    return false;
  }
  const uint16_t fragment = __builtin_bswap16(ip.fragment_offset);
  if (fragment & 0x1fff) return false;  // no ports in it
  if (fragment & 0x2000) quoted.flags |= kFirstFragment;
  quoted.l4_offset = static_cast<uint16_t>(l3 + header_length);
  quoted.l4_length = quoted.ip_length - header_length;
  quoted.protocol = ip.next_proto_id;
  quoted.ttl = ip.time_to_live;
  quoted.key4.source = ip.src_addr;
  quoted.key4.destination = ip.dst_addr;
  return true;
}

bool ReadQuotedIpv6(std::span<const uint8_t> frame, Parsed& quoted) {
  const size_t l3 = quoted.l3_offset;
  if (l3 + kIpv6Size > frame.size() || frame[l3] >> 4 != 6) return false;
  internal::Chain chain;
  if (internal::WalkExtensions(frame, l3, frame.size(), chain) != DropReason::kNone) return false;
  const auto& ip = HeaderAt<rte_ipv6_hdr>(frame.data(), l3);
  quoted.ip_length = static_cast<uint32_t>(kIpv6Size + __builtin_bswap16(ip.payload_len));
  const size_t headers_length = chain.l4_offset - l3;
  if (quoted.ip_length < headers_length) return false;
  quoted.l4_offset = static_cast<uint16_t>(chain.l4_offset);
  quoted.l4_length = static_cast<uint32_t>(quoted.ip_length - headers_length);
  quoted.protocol = chain.protocol;
  quoted.ttl = ip.hop_limits;
  if (chain.is_fragment) quoted.flags |= kFirstFragment;
  std::memcpy(quoted.key6.source.bytes, ip.src_addr, 16);
  std::memcpy(quoted.key6.destination.bytes, ip.dst_addr, 16);
  return true;
}

// What the 8 bytes behind the quoted IP header say; kNone for an error about an error, which no
// host sends (RFC 1122 section 3.2.2).
Kind ReadQuotedL4(const uint8_t* l4, Parsed& quoted, internal::Ports& ports) {
  if (quoted.protocol == kProtocolTcp || quoted.protocol == kProtocolUdp) {
    ports = internal::LoadPorts(l4);
    return quoted.protocol == kProtocolTcp ? Kind::kTcp : Kind::kUdp;
  }
  const uint8_t icmp = quoted.is_ipv6() ? kProtocolIcmpv6 : kProtocolIcmp;
  if (quoted.protocol != icmp) return Kind::kIpOther;
  const Kind kind = quoted.is_ipv6() ? internal::ClassifyIcmpv6(l4[0], quoted)
                                     : internal::ClassifyIcmp(l4[0], quoted);
  if (kind == Kind::kIcmpError) return Kind::kNone;
  if (kind == Kind::kIcmpQuery) ports = internal::QueryPorts(l4, quoted.flags & kIcmpReply);
  return kind;
}

}  // namespace

void ParseQuoted(const Packet& packet, const Parsed& parsed, Parsed& quoted) noexcept {
  internal::Reset(quoted);
  quoted.drop = DropReason::kIcmpBad;
  quoted.flags = parsed.flags & kIpv6;
  quoted.vlan = parsed.vlan;
  quoted.l3_offset = static_cast<uint16_t>(parsed.l4_offset + kIcmpSize);
  const size_t end =
      std::min<size_t>(internal::Readable(packet), parsed.l4_offset + parsed.l4_length);
  const std::span<const uint8_t> frame(packet.data, end);
  if (!(quoted.is_ipv6() ? ReadQuotedIpv6(frame, quoted) : ReadQuotedIpv4(frame, quoted))) return;
  if (quoted.l4_offset + kQuotedL4Size > end) return;
  internal::Ports ports;
  quoted.kind = ReadQuotedL4(packet.data + quoted.l4_offset, quoted, ports);
  if (quoted.kind == Kind::kNone) return;
  if (quoted.is_ipv6()) {
    quoted.key6.source_port = ports.source;
    quoted.key6.destination_port = ports.destination;
  } else {
    quoted.key4.source_port = ports.source;
    quoted.key4.destination_port = ports.destination;
  }
  quoted.drop = DropReason::kNone;
}

}  // namespace tandem::net
