// SPDX-License-Identifier: Apache-2.0
//
// The short way through the parser: a frame as nearly all are, Ethernet [VLAN] IPv4 without options
// or fragments, TCP or UDP, nothing odd about it, to a host's MAC. It reads words rather than fields and
// says no more than yes; whatever it does not take, the parser looks at in order (parse.cc). Of what it
// takes both say the same, which the parse fuzzer and parse_common_test hold them to.
//
// For net::Parse, and for a loop over packets that wants it in line.
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
  std::array<uint8_t, 256> odd{};
  odd[0] = odd[127] = 1;
  for (size_t octet = 0xe0; octet < odd.size(); ++octet)
    odd[octet] = 1;
  return odd;
}();

struct CommonHeader {
  uint64_t start;      // of the IPv4 header, the first eight bytes
  uint32_t middle;     // TTL, protocol, checksum
  uint64_t addresses;  // source, destination
};

// 2^16 is 1 modulo 0xffff, so a number of any width stands for the one's complement sum of its words.
inline bool IsIpv4SumRight(const CommonHeader& header) {
  uint64_t sum = 0;
  const bool carries = __builtin_add_overflow(header.start, header.addresses, &sum);
  const bool carries_again = __builtin_add_overflow(sum, uint64_t{header.middle} + carries, &sum);
  return (sum + carries_again) % 0xffff == 0;
}

// False: not for the short way.
inline bool ReadCommonHeader(const Packet& packet, const uint8_t* ip, CommonHeader& header) {
  constexpr uint64_t kFragment = RTE_BE16(0x3fff);  // its offset, and that more follow
  static_assert(std::endian::native == std::endian::little, "fields are taken out of words");
  std::memcpy(&header.start, ip, 8);
  std::memcpy(&header.middle, ip + 8, 4);
  std::memcpy(&header.addresses, ip + 12, 8);
  if ((header.start & (kFragment << 48)) != 0) return false;
  const auto source = static_cast<uint32_t>(header.addresses);
  const auto destination = static_cast<uint32_t>(header.addresses >> 32);
  if ((kIsOddOctet[source & 0xff] | kIsOddOctet[destination & 0xff]) != 0) return false;
  if (source == destination) return false;
  if ((packet.flags & (kIpChecksumGood | kIpChecksumBad | kL4ChecksumBad)) != kIpChecksumGood) {
    return (packet.flags & (kIpChecksumBad | kL4ChecksumBad)) == 0 && IsIpv4SumRight(header);
  }
  return true;
}

// What stands before the ports is written by what is known when this is compiled, in few stores.
template <size_t kL3, Kind kKind, uint8_t kProtocol>
inline void FillCommon(const CommonHeader& header, const uint8_t* data, uint8_t tcp_flags,
                       uint16_t vlan, uint32_t ip_length, Parsed& parsed) {
  parsed.kind = kKind;
  parsed.drop = DropReason::kNone;
  parsed.flags = kL3 == kEthernetSize ? 0 : kVlanTag;
  parsed.protocol = kProtocol;
  parsed.tcp_flags = tcp_flags;
  parsed.ttl = static_cast<uint8_t>(header.middle);
  parsed.vlan = vlan;
  parsed.l3_offset = kL3;
  parsed.l4_offset = kL3 + kIpv4Size;
  parsed.ip_length = ip_length;
  parsed.l4_length = ip_length - uint32_t{kIpv4Size};
  // Both addresses, then both ports, as they stand in the headers.
  static_assert(offsetof(FlowKey4, destination) == 4 && offsetof(FlowKey4, source_port) == 8);
  auto* const key = reinterpret_cast<uint8_t*>(&parsed.key4);
  std::memcpy(key, &header.addresses, 8);
  std::memcpy(key + 8, data + kL3 + kIpv4Size, 4);
}

// With the IPv4 header at `kL3`; a TCP header without options behind it can be read.
template <size_t kL3>
[[gnu::always_inline]] inline bool ParseCommonAt(const Packet& packet, uint16_t vlan,
                                                 Parsed& parsed) {
  constexpr size_t kL4 = kL3 + kIpv4Size;
  const uint8_t* const data = packet.data;
  CommonHeader header;
  if (!ReadCommonHeader(packet, data + kL3, header)) return false;
  const uint32_t ip_length = __builtin_bswap16(static_cast<uint16_t>(header.start >> 16));
  if (ip_length > packet.length - kL3) return false;
  const int l4_length = static_cast<int>(ip_length) - static_cast<int>(kIpv4Size);
  const auto protocol = static_cast<uint8_t>(header.middle >> 8);
  if (protocol == kProtocolUdp) {
    const int udp_length = Load16(data + kL4 + 4);
    if (udp_length < static_cast<int>(kUdpSize) || udp_length > l4_length) return false;
    FillCommon<kL3, Kind::kUdp, kProtocolUdp>(header, data, 0, vlan, ip_length, parsed);
    return true;
  }
  if (protocol == kProtocolTcp) {
    const int header_length = (data[kL4 + 12] >> 4) * 4;
    if (header_length < static_cast<int>(kTcpSize) || header_length > l4_length) return false;
    if (static_cast<size_t>(header_length) > packet.contiguous - kL4) return false;
    const uint8_t tcp_flags = data[kL4 + 13];
    if (((BadTcpFlags() >> (tcp_flags & 0x3f)) & 1) != 0) return false;
    FillCommon<kL3, Kind::kTcp, kProtocolTcp>(header, data, tcp_flags, vlan, ip_length, parsed);
    return true;
  }
  return false;
}

// Whether IPv4 follows, version 4 and five words of header, with any type of service.
inline bool IsPlainIpv4(const uint8_t* ether_type) {
  uint32_t word = 0;
  std::memcpy(&word, ether_type, sizeof(word));
  return (word & RTE_BE32(0xffffff00)) == RTE_BE32(0x08004500);
}

}  // namespace tandem::net::internal

namespace tandem::net {

// False: not for the short way; `parsed` is anything then.
[[gnu::always_inline]] inline bool ParseCommon(const Packet& packet, Parsed& parsed) {
  // Up to a TCP header without options behind a tag: less than a frame's minimum.
  constexpr size_t kEnd = kEthernetSize + kVlanTagSize + kIpv4Size + kTcpSize;
  constexpr size_t kInnerL3 = kEthernetSize + kVlanTagSize;
  if (packet.contiguous < kEnd) [[unlikely]]
    return false;
  const uint8_t* const data = packet.data;
  if ((data[0] & RTE_ETHER_GROUP_ADDR) != 0) return false;
  if (internal::IsPlainIpv4(data + kEthernetSize - 2)) [[likely]]
    return internal::ParseCommonAt<kEthernetSize>(packet, kUntagged, parsed);
  if (Load16(data + kEthernetSize - 2) != RTE_ETHER_TYPE_VLAN) return false;
  if (!internal::IsPlainIpv4(data + kInnerL3 - 2)) return false;
  const auto vlan = static_cast<uint16_t>(Load16(data + kEthernetSize) & 0x0fff);
  return internal::ParseCommonAt<kInnerL3>(packet, vlan, parsed);
}

// What Parse does of any frame, the long way. parse.cc
void ParseAny(const Packet& packet, Parsed& parsed) noexcept;

}  // namespace tandem::net
