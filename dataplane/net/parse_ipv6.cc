// SPDX-License-Identifier: Apache-2.0
//
// IPv6 per RFC 8200: header, addresses, extension headers.
#include "dataplane/net/parse_internal.h"

namespace tandem::net::internal {
namespace {

constexpr size_t kExtensionSizeMin = 8;
constexpr Ipv6Bytes kUnspecified = {};
constexpr Ipv6Bytes kLoopback = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

bool IsExtension(uint8_t protocol) {
  return protocol == kProtocolHopByHop || protocol == kProtocolRouting ||
         protocol == kProtocolFragment || protocol == kProtocolAh ||
         protocol == kProtocolDestinationOptions;
}

size_t ExtensionSize(uint8_t protocol, uint8_t length_field) {
  if (protocol == kProtocolFragment) return 8;                         // RFC 8200 section 4.5
  if (protocol == kProtocolAh) return (length_field + size_t{2}) * 4;  // RFC 4302 section 2.2
  return (length_field + size_t{1}) * 8;
}

// ::ffff:0:0/96 stands for IPv4 inside this and other programs and must not come off a wire (RFC
// 4942 section 2.2): it would pass for the IPv4 address.
bool IsMappedIpv4(const Ipv6Bytes& address) {
  static constexpr uint8_t kPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::memcmp(address.bytes, kPrefix, sizeof(kPrefix)) == 0;
}

// RFC 4291 sections 2.5.2, 2.5.3 and 2.7. "::" is a source before an address is assigned; whether
// this packet is one of those is known behind the L4 stage.
DropReason CheckAddresses(const FlowKey6& key) {
  const Ipv6Bytes& source = key.source;
  const Ipv6Bytes& destination = key.destination;
  if (source.bytes[0] == 0xff ||
      (source.bytes[0] == 0 && (source == kLoopback || IsMappedIpv4(source)))) {
    return DropReason::kIpSourceBad;
  }
  if (destination.bytes[0] == 0 &&
      (destination == kLoopback || destination == kUnspecified || IsMappedIpv4(destination))) {
    return DropReason::kIpDestinationBad;
  }
  return DropReason::kNone;
}

DropReason ParseL4(const Packet& packet, Parsed& parsed, Ports& ports) {
  if (parsed.protocol == kProtocolTcp) return ParseTcp(packet, parsed, ports);
  if (parsed.protocol == kProtocolUdp) return ParseUdp(packet, parsed, ports);
  if (parsed.protocol == kProtocolIcmpv6) return ParseIcmpv6(packet, parsed, ports);
  parsed.kind = Kind::kIpOther;
  return DropReason::kNone;
}

DropReason ParseIpv6Header(const Packet& packet, Parsed& parsed) {
  const size_t l3 = parsed.l3_offset;
  if (l3 + kIpv6Size > Readable(packet)) return Missing(packet, l3 + kIpv6Size);
  const auto& ip = HeaderAt<rte_ipv6_hdr>(packet.data, l3);
  if (packet.data[l3] >> 4 != 6) return DropReason::kIpVersionBad;
  // A jumbogram (RFC 2675) says 0 here; no port takes one, and its chain ends right away.
  parsed.ip_length = static_cast<uint32_t>(kIpv6Size + __builtin_bswap16(ip.payload_len));
  if (parsed.ip_length > packet.length - l3) return DropReason::kIpLengthBad;
  parsed.ttl = ip.hop_limits;
  std::memcpy(parsed.key6.source.bytes, ip.src_addr, 16);
  std::memcpy(parsed.key6.destination.bytes, ip.dst_addr, 16);
  return CheckAddresses(parsed.key6);
}

// Sets protocol, l4_offset and l4_length.
DropReason ParseChain(const Packet& packet, Parsed& parsed) {
  const size_t end = parsed.l3_offset + parsed.ip_length;
  Chain chain;
  const DropReason drop =
      WalkExtensions({packet.data, Readable(packet)}, parsed.l3_offset, end, chain);
  if (drop != DropReason::kNone) return drop;
  parsed.protocol = chain.protocol;
  parsed.l4_offset = static_cast<uint16_t>(chain.l4_offset);
  parsed.l4_length = static_cast<uint32_t>(end - chain.l4_offset);
  if (chain.is_fragment) parsed.flags |= kFirstFragment;
  return DropReason::kNone;
}

bool IsSolicitation(const Packet& packet, const Parsed& parsed) {
  return parsed.kind == Kind::kNd && packet.data[parsed.l4_offset] == kIcmpv6Solicitation;
}

}  // namespace

DropReason WalkExtensions(std::span<const uint8_t> frame, size_t l3, size_t end,
                          Chain& chain) noexcept {
  size_t offset = l3 + kIpv6Size;
  uint8_t next = HeaderAt<rte_ipv6_hdr>(frame.data(), l3).proto;
  bool has_fragment_header = false;
  for (int count = 0; IsExtension(next); ++count) {
    // Hop-by-hop options stand first or nowhere (RFC 8200 section 4.1).
    if (count == kIpv6ExtensionsMax || (next == kProtocolHopByHop && count > 0) ||
        offset + kExtensionSizeMin > end) {
      return DropReason::kIpExtensionBad;
    }
    if (offset + kExtensionSizeMin > frame.size()) return DropReason::kHeaderSplit;
    const uint8_t* header = frame.data() + offset;
    // RFC 5095: routing header type 0 bounces a packet between any two points.
    if (next == kProtocolRouting && header[2] == 0) return DropReason::kIpExtensionBad;
    if (next == kProtocolFragment) {
      if (has_fragment_header) return DropReason::kIpExtensionBad;
      has_fragment_header = true;
      const uint16_t field = Load16(header + 2);
      if (field >> 3 != 0) return DropReason::kFragment;
      // Offset 0 and no more to come is a whole packet (RFC 6946).
      chain.is_fragment = (field & 1) != 0;
    }
    offset += ExtensionSize(next, header[1]);
    next = header[0];
    if (offset > end || offset > kChainEndMax) return DropReason::kIpExtensionBad;
    if (offset > frame.size()) return DropReason::kHeaderSplit;
  }
  chain.protocol = next;
  chain.l4_offset = offset;
  return DropReason::kNone;
}

DropReason ParseIpv6(const Packet& packet, Parsed& parsed) noexcept {
  parsed.flags |= kIpv6;
  DropReason drop = ParseIpv6Header(packet, parsed);
  if (drop != DropReason::kNone) return drop;
  drop = ParseChain(packet, parsed);
  if (drop != DropReason::kNone) return drop;
  Ports ports;
  drop = ParseL4(packet, parsed, ports);
  if (drop != DropReason::kNone) return drop;
  FlowKey6& key = parsed.key6;
  key.source_port = ports.source;
  key.destination_port = ports.destination;
  if (key.source == kUnspecified && !IsSolicitation(packet, parsed))
    return DropReason::kIpSourceBad;
  const bool has_ports = parsed.kind == Kind::kTcp || parsed.kind == Kind::kUdp;
  if (key.source == key.destination && (!has_ports || ports.source == ports.destination)) {
    return DropReason::kLand;
  }
  return DropReason::kNone;
}

}  // namespace tandem::net::internal
