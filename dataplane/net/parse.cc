// SPDX-License-Identifier: Apache-2.0
//
// Ethernet, ARP and IPv4, in the order of the checks; frames as nearly all are go by parse_common.h.
#include "dataplane/net/parse.h"

#include "dataplane/net/checksum.h"
#include "dataplane/net/parse_common.h"
#include "dataplane/net/parse_internal.h"

namespace tandem::net {
namespace {

using internal::Missing;
using internal::Readable;

constexpr uint16_t kFragmentOffsetMask = 0x1fff;  // in units of 8 bytes
constexpr uint16_t kMoreFragments = 0x2000;

// Sets l3_offset, vlan and the link flags; `ether_type` is the innermost.
inline DropReason ParseEthernet(const Packet& packet, Parsed& parsed, uint16_t& ether_type) {
  const size_t readable = Readable(packet);
  if (readable < kEthernetSize) return Missing(packet, kEthernetSize);
  const uint8_t* data = packet.data;
  if (data[0] & RTE_ETHER_GROUP_ADDR) parsed.flags |= kGroupMac;
  ether_type = Load16(data + 12);
  size_t l3 = kEthernetSize;
  if (ether_type == RTE_ETHER_TYPE_VLAN) {
    l3 += kVlanTagSize;
    if (readable < l3) return Missing(packet, l3);
    parsed.flags |= kVlanTag;
    parsed.vlan = Load16(data + 14) & 0x0fff;
    ether_type = Load16(data + 16);
    if (ether_type == RTE_ETHER_TYPE_VLAN) return DropReason::kVlanStacked;
  }
  parsed.l3_offset = static_cast<uint16_t>(l3);
  return DropReason::kNone;
}

DropReason ParseArp(const Packet& packet, Parsed& parsed) {
  const size_t end = parsed.l3_offset + kArpSize;
  if (end > Readable(packet)) return Missing(packet, end);
  parsed.kind = Kind::kArp;
  return DropReason::kNone;
}

// Record route and timestamp may pass; a source route never, nor a list in which one could hide.
DropReason CheckOptions(const uint8_t* options, size_t length) {
  constexpr uint8_t kEnd = 0;
  constexpr uint8_t kNoOperation = 1;
  constexpr uint8_t kLooseSourceRoute = 131;
  constexpr uint8_t kStrictSourceRoute = 137;
  for (size_t i = 0; i < length;) {
    if (options[i] == kEnd) break;
    if (options[i] == kNoOperation) {
      ++i;
      continue;
    }
    if (options[i] == kLooseSourceRoute || options[i] == kStrictSourceRoute || i + 1 >= length ||
        options[i + 1] < 2 || i + options[i + 1] > length) {
      return DropReason::kIpOptionBad;
    }
    i += options[i + 1];
  }
  return DropReason::kNone;
}

// RFC 1812 section 5.2.2 without the length check: what a header other than 20 plain bytes needs.
DropReason CheckIpv4Start(const Packet& packet, size_t l3, uint8_t version_ihl) {
  if (version_ihl >> 4 != 4) return DropReason::kIpVersionBad;
  const size_t header_length = size_t{version_ihl & 0x0fU} * 4;
  if (header_length < kIpv4Size) return DropReason::kIpHeaderLengthBad;
  if (l3 + header_length > Readable(packet)) return Missing(packet, l3 + header_length);
  return DropReason::kNone;
}

inline bool IsHeaderChecksumBad(const Packet& packet, const uint8_t* header, size_t length) {
  if (packet.flags & (kIpChecksumBad | kIpChecksumGood)) {
    return (packet.flags & kIpChecksumBad) != 0;
  }
  uint32_t words[5];
  std::memcpy(words, header, sizeof(words));
  uint64_t sum = uint64_t{words[0]} + words[1] + words[2] + words[3] + words[4];
  if (length > kIpv4Size) [[unlikely]] {
    sum = ChecksumAdd(header + kIpv4Size, length - kIpv4Size, sum);
  }
  return ChecksumFold(sum) != 0xffff;
}

// RFC 1812 section 5.3.7 and RFC 6890: 0/8, 127/8, multicast and broadcast are never a source; 0/8
// and 127/8 never a destination on a wire. Takes the addresses in network byte order.
inline DropReason CheckAddresses(uint32_t source, uint32_t destination) {
  const uint32_t from = source & 0xff;
  const uint32_t to = destination & 0xff;
  // One branch for all that is rare: |= has no short circuit.
  bool is_source_bad = from == 0;
  is_source_bad |= from == 127;
  is_source_bad |= (from & 0xf0) == 0xe0;
  is_source_bad |= source == 0xffffffff;
  if (is_source_bad) [[unlikely]]
    return DropReason::kIpSourceBad;
  bool is_destination_bad = to == 0;
  is_destination_bad |= to == 127;
  if (is_destination_bad) [[unlikely]]
    return DropReason::kIpDestinationBad;
  return DropReason::kNone;
}

inline DropReason ParseL4(const Packet& packet, Parsed& parsed, internal::Ports& ports) {
  if (parsed.protocol == kProtocolTcp) return internal::ParseTcp(packet, parsed, ports);
  if (parsed.protocol == kProtocolUdp) return internal::ParseUdp(packet, parsed, ports);
  if (parsed.protocol == kProtocolIcmp) return internal::ParseIcmp(packet, parsed, ports);
  parsed.kind = Kind::kIpOther;
  return DropReason::kNone;
}

// Version, lengths and checksum; sets ip_length, l4_offset and l4_length.
inline DropReason ParseIpv4Header(const Packet& packet, Parsed& parsed) {
  const size_t l3 = parsed.l3_offset;
  if (l3 + kIpv4Size > Readable(packet)) return Missing(packet, l3 + kIpv4Size);
  const auto& ip = HeaderAt<rte_ipv4_hdr>(packet.data, l3);
  if (ip.version_ihl != 0x45) [[unlikely]] {
    const DropReason drop = CheckIpv4Start(packet, l3, ip.version_ihl);
    if (drop != DropReason::kNone) return drop;
  }
  const uint32_t header_length = (ip.version_ihl & 0x0fU) * 4U;
  parsed.ip_length = __builtin_bswap16(ip.total_length);
  if (parsed.ip_length < header_length || parsed.ip_length > packet.length - l3) {
    return DropReason::kIpLengthBad;
  }
  if (IsHeaderChecksumBad(packet, packet.data + l3, header_length)) {
    return DropReason::kIpChecksumBad;
  }
  if (header_length > kIpv4Size) [[unlikely]] {
    const uint8_t* options = packet.data + l3 + kIpv4Size;
    const DropReason drop = CheckOptions(options, header_length - kIpv4Size);
    if (drop != DropReason::kNone) return drop;
  }
  parsed.l4_offset = static_cast<uint16_t>(l3 + header_length);
  parsed.l4_length = parsed.ip_length - header_length;
  return DropReason::kNone;
}

inline DropReason ParseIpv4(const Packet& packet, Parsed& parsed) {
  DropReason drop = ParseIpv4Header(packet, parsed);
  if (drop != DropReason::kNone) return drop;
  const auto& ip = HeaderAt<rte_ipv4_hdr>(packet.data, parsed.l3_offset);
  parsed.ttl = ip.time_to_live;
  parsed.protocol = ip.next_proto_id;
  parsed.key4.source = ip.src_addr;
  parsed.key4.destination = ip.dst_addr;
  drop = CheckAddresses(ip.src_addr, ip.dst_addr);
  if (drop != DropReason::kNone) return drop;
  const uint16_t fragment = __builtin_bswap16(ip.fragment_offset);
  if (fragment & (kFragmentOffsetMask | kMoreFragments)) [[unlikely]] {
    if (fragment & kFragmentOffsetMask) return DropReason::kFragment;
    parsed.flags |= kFirstFragment;
  }
  internal::Ports ports;
  drop = ParseL4(packet, parsed, ports);
  if (drop != DropReason::kNone) return drop;
  parsed.key4.source_port = ports.source;
  parsed.key4.destination_port = ports.destination;
  // An ICMP identifier is no port: the same address twice is enough there.
  const bool has_ports = parsed.kind == Kind::kTcp || parsed.kind == Kind::kUdp;
  if (ip.src_addr == ip.dst_addr) [[unlikely]] {
    if (!has_ports || ports.source == ports.destination) return DropReason::kLand;
  }
  return DropReason::kNone;
}

inline DropReason ParseFrame(const Packet& packet, Parsed& parsed) {
  uint16_t ether_type = 0;
  const DropReason drop = ParseEthernet(packet, parsed, ether_type);
  if (drop != DropReason::kNone) return drop;
  if (ether_type == RTE_ETHER_TYPE_IPV4) return ParseIpv4(packet, parsed);
  if (ether_type == RTE_ETHER_TYPE_IPV6) return internal::ParseIpv6(packet, parsed);
  if (ether_type == RTE_ETHER_TYPE_ARP) return ParseArp(packet, parsed);
  // A service tag (802.1ad) exists to have another tag behind it.
  if (ether_type == RTE_ETHER_TYPE_QINQ) return DropReason::kVlanStacked;
  return DropReason::kEtherTypeUnknown;
}

}  // namespace

void ParseAny(const Packet& packet, Parsed& parsed) noexcept {
  internal::Reset(parsed);
  parsed.drop = ParseFrame(packet, parsed);
  if (parsed.drop != DropReason::kNone) [[unlikely]]
    parsed.kind = Kind::kNone;
}

void Parse(const Packet& packet, Parsed& parsed) noexcept {
  if (!ParseCommon(packet, parsed)) [[unlikely]]
    ParseAny(packet, parsed);
}

}  // namespace tandem::net
