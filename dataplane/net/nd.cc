// SPDX-License-Identifier: Apache-2.0
//
// Neighbour discovery (RFC 4861): solicitations and advertisements.
#include "dataplane/net/frame_writer.h"

namespace tandem::net {
namespace {

constexpr size_t kFlags = 4;  // offsets in the message
constexpr size_t kTargetAt = 8;
constexpr uint8_t kRouterFlag = 0x80;
constexpr uint8_t kSolicitedFlag = 0x40;
constexpr uint8_t kOverrideFlag = 0x20;
constexpr uint8_t kSourceLinkAddress = 1;  // options, RFC 4861 section 4.6
constexpr uint8_t kTargetLinkAddress = 2;
constexpr size_t kLinkOptionSize = 8;  // type, length 1, Ethernet address (RFC 2464 section 6)
constexpr uint8_t kHopLimit = 255;

bool IsChecksumGood(const Packet& packet, const Parsed& parsed) {
  const uint8_t* addresses = packet.data + parsed.l3_offset + 8;
  const uint64_t pseudo =
      internal::PseudoHeaderSum(addresses, 32, kProtocolIcmpv6, parsed.l4_length);
  return ChecksumFold(ChecksumAdd(packet.data + parsed.l4_offset, parsed.l4_length, pseudo)) ==
         0xffff;
}

// False when an option has length 0 or runs past the end. The last address of the kind wanted wins.
bool ReadOptions(std::span<const uint8_t> options, NdPacket& nd) {
  const uint8_t wanted = nd.is_solicitation ? kSourceLinkAddress : kTargetLinkAddress;
  while (!options.empty()) {
    if (options.size() < 8) return false;
    const size_t size = options[1] * size_t{8};
    if (size == 0 || size > options.size()) return false;
    if (options[0] == wanted) {
      // Only a station's own address can be a neighbour's.
      if (size != kLinkOptionSize || (options[2] & RTE_ETHER_GROUP_ADDR)) return false;
      nd.has_link_address = true;
      std::memcpy(nd.link_address.data(), options.data() + 2, 6);
    }
    options = options.subspan(size);
  }
  return true;
}

// ff02::1:ff00:0/104
bool IsSolicitedNodeGroup(const IpAddress& address) {
  static constexpr uint8_t kPrefix[13] = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
  return std::memcmp(address.bytes().data(), kPrefix, sizeof(kPrefix)) == 0;
}

// RFC 4861 sections 7.1.1 and 7.1.2, behind hop limit, checksum, code and length.
bool IsSensible(const NdPacket& nd) {
  if (nd.target.is_multicast() || nd.target.is_unset() || nd.target.is_v4()) return false;
  if (!nd.is_solicitation) return !(nd.destination.is_multicast() && nd.is_solicited);
  if (!nd.source.is_unset()) return true;
  return IsSolicitedNodeGroup(nd.destination) && !nd.has_link_address;
}

}  // namespace

DropReason ReadNd(const Packet& packet, const Parsed& parsed, NdPacket& nd) noexcept {
  const uint8_t* message = packet.data + parsed.l4_offset;
  if (parsed.ttl != kHopLimit || parsed.l4_length < kNdSize || message[1] != 0 ||
      !IsChecksumGood(packet, parsed)) {
    return DropReason::kNdBad;
  }
  nd = NdPacket();
  nd.is_solicitation = message[0] == kIcmpv6Solicitation;
  if (!nd.is_solicitation) {
    nd.is_router = (message[kFlags] & kRouterFlag) != 0;
    nd.is_solicited = (message[kFlags] & kSolicitedFlag) != 0;
    nd.is_override = (message[kFlags] & kOverrideFlag) != 0;
  }
  nd.source = SourceOf(parsed);
  nd.destination = DestinationOf(parsed);
  nd.target = IpAddress::V6(message + kTargetAt);
  const std::span<const uint8_t> options(message + kNdSize, parsed.l4_length - kNdSize);
  if (!ReadOptions(options, nd) || !IsSensible(nd)) return DropReason::kNdBad;
  return DropReason::kNone;
}

size_t BuildNd(FrameBuffer out, const LinkHeader& link, const NdPacket& nd) noexcept {
  internal::WriteLink(out.data(), link, RTE_ETHER_TYPE_IPV6);
  const size_t l3 = internal::LinkSize(link);
  const size_t l4 = l3 + kIpv6Size;
  const size_t l4_length = kNdSize + (nd.has_link_address ? kLinkOptionSize : 0);
  internal::IpSpec ip{nd.source, nd.destination, kProtocolIcmpv6, kHopLimit};
  internal::WriteIpv6(out.data() + l3, ip, l4_length);
  uint8_t* message = out.data() + l4;
  std::memset(message, 0, l4_length);
  message[0] = nd.is_solicitation ? kIcmpv6Solicitation : kIcmpv6Advertisement;
  if (!nd.is_solicitation) {
    message[kFlags] = static_cast<uint8_t>((nd.is_router ? kRouterFlag : 0) |
                                           (nd.is_solicited ? kSolicitedFlag : 0) |
                                           (nd.is_override ? kOverrideFlag : 0));
  }
  std::memcpy(message + kTargetAt, nd.target.bytes().data(), 16);
  if (nd.has_link_address) {
    uint8_t* option = message + kNdSize;
    option[0] = nd.is_solicitation ? kSourceLinkAddress : kTargetLinkAddress;
    option[1] = 1;
    std::memcpy(option + 2, nd.link_address.data(), 6);
  }
  const uint16_t checksum = internal::L4Checksum(out.data() + l3, false, message, l4_length);
  std::memcpy(message + 2, &checksum, sizeof(checksum));
  return internal::Pad(out, l4 + l4_length);
}

NdPacket NdAnnouncement(const IpAddress& address, const MacAddress& mac) {
  NdPacket nd;
  nd.is_override = true;
  nd.source = nd.target = address;
  nd.destination = AllHosts(false);
  nd.has_link_address = true;
  nd.link_address = mac;
  return nd;
}

IpAddress SolicitedNode(const IpAddress& target) {
  uint8_t group[16] = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
  std::memcpy(group + 13, target.bytes().data() + 13, 3);
  return IpAddress::V6(group);
}

MacAddress MulticastMac(const IpAddress& group) {
  MacAddress mac = {0x33, 0x33};
  std::memcpy(mac.data() + 2, group.bytes().data() + 12, 4);
  if (!group.is_v4()) return mac;
  mac[0] = 0x01;
  mac[1] = 0x00;
  mac[2] = 0x5e;
  mac[3] &= 0x7f;
  return mac;
}

}  // namespace tandem::net
