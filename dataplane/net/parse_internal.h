// SPDX-License-Identifier: Apache-2.0
//
// What the parser's files share; nobody else includes this. The L4 stage is inline because every
// packet passes through it.
#pragma once

#include <algorithm>
#include <span>

#include "dataplane/base/limits.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/parse.h"

namespace tandem::net::internal {

// Header chains end early enough that the longest TCP header behind them stays within kHeadersMax.
inline constexpr size_t kChainEndMax = kHeadersMax - 60;

inline size_t Readable(const Packet& packet) {
  return std::min(packet.contiguous, packet.length);
}

// Why the bytes up to `end`, which are beyond Readable, cannot be read.
inline DropReason Missing(const Packet& packet, size_t end) {
  return end > packet.length ? DropReason::kTruncated : DropReason::kHeaderSplit;
}

inline void Reset(Parsed& parsed) {
  parsed.kind = Kind::kNone;
  parsed.drop = DropReason::kNone;
  parsed.flags = 0;
  parsed.protocol = 0;
  parsed.tcp_flags = 0;
  parsed.ttl = 0;
  parsed.vlan = kUntagged;
  parsed.l3_offset = 0;
  parsed.l4_offset = 0;
  parsed.ip_length = 0;
  parsed.l4_length = 0;
}

// One bit for each combination of URG ACK PSH RST SYN FIN that no TCP sends: none at all, SYN with
// FIN, SYN with RST. FIN with RST is let through as the RST it is (RFC 9293 section 3.10.7.4 looks
// at RST first).
constexpr uint64_t BadTcpFlags() {
  uint64_t bad = 0;
  for (unsigned flags = 0; flags < 64; ++flags) {
    const bool syn = (flags & RTE_TCP_SYN_FLAG) != 0;
    const bool closes = (flags & (RTE_TCP_FIN_FLAG | RTE_TCP_RST_FLAG)) != 0;
    if (flags == 0 || (syn && closes)) bad |= uint64_t{1} << flags;
  }
  return bad;
}

// In network byte order, as they go into the key.
struct Ports {
  uint16_t source = 0;
  uint16_t destination = 0;
};

inline Ports LoadPorts(const uint8_t* l4) {
  Ports ports;
  static_assert(sizeof(ports) == 4);
  std::memcpy(&ports, l4, sizeof(ports));
  return ports;
}

// An ICMP query's identifier stands where the flow's own end has its port.
inline Ports QueryPorts(const uint8_t* l4, bool is_reply) {
  uint16_t identifier = 0;
  std::memcpy(&identifier, l4 + 4, sizeof(identifier));
  return is_reply ? Ports{0, identifier} : Ports{identifier, 0};
}

// The L4 stages: l4_offset and l4_length are set, and the packet ends within the frame, so a header
// that fits l4_length and cannot be read is split.
inline DropReason ParseTcp(const Packet& packet, Parsed& parsed, Ports& ports) {
  if (parsed.l4_length < kTcpSize) return DropReason::kTruncated;
  const size_t readable = Readable(packet);
  if (parsed.l4_offset + kTcpSize > readable) return DropReason::kHeaderSplit;
  const auto& tcp = HeaderAt<rte_tcp_hdr>(packet.data, parsed.l4_offset);
  const uint32_t header_length = (tcp.data_off >> 4) * 4U;
  if (header_length < kTcpSize || header_length > parsed.l4_length) return DropReason::kL4LengthBad;
  if (parsed.l4_offset + header_length > readable) return DropReason::kHeaderSplit;
  if ((BadTcpFlags() >> (tcp.tcp_flags & 0x3f)) & 1) return DropReason::kTcpFlagsBad;
  if (packet.flags & kL4ChecksumBad) return DropReason::kL4ChecksumBad;
  parsed.kind = Kind::kTcp;
  parsed.tcp_flags = tcp.tcp_flags;
  ports = LoadPorts(packet.data + parsed.l4_offset);
  return DropReason::kNone;
}

inline DropReason ParseUdp(const Packet& packet, Parsed& parsed, Ports& ports) {
  if (parsed.l4_length < kUdpSize) return DropReason::kTruncated;
  if (parsed.l4_offset + kUdpSize > Readable(packet)) return DropReason::kHeaderSplit;
  const uint8_t* l4 = packet.data + parsed.l4_offset;
  const uint32_t udp_length = Load16(l4 + 4);
  // A first fragment carries the length of the whole datagram.
  const bool is_beyond = udp_length > parsed.l4_length && (parsed.flags & kFirstFragment) == 0;
  if (udp_length < kUdpSize || is_beyond) return DropReason::kL4LengthBad;
  if (packet.flags & kL4ChecksumBad) return DropReason::kL4ChecksumBad;
  parsed.kind = Kind::kUdp;
  ports = LoadPorts(l4);
  return DropReason::kNone;
}

// parse_icmp.cc
DropReason ParseIcmp(const Packet& packet, Parsed& parsed, Ports& ports) noexcept;
DropReason ParseIcmpv6(const Packet& packet, Parsed& parsed, Ports& ports) noexcept;
// kIcmpQuery, kIcmpError or kIcmpOther, and kIcmpReply among the flags; kNd is not told apart.
Kind ClassifyIcmp(uint8_t type, Parsed& parsed) noexcept;
Kind ClassifyIcmpv6(uint8_t type, Parsed& parsed) noexcept;

// parse_ipv6.cc
DropReason ParseIpv6(const Packet& packet, Parsed& parsed) noexcept;

struct Chain {
  uint8_t protocol = 0;      // behind the last extension header
  bool is_fragment = false;  // a fragment header announces more fragments
  size_t l4_offset = 0;      // from the start of the frame
};

// Follows the extension headers of the IPv6 header at `l3` of `frame`; the packet ends at `end`, and
// frame.size() bytes can be read. kIpExtensionBad, kHeaderSplit, kFragment (not the first one).
DropReason WalkExtensions(std::span<const uint8_t> frame, size_t l3, size_t end,
                          Chain& chain) noexcept;

}  // namespace tandem::net::internal
