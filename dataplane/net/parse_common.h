// SPDX-License-Identifier: Apache-2.0
//
// The short way through the parser: a frame as nearly all are, Ethernet [VLAN] IPv4 without options
// or fragments, TCP or UDP, nothing odd about it. It reads words rather than fields and says no more
// than yes; whatever it does not take, the parser looks at in order (parse.cc). Of what it takes both
// say the same, which the parse fuzzer and parse_common_test hold them to.
#pragma once

#include <array>
#include <bit>
#include <cstring>

#include "dataplane/net/headers.h"
#include "dataplane/net/parse.h"
#include "dataplane/net/parse_internal.h"

namespace tandem::net::internal {

// By the first octet of an address: none that is suspect at either end (parse.cc, CheckAddresses), nor
// a group's.
inline constexpr auto kIsOddOctet = [] {
  std::array<bool, 256> odd{};
  odd[0] = odd[127] = true;
  for (size_t octet = 0xe0; octet < odd.size(); ++octet)
    odd[octet] = true;
  return odd;
}();

struct CommonFrame {
  uint64_t start;   // of the IPv4 header, the first eight bytes
  uint64_t middle;  // TTL, protocol, checksum, source
  uint32_t destination;
  uint16_t vlan;
  uint8_t flags;
};

// 2^16 is 1 modulo 0xffff, so a number of any width stands for the one's complement sum of its words.
inline bool IsIpv4SumRight(const CommonFrame& frame) {
  uint64_t sum = 0;
  const bool carries = __builtin_add_overflow(frame.start, frame.middle, &sum);
  const bool carries_again =
      __builtin_add_overflow(sum, uint64_t{frame.destination} + carries, &sum);
  return (sum + carries_again) % 0xffff == 0;
}

// False: not for the short way.
inline bool ReadCommonFrame(const Packet& packet, const uint8_t* ip, CommonFrame& frame) {
  constexpr uint64_t kFragment = RTE_BE16(0x3fff);  // its offset, and that more follow
  static_assert(std::endian::native == std::endian::little, "fields are taken out of words");
  std::memcpy(&frame.start, ip, 8);
  std::memcpy(&frame.middle, ip + 8, 8);
  std::memcpy(&frame.destination, ip + 16, 4);
  if ((frame.start & (kFragment << 48)) != 0) return false;
  const auto source = static_cast<uint32_t>(frame.middle >> 32);
  if (kIsOddOctet[source & 0xff] || kIsOddOctet[frame.destination & 0xff]) return false;
  if (source == frame.destination) return false;
  if ((packet.flags & (kIpChecksumGood | kIpChecksumBad | kL4ChecksumBad)) != kIpChecksumGood) {
    return (packet.flags & (kIpChecksumBad | kL4ChecksumBad)) == 0 && IsIpv4SumRight(frame);
  }
  return true;
}

inline bool ParseCommonTcp(const uint8_t* l4, int l4_length, size_t readable, Parsed& parsed) {
  const int header_length = (l4[12] >> 4) * 4;
  if (header_length < static_cast<int>(kTcpSize) || header_length > l4_length) return false;
  if (static_cast<size_t>(header_length) > readable) return false;
  const uint8_t tcp_flags = l4[13];
  if (((BadTcpFlags() >> (tcp_flags & 0x3f)) & 1) != 0) return false;
  parsed.kind = Kind::kTcp;
  parsed.tcp_flags = tcp_flags;
  return true;
}

inline bool ParseCommonUdp(const uint8_t* l4, int l4_length, Parsed& parsed) {
  const int udp_length = Load16(l4 + 4);
  if (udp_length < static_cast<int>(kUdpSize) || udp_length > l4_length) return false;
  parsed.kind = Kind::kUdp;
  parsed.tcp_flags = 0;
  return true;
}

// False: not for the short way; `parsed` is anything then.
inline bool ParseCommon(const Packet& packet, Parsed& parsed) {
  // Up to a TCP header without options behind a tag: less than a frame's minimum.
  constexpr size_t kEnd = kEthernetSize + kVlanTagSize + kIpv4Size + kTcpSize;
  // EtherType IPv4, version 4, five words of header; then the type of service, any.
  constexpr uint32_t kStart = RTE_BE32(0x08004500);
  constexpr uint32_t kStartMask = RTE_BE32(0xffffff00);
  const size_t readable = Readable(packet);
  if (readable < kEnd) return false;
  const uint8_t* const data = packet.data;
  if ((data[0] & RTE_ETHER_GROUP_ADDR) != 0) return false;

  size_t l3 = kEthernetSize;
  CommonFrame frame;
  frame.vlan = kUntagged;
  frame.flags = 0;
  uint32_t word = 0;
  std::memcpy(&word, data + l3 - 2, 4);
  if ((word & kStartMask) != kStart) {
    if (Load16(data + l3 - 2) != RTE_ETHER_TYPE_VLAN) return false;
    frame.vlan = Load16(data + l3) & 0x0fff;
    frame.flags = kVlanTag;
    l3 += kVlanTagSize;
    std::memcpy(&word, data + l3 - 2, 4);
    if ((word & kStartMask) != kStart) return false;
  }
  if (!ReadCommonFrame(packet, data + l3, frame)) return false;

  const uint32_t ip_length = __builtin_bswap16(static_cast<uint16_t>(frame.start >> 16));
  if (ip_length > packet.length - l3) return false;
  const int l4_length = static_cast<int>(ip_length) - static_cast<int>(kIpv4Size);
  const size_t l4 = l3 + kIpv4Size;
  const auto protocol = static_cast<uint8_t>(frame.middle >> 8);
  if (protocol == kProtocolTcp) {
    if (!ParseCommonTcp(data + l4, l4_length, readable - l4, parsed)) return false;
  } else if (protocol == kProtocolUdp) {
    if (!ParseCommonUdp(data + l4, l4_length, parsed)) return false;
  } else {
    return false;
  }
  parsed.drop = DropReason::kNone;
  parsed.flags = frame.flags;
  parsed.protocol = protocol;
  parsed.ttl = static_cast<uint8_t>(frame.middle);
  parsed.vlan = frame.vlan;
  parsed.l3_offset = static_cast<uint16_t>(l3);
  parsed.l4_offset = static_cast<uint16_t>(l4);
  parsed.ip_length = ip_length;
  parsed.l4_length = static_cast<uint32_t>(l4_length);
  // Both addresses, then both ports, as they stand in the headers.
  static_assert(offsetof(FlowKey4, destination) == 4 && offsetof(FlowKey4, source_port) == 8);
  std::memcpy(&parsed.key4, data + l3 + 12, sizeof(FlowKey4));
  return true;
}

// What Parse does of any frame, the long way. parse.cc
void ParseAny(const Packet& packet, Parsed& parsed) noexcept;

}  // namespace tandem::net::internal
