// SPDX-License-Identifier: Apache-2.0
//
// What the builders of frames share, here and in tools/pktgen; it is for nobody else. Each function
// writes at the given place and relies on a caller whose buffer is large enough.
#pragma once

#include <algorithm>

#include "dataplane/net/checksum.h"
#include "dataplane/net/frame.h"
#include "dataplane/net/headers.h"

namespace tandem::net::internal {

inline constexpr uint8_t kTtlDefault = 64;
inline constexpr uint8_t kTosInternetControl = 0xc0;  // RFC 1812 section 4.3.2.5

inline size_t LinkSize(const LinkHeader& link) {
  return link.vlan == kUntagged ? kEthernetSize : kEthernetSize + kVlanTagSize;
}

// `ether_type` in host byte order.
inline void WriteLink(uint8_t* out, const LinkHeader& link, uint16_t ether_type) {
  std::memcpy(out, link.destination.data(), 6);
  std::memcpy(out + 6, link.source.data(), 6);
  if (link.vlan == kUntagged) {
    Store16(out + 12, ether_type);
    return;
  }
  Store16(out + 12, RTE_ETHER_TYPE_VLAN);
  Store16(out + 14, link.vlan);
  Store16(out + 16, ether_type);
}

// Zeroes up to the Ethernet minimum; returns the length of the frame.
inline size_t Pad(FrameBuffer out, size_t length) {
  if (length >= kFrameMin) return length;
  std::memset(out.data() + length, 0, kFrameMin - length);
  return kFrameMin;
}

// The IP header of a packet of our own.
struct IpSpec {
  IpAddress source;
  IpAddress destination;  // the source's family
  uint8_t protocol = 0;
  uint8_t ttl = kTtlDefault;
  uint8_t tos = 0;
};

inline uint16_t EtherTypeOf(bool is_v4) {
  return is_v4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6;
}
inline size_t IpSize(bool is_v4) {
  return is_v4 ? kIpv4Size : kIpv6Size;
}

// Don't fragment and identification 0: an atomic datagram (RFC 6864 section 4.1).
inline void WriteIpv4(uint8_t* out, const IpSpec& spec, size_t l4_length) {
  rte_ipv4_hdr ip = {};
  ip.version_ihl = 0x45;
  ip.type_of_service = spec.tos;
  ip.total_length = __builtin_bswap16(static_cast<uint16_t>(kIpv4Size + l4_length));
  ip.fragment_offset = __builtin_bswap16(RTE_IPV4_HDR_DF_FLAG);
  ip.time_to_live = spec.ttl;
  ip.next_proto_id = spec.protocol;
  ip.src_addr = spec.source.v4();
  ip.dst_addr = spec.destination.v4();
  std::memcpy(out, &ip, sizeof(ip));
  const uint16_t checksum = static_cast<uint16_t>(~ChecksumFold(ChecksumAdd(out, kIpv4Size)));
  std::memcpy(out + 10, &checksum, sizeof(checksum));
}

inline void WriteIpv6(uint8_t* out, const IpSpec& spec, size_t l4_length) {
  rte_ipv6_hdr ip = {};
  ip.vtc_flow = __builtin_bswap32(0x60000000U | static_cast<uint32_t>(spec.tos) << 20);
  ip.payload_len = __builtin_bswap16(static_cast<uint16_t>(l4_length));
  ip.proto = spec.protocol;
  ip.hop_limits = spec.ttl;
  std::memcpy(ip.src_addr, spec.source.bytes().data(), 16);
  std::memcpy(ip.dst_addr, spec.destination.bytes().data(), 16);
  std::memcpy(out, &ip, sizeof(ip));
}

inline void WriteIp(uint8_t* out, const IpSpec& spec, bool is_v4, size_t l4_length) {
  is_v4 ? WriteIpv4(out, spec, l4_length) : WriteIpv6(out, spec, l4_length);
}

// Sum over addresses, length and protocol. The layout of the pseudo header does not matter to a sum
// of 16-bit words (RFC 9293 section 3.1, RFC 8200 section 8.1). `addresses` are both, as they stand
// in the IP header.
inline uint64_t PseudoHeaderSum(const uint8_t* addresses, size_t addresses_size, uint8_t protocol,
                                size_t l4_length) {
  uint8_t tail[8];
  Store32(tail, static_cast<uint32_t>(l4_length));
  Store32(tail + 4, protocol);
  return ChecksumAdd(tail, sizeof(tail), ChecksumAdd(addresses, addresses_size));
}

// The checksum of `l4_length` bytes at `l4`, whose checksum field is zero, behind the IP header at
// `ip`. REQUIRES: the IP header was written by WriteIp.
inline uint16_t L4Checksum(const uint8_t* ip, bool is_v4, const uint8_t* l4, size_t l4_length) {
  const uint64_t pseudo = is_v4 ? PseudoHeaderSum(ip + 12, 8, ip[9], l4_length)
                                : PseudoHeaderSum(ip + 8, 32, ip[6], l4_length);
  return static_cast<uint16_t>(~ChecksumFold(ChecksumAdd(l4, l4_length, pseudo)));
}

// Multicast or broadcast on either layer: nobody answers such a packet with a RST or an ICMP error
// (RFC 9293 MUST-57, RFC 1122 section 3.2.2). A subnet's broadcast address is for the caller to
// know; its frames come with a group MAC.
inline bool IsForGroup(const Parsed& parsed) {
  if (parsed.flags & kGroupMac) return true;
  return DestinationOf(parsed).is_multicast() ||
         (!parsed.is_ipv6() && parsed.key4.destination == 0xffffffff);
}

}  // namespace tandem::net::internal
