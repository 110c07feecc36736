// SPDX-License-Identifier: Apache-2.0
//
// Typed access to headers inside a frame. The header structures are DPDK's (packed, so alignment 1,
// fields in network byte order); the few that DPDK declares with an alignment of 2 (Ethernet, ARP)
// are read and written by offset instead, since a test's or fuzzer's buffer may start anywhere.
//
// Nothing here checks a bound: only offsets that Parse has vouched for may come in.
#pragma once

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tandem::net {

template <typename Header>
const Header& HeaderAt(const uint8_t* data, size_t offset) {
  static_assert(alignof(Header) == 1);
  return *reinterpret_cast<const Header*>(data + offset);
}

template <typename Header>
Header& HeaderAt(uint8_t* data, size_t offset) {
  static_assert(alignof(Header) == 1);
  return *reinterpret_cast<Header*>(data + offset);
}

// Values of host byte order from and to the wire, at any alignment.
inline uint16_t Load16(const uint8_t* from) {
  uint16_t value = 0;
  std::memcpy(&value, from, sizeof(value));
  return __builtin_bswap16(value);
}
inline uint32_t Load32(const uint8_t* from) {
  uint32_t value = 0;
  std::memcpy(&value, from, sizeof(value));
  return __builtin_bswap32(value);
}
inline void Store16(uint8_t* to, uint16_t value) {
  value = __builtin_bswap16(value);
  std::memcpy(to, &value, sizeof(value));
}
inline void Store32(uint8_t* to, uint32_t value) {
  value = __builtin_bswap32(value);
  std::memcpy(to, &value, sizeof(value));
}

inline constexpr size_t kEthernetSize = 14;
inline constexpr size_t kVlanTagSize = 4;
inline constexpr size_t kArpSize = 28;
inline constexpr size_t kIpv4Size = sizeof(rte_ipv4_hdr);
inline constexpr size_t kIpv6Size = sizeof(rte_ipv6_hdr);
inline constexpr size_t kTcpSize = sizeof(rte_tcp_hdr);
inline constexpr size_t kUdpSize = sizeof(rte_udp_hdr);
inline constexpr size_t kIcmpSize = sizeof(rte_icmp_hdr);
inline constexpr size_t kNdSize = 24;  // ICMPv6 header and target, without options
static_assert(kIpv4Size == 20 && kIpv6Size == 40 && kTcpSize == 20);
static_assert(kUdpSize == 8 && kIcmpSize == 8);

// IP protocol and IPv6 extension header numbers.
inline constexpr uint8_t kProtocolHopByHop = 0;
inline constexpr uint8_t kProtocolIcmp = 1;
inline constexpr uint8_t kProtocolTcp = 6;
inline constexpr uint8_t kProtocolUdp = 17;
inline constexpr uint8_t kProtocolRouting = 43;
inline constexpr uint8_t kProtocolFragment = 44;
inline constexpr uint8_t kProtocolAh = 51;
inline constexpr uint8_t kProtocolIcmpv6 = 58;
inline constexpr uint8_t kProtocolDestinationOptions = 60;

// ICMP types, RFC 792 and RFC 4443.
inline constexpr uint8_t kIcmpEchoReply = 0;
inline constexpr uint8_t kIcmpUnreachable = 3;
inline constexpr uint8_t kIcmpSourceQuench = 4;
inline constexpr uint8_t kIcmpRedirect = 5;
inline constexpr uint8_t kIcmpEchoRequest = 8;
inline constexpr uint8_t kIcmpTimeExceeded = 11;
inline constexpr uint8_t kIcmpParameterProblem = 12;
inline constexpr uint8_t kIcmpv6Unreachable = 1;
inline constexpr uint8_t kIcmpv6TooBig = 2;
inline constexpr uint8_t kIcmpv6TimeExceeded = 3;
inline constexpr uint8_t kIcmpv6ParameterProblem = 4;
inline constexpr uint8_t kIcmpv6EchoRequest = 128;
inline constexpr uint8_t kIcmpv6EchoReply = 129;
inline constexpr uint8_t kIcmpv6Solicitation = 135;
inline constexpr uint8_t kIcmpv6Advertisement = 136;
inline constexpr uint8_t kIcmpv6Redirect = 137;

}  // namespace tandem::net
