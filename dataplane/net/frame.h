// SPDX-License-Identifier: Apache-2.0
//
// Writing the small frames that Tandem sends of its own: ARP (RFC 826), neighbour discovery (RFC 4861),
// TCP RST (RFC 9293 section 3.5.2), ICMP errors (RFC 1812 section 4.3.2, RFC 4443 section 2.4), echo
// replies; and UDP to a mirroring peer.
//
// Builders write into a caller's buffer of kOriginatedFrameMax bytes and return the frame length, or
// 0 when no such frame may be sent (RST to a RST; ICMP error about an ICMP error, a fragment that is
// not the first, a multicast or a group MAC). Frames are padded to kFrameMin.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/base/ip_address.h"
#include "dataplane/base/limits.h"
#include "dataplane/net/packet.h"
#include "dataplane/net/parse.h"

namespace tandem::net {

struct LinkHeader {
  MacAddress destination{};
  MacAddress source{};
  uint16_t vlan = kUntagged;
};

inline constexpr MacAddress kBroadcastMac = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

using FrameBuffer = std::span<uint8_t, kOriginatedFrameMax>;

struct ArpPacket {
  bool is_request = false;
  MacAddress sender_mac{};
  IpAddress sender;
  MacAddress target_mac{};
  IpAddress target;
};
// To everybody: `address` is at `mac` (RFC 5227 section 3).
ArpPacket ArpAnnouncement(const IpAddress& address, const MacAddress& mac);
// REQUIRES: parsed.kind == kArp. kArpBad when the fields make no sense.
DropReason ReadArp(const Packet& packet, const Parsed& parsed, ArpPacket& arp) noexcept;
size_t BuildArp(FrameBuffer out, const LinkHeader& link, const ArpPacket& arp) noexcept;
// A reverse ARP request (RFC 903) for the link's source: says nothing of addresses, is answered by
// nobody, and tells switches where that MAC is.
size_t BuildRarp(FrameBuffer out, const LinkHeader& link) noexcept;

struct NdPacket {
  bool is_solicitation = false;
  bool is_router = false;  // flags of an advertisement
  bool is_solicited = false;
  bool is_override = false;
  IpAddress source;  // of the IPv6 header; unset in duplicate address detection
  IpAddress destination;
  IpAddress target;
  bool has_link_address = false;  // source (solicitation) or target (advertisement) option
  MacAddress link_address{};
};
// To everybody: `address` is at `mac` (RFC 4861 section 7.2.6).
NdPacket NdAnnouncement(const IpAddress& address, const MacAddress& mac);
// REQUIRES: parsed.kind == kNd. Validates per RFC 4861 sections 7.1.1 and 7.1.2, ICMPv6 checksum
// included; kNdBad otherwise.
DropReason ReadNd(const Packet& packet, const Parsed& parsed, NdPacket& nd) noexcept;
size_t BuildNd(FrameBuffer out, const LinkHeader& link, const NdPacket& nd) noexcept;

// The solicited-node group of `target` (RFC 4291 section 2.7.1).
IpAddress SolicitedNode(const IpAddress& target);
// A group's Ethernet address (RFC 1112 section 6.4, RFC 2464 section 7).
MacAddress MulticastMac(const IpAddress& group);

// Answers an echo request in place, from `own`, which is its destination, or an address of ours when it
// went to a group: swaps addresses, fixes checksums; the caller sets the link.
// REQUIRES: kind kIcmpQuery, not a reply; `own` of its family.
void EchoReplyInPlace(Packet& packet, const Parsed& parsed, const IpAddress& own) noexcept;
// All hosts on a link: 224.0.0.1 (RFC 1112) or ff02::1 (RFC 4291 section 2.7.1).
IpAddress AllHosts(bool is_v4);
// An echo request to AllHosts, of the source's family, that no router passes on. Identifier, sequence
// number 0, without data.
size_t BuildEchoToAllHosts(FrameBuffer out, const LinkHeader& link,
                           const IpAddress& source) noexcept;

// UDP of our own. Ports in host byte order.
struct UdpSpec {
  IpAddress source;
  IpAddress destination;  // the source's family
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  uint8_t ttl = 64;
};
// Bytes of IP and UDP headers.
size_t UdpHeadersSize(bool is_v4) noexcept;
// Of the payload, from the start of a frame of BuildUdp's.
size_t UdpPayloadOffset(const LinkHeader& link, bool is_v4) noexcept;
// Writes the headers, checksums included, in front of `payload_size` bytes that stand in `frame` behind
// the room for them, and returns the length of the frame.
// REQUIRES: frame.size() is kFrameMin or more and holds all of it.
size_t BuildUdp(std::span<uint8_t> frame, const LinkHeader& link, const UdpSpec& spec,
                size_t payload_size) noexcept;
// The payload of a datagram that came whole and undamaged: contiguous, no fragment, nothing behind it, and
// with a checksum that is right. Empty when it did not, or carries nothing. REQUIRES: parsed.kind == kUdp.
std::span<const uint8_t> UdpPayload(const Packet& packet, const Parsed& parsed) noexcept;

// A RST that answers the segment in `packet` (RFC 9293 section 3.10.7.1).
size_t BuildTcpReset(FrameBuffer out, const LinkHeader& link, const Packet& packet,
                     const Parsed& parsed) noexcept;

// A RST out of nowhere, for a flow that idled out. Ports in network byte order.
struct ResetSpec {
  IpAddress source;
  IpAddress destination;
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  uint32_t sequence = 0;
  uint32_t acknowledgement = 0;
};
size_t BuildTcpReset(FrameBuffer out, const LinkHeader& link, const ResetSpec& spec) noexcept;

enum class IcmpErrorKind : uint8_t {
  kPortUnreachable,
  kHostUnreachable,
  kAdminProhibited,
  kTimeExceeded,
  kTooBig
};
// An ICMP error about `packet` from `source` (one of our addresses). `mtu` for kTooBig only.
size_t BuildIcmpError(FrameBuffer out, const LinkHeader& link, const IpAddress& source,
                      const Packet& packet, const Parsed& parsed, IcmpErrorKind kind,
                      uint16_t mtu) noexcept;

}  // namespace tandem::net
