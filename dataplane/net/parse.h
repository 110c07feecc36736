// SPDX-License-Identifier: Apache-2.0
//
// Frame -> Parsed: the only place that reads lengths off the wire. After Parse returned a Parsed
// whose `drop` is kNone, every offset in it may be dereferenced (the headers named by `kind` are
// whole and contiguous) and no later step checks a length again.
//
// Checks, in order: Ethernet and at most one 802.1Q tag; IPv4 per RFC 1812 section 5.2.2 (version,
// IHL, length, checksum unless the NIC verified it, source route options refused); IPv6 per RFC
// 8200 (version, length, extension chain of at most kIpv6ExtensionsMax headers); addresses that can
// never be right; fragments; TCP, UDP and ICMP headers. Frame padding behind the IP length is
// ignored.
//
// A pure function; never reads beyond `packet.contiguous`, never writes.
#pragma once

#include <cstdint>

#include "dataplane/base/drop_reason.h"
#include "dataplane/base/ip_address.h"
#include "dataplane/net/flow_key.h"
#include "dataplane/net/packet.h"

namespace tandem::net {

inline constexpr int kIpv6ExtensionsMax = 8;
inline constexpr uint16_t kUntagged = 0;  // Parsed::vlan of a frame without a tag (or priority tag)

enum class Kind : uint8_t {
  kNone,       // `drop` says why
  kArp,        // l3_offset: ARP header, Ethernet/IPv4, whole
  kTcp,        // l4_offset: TCP header, whole with its options
  kUdp,        // l4_offset: UDP header
  kIcmpQuery,  // echo request or reply; l4_offset: ICMP header, 8 bytes
  kIcmpError,  // unreachable, too big, time exceeded, parameter problem; l4_offset: ICMP header
  kNd,         // neighbour solicitation or advertisement with hop limit 255; whole
  kIcmpOther,  // any other ICMP; l4_offset: ICMP header
  kIpOther,    // any other protocol; l4_offset: its first byte (may be the end of the packet)
};

enum ParsedFlag : uint8_t {
  kIpv6 = 1 << 0,
  kFirstFragment = 1 << 1,  // more fragments follow; ports are present
  kVlanTag = 1 << 2,        // the frame carries an 802.1Q tag (its VLAN id may be 0)
  kGroupMac = 1 << 3,       // destination MAC is broadcast or multicast
  kIcmpReply = 1 << 4,      // kIcmpQuery: an echo reply
};

struct Parsed {
  Kind kind = Kind::kNone;
  DropReason drop = DropReason::kNone;
  uint8_t flags = 0;      // ParsedFlag
  uint8_t protocol = 0;   // IP protocol number behind all extension headers
  uint8_t tcp_flags = 0;  // as in the header: FIN 1, SYN 2, RST 4, PSH 8, ACK 16
  uint8_t ttl = 0;        // TTL or hop limit
  uint16_t vlan = kUntagged;
  uint16_t l3_offset = 0;  // from the start of the frame
  uint16_t l4_offset = 0;  // from the start of the frame
  uint32_t ip_length = 0;  // bytes from l3_offset to the end of the IP packet
  uint32_t l4_length = 0;  // bytes from l4_offset to the end of the IP packet
  union {
    FlowKey4 key4;
    FlowKey6 key6;
  };

  Parsed() : key6() {}
  bool is_ipv6() const { return (flags & kIpv6) != 0; }
};

void Parse(const Packet& packet, Parsed& parsed) noexcept;

inline IpAddress SourceOf(const Parsed& parsed) noexcept {
  return parsed.is_ipv6() ? IpAddress::V6(parsed.key6.source.bytes)
                          : IpAddress::V4(parsed.key4.source);
}
inline IpAddress DestinationOf(const Parsed& parsed) noexcept {
  return parsed.is_ipv6() ? IpAddress::V6(parsed.key6.destination.bytes)
                          : IpAddress::V4(parsed.key4.destination);
}

// The packet quoted in an ICMP error, parsed as far as its ports (RFC 792, RFC 4443 section 2.4: at
// least 8 bytes behind its IP header). Its key is as quoted: the packet as *we* once sent it.
// REQUIRES: parsed.kind == kIcmpError. Result.drop is kIcmpBad when it is unusable. Offsets are
// from the start of the outer frame; lengths are those the quoted headers claim, unchecked.
void ParseQuoted(const Packet& packet, const Parsed& parsed, Parsed& quoted) noexcept;

// TCP options that Tandem looks at, on packets with SYN only. REQUIRES: parsed.kind == kTcp.
struct TcpSynOptions {
  uint8_t window_scale = 0;  // 0..14 (RFC 7323 section 2.3)
  bool has_window_scale = false;
  uint16_t mss = 0;  // 0 when absent
};
TcpSynOptions ParseTcpSynOptions(const Packet& packet, const Parsed& parsed) noexcept;

}  // namespace tandem::net
