// SPDX-License-Identifier: Apache-2.0
//
// ARP over Ethernet for IPv4 (RFC 826).
#include "dataplane/net/frame_writer.h"

namespace tandem::net {
namespace {

// Offsets in the 28 bytes.
constexpr size_t kHardware = 0;
constexpr size_t kProtocol = 2;
constexpr size_t kAddressLengths = 4;
constexpr size_t kOperation = 6;
constexpr size_t kSenderMac = 8;
constexpr size_t kSender = 14;
constexpr size_t kTargetMac = 18;
constexpr size_t kTarget = 24;

constexpr uint16_t kEthernet = 1;
constexpr uint16_t kLengths = 0x0604;
constexpr uint16_t kRequest = 1;
constexpr uint16_t kReply = 2;
constexpr uint16_t kReverseRequest = 3;

IpAddress ReadAddress(const uint8_t* from) {
  uint32_t address = 0;
  std::memcpy(&address, from, sizeof(address));
  return IpAddress::V4(address);
}

// What a neighbour may call itself. 0.0.0.0 asks whether an address is free (RFC 5227 section 1.1)
// and is never an answer's sender.
bool IsSenderBad(const uint8_t* arp, bool is_request) {
  const uint8_t first = arp[kSender];
  const bool is_unset = Load32(arp + kSender) == 0;
  return (is_unset && !is_request) || (first == 0 && !is_unset) || first == 127 ||
         (first & 0xf0) == 0xe0 || Load32(arp + kSender) == 0xffffffff;
}

size_t Build(FrameBuffer out, const LinkHeader& link, uint16_t ether_type, uint16_t operation,
             const ArpPacket& arp) {
  internal::WriteLink(out.data(), link, ether_type);
  const size_t offset = internal::LinkSize(link);
  uint8_t* to = out.data() + offset;
  const uint32_t sender = arp.sender.v4();
  const uint32_t target = arp.target.v4();
  Store16(to + kHardware, kEthernet);
  Store16(to + kProtocol, RTE_ETHER_TYPE_IPV4);
  Store16(to + kAddressLengths, kLengths);
  Store16(to + kOperation, operation);
  std::memcpy(to + kSenderMac, arp.sender_mac.data(), 6);
  std::memcpy(to + kSender, &sender, 4);
  std::memcpy(to + kTargetMac, arp.target_mac.data(), 6);
  std::memcpy(to + kTarget, &target, 4);
  return internal::Pad(out, offset + kArpSize);
}

}  // namespace

DropReason ReadArp(const Packet& packet, const Parsed& parsed, ArpPacket& arp) noexcept {
  const uint8_t* from = packet.data + parsed.l3_offset;
  const uint16_t operation = Load16(from + kOperation);
  // A group MAC for a neighbour would spread its traffic over the link (RFC 1812 section 3.3.2).
  if (Load16(from + kHardware) != kEthernet || Load16(from + kProtocol) != RTE_ETHER_TYPE_IPV4 ||
      Load16(from + kAddressLengths) != kLengths ||
      (operation != kRequest && operation != kReply) || (from[kSenderMac] & RTE_ETHER_GROUP_ADDR) ||
      IsSenderBad(from, operation == kRequest)) {
    return DropReason::kArpBad;
  }
  arp.is_request = operation == kRequest;
  std::memcpy(arp.sender_mac.data(), from + kSenderMac, 6);
  arp.sender = ReadAddress(from + kSender);
  std::memcpy(arp.target_mac.data(), from + kTargetMac, 6);
  arp.target = ReadAddress(from + kTarget);
  return DropReason::kNone;
}

size_t BuildArp(FrameBuffer out, const LinkHeader& link, const ArpPacket& arp) noexcept {
  return Build(out, link, RTE_ETHER_TYPE_ARP, arp.is_request ? kRequest : kReply, arp);
}

ArpPacket ArpAnnouncement(const IpAddress& address, const MacAddress& mac) {
  ArpPacket arp;
  arp.is_request = true;
  arp.sender_mac = mac;
  arp.sender = arp.target = address;
  return arp;
}

size_t BuildRarp(FrameBuffer out, const LinkHeader& link) noexcept {
  ArpPacket arp;
  arp.sender_mac = arp.target_mac = link.source;
  arp.sender = arp.target = IpAddress::V4(0);
  return Build(out, link, RTE_ETHER_TYPE_RARP, kReverseRequest, arp);
}

}  // namespace tandem::net
