// SPDX-License-Identifier: Apache-2.0
#include "dataplane/mirror/link.h"

#include <algorithm>
#include <cstring>

#include "dataplane/mirror/frame.h"
#include "dataplane/net/headers.h"

namespace tandem::mirror {
namespace {

constexpr uint8_t kTtl = 255;
constexpr uint16_t kLastChannelPort =
    kFirstChannelPort + static_cast<uint16_t>(kTrafficGroupsMax) - 1;
constexpr Nanos kReachable = 30 * kSecond;       // RFC 4861 section 10
constexpr Nanos kAskKnownMac = 3 * kSecond;      // then everybody is asked
constexpr Nanos kAskInterval = kSecond / 3 + 1;  // three times a second at most
constexpr MacAddress kBroadcast = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

// ff02::1
IpAddress AllNodes() {
  uint8_t bytes[16] = {0xff, 0x02};
  bytes[15] = 1;
  return IpAddress::V6(bytes);
}

// Whether a frame that Parse refused may be a healthy one of somebody else's.
bool IsForeign(DropReason drop) {
  return drop == DropReason::kVlanStacked || drop == DropReason::kEtherTypeUnknown;
}

}  // namespace

Link::Link(const Options& options) : options_(options) {}

bool Link::SetAddresses(const IpPrefix& address, const IpAddress& peer) noexcept {
  if (address == options_.address && peer == options_.peer) return false;
  options_.address = address;
  options_.peer = peer;
  peer_known_ = false;
  asked_at_ = 0;
  return true;
}

size_t Link::overhead() const noexcept {
  return net::kEthernetSize + ip_overhead();
}

size_t Link::ip_overhead() const noexcept {
  return net::UdpHeadersSize(is_v4());
}

std::optional<Link::Datagram> Link::Receive(std::span<const uint8_t> frame, Nanos now,
                                            FrameSink& sink) {
  counters_.received.Add(1);
  counters_.received_bytes.Add(frame.size());
  net::Packet packet;
  packet.data = const_cast<uint8_t*>(frame.data());  // nobody below writes
  packet.length = static_cast<uint32_t>(frame.size());
  packet.contiguous = packet.length;
  net::Parsed parsed;
  net::Parse(packet, parsed);
  if (parsed.drop != DropReason::kNone) {
    (IsForeign(parsed.drop) ? counters_.not_for_us : counters_.malformed).Add(1);
    return std::nullopt;
  }
  const bool is_group = (parsed.flags & net::kGroupMac) != 0;
  const bool is_ours = std::equal(options_.mac.begin(), options_.mac.end(), frame.begin());
  const bool is_tagged = (parsed.flags & net::kVlanTag) != 0;
  if (!is_tagged && parsed.kind == net::Kind::kArp && (is_group || is_ours) && is_v4()) {
    ReceiveArp(packet, parsed, now, sink);
  } else if (!is_tagged && parsed.kind == net::Kind::kNd && (is_group || is_ours) && !is_v4()) {
    ReceiveNd(packet, parsed, now, sink);
  } else if (!is_tagged && parsed.kind == net::Kind::kUdp && is_ours && IsForUs(parsed)) {
    return ReceiveUdp(packet, parsed);
  } else {
    counters_.not_for_us.Add(1);
  }
  return std::nullopt;
}

// REQUIRES: kind kUdp.
bool Link::IsForUs(const net::Parsed& parsed) const noexcept {
  if (parsed.is_ipv6() == is_v4()) return false;
  const uint16_t port = __builtin_bswap16(parsed.is_ipv6() ? parsed.key6.destination_port
                                                           : parsed.key4.destination_port);
  if (port < kControlPort || port > kLastChannelPort) return false;
  if (!parsed.is_ipv6()) {
    return parsed.key4.source == options_.peer.v4() &&
           parsed.key4.destination == options_.address.address.v4();
  }
  return IpAddress::V6(parsed.key6.source.bytes) == options_.peer &&
         IpAddress::V6(parsed.key6.destination.bytes) == options_.address.address;
}

std::optional<Link::Datagram> Link::ReceiveUdp(const net::Packet& packet,
                                               const net::Parsed& parsed) {
  if (parsed.ttl != kTtl) {
    counters_.ttl.Add(1);
    return std::nullopt;
  }
  const uint8_t* udp = packet.data + parsed.l4_offset;
  // The peer sends nothing between the headers, and nothing behind the datagram.
  if ((parsed.flags & net::kFirstFragment) ||
      parsed.l4_offset != parsed.l3_offset + ip_overhead() - net::kUdpSize ||
      net::Load16(udp + 4) != parsed.l4_length || !net::IsUdpChecksumGood(packet, parsed)) {
    counters_.malformed.Add(1);
    return std::nullopt;
  }
  Datagram datagram;
  datagram.destination_port = net::Load16(udp + 2);
  datagram.ip_length = static_cast<uint16_t>(parsed.ip_length);
  datagram.payload = {udp + net::kUdpSize, parsed.l4_length - net::kUdpSize};
  return datagram;
}

void Link::ReceiveArp(const net::Packet& packet, const net::Parsed& parsed, Nanos now,
                      FrameSink& sink) {
  net::ArpPacket arp;
  if (net::ReadArp(packet, parsed, arp) != DropReason::kNone) return counters_.malformed.Add(1);
  const bool is_peers = arp.sender == options_.peer;
  if (arp.target != options_.address.address || (!arp.is_request && !is_peers)) {
    return counters_.not_for_us.Add(1);
  }
  if (is_peers) Learn(arp.sender_mac, now);
  if (!arp.is_request) return;
  net::ArpPacket answer;
  answer.sender = options_.address.address;
  answer.sender_mac = options_.mac;
  answer.target = arp.sender;
  answer.target_mac = arp.sender_mac;
  const net::LinkHeader link{arp.sender_mac, options_.mac};
  Send(sink, [&](net::FrameBuffer out) { return net::BuildArp(out, link, answer); });
}

void Link::ReceiveNd(const net::Packet& packet, const net::Parsed& parsed, Nanos now,
                     FrameSink& sink) {
  net::NdPacket nd;
  if (net::ReadNd(packet, parsed, nd) != DropReason::kNone) return counters_.malformed.Add(1);
  const IpAddress& wanted = nd.is_solicitation ? options_.address.address : options_.peer;
  if (nd.target != wanted) return counters_.not_for_us.Add(1);
  if (!nd.is_solicitation) {
    // Without override it confirms what is known and replaces nothing (RFC 4861 section 7.2.5).
    const bool may_learn = nd.is_override || !peer_known_ || nd.link_address == peer_mac_;
    if (nd.has_link_address && may_learn) Learn(nd.link_address, now);
    return;
  }
  if (nd.source == options_.peer && nd.has_link_address) Learn(nd.link_address, now);
  AnswerSolicitation(packet, nd, sink);
}

void Link::AnswerSolicitation(const net::Packet& packet, const net::NdPacket& asked,
                              FrameSink& sink) {
  net::NdPacket answer;
  answer.source = options_.address.address;
  answer.target = options_.address.address;
  answer.is_override = true;
  answer.has_link_address = true;
  answer.link_address = options_.mac;
  net::LinkHeader link;
  link.source = options_.mac;
  if (asked.source.is_unset()) {  // duplicate address detection: tell everyone (RFC 4861 7.2.4)
    answer.destination = AllNodes();
    link.destination = net::MulticastMac(answer.destination);
  } else {
    answer.is_solicited = true;
    answer.destination = asked.source;
    std::memcpy(link.destination.data(), packet.data + 6, 6);
  }
  Send(sink, [&](net::FrameBuffer out) { return net::BuildNd(out, link, answer); });
}

void Link::Learn(const MacAddress& mac, Nanos now) noexcept {
  peer_mac_ = mac;
  peer_known_ = true;
  heard_at_ = now;
}

void Link::AskIfDue(Nanos now, FrameSink& sink) {
  if (peer_known_ && now - heard_at_ < kReachable) return;
  if (asked_at_ != 0 && now - asked_at_ < kAskInterval) return;
  asked_at_ = std::max(now, Nanos{1});
  const bool is_recent = peer_known_ && now - heard_at_ < kReachable + kAskKnownMac;
  Ask(is_recent ? &peer_mac_ : nullptr, sink);
}

// `known`: asks there and nowhere else.
void Link::Ask(const MacAddress* known, FrameSink& sink) {
  if (is_v4()) {
    net::ArpPacket request;
    request.is_request = true;
    request.sender = options_.address.address;
    request.sender_mac = options_.mac;
    request.target = options_.peer;
    const net::LinkHeader link{known != nullptr ? *known : kBroadcast, options_.mac};
    Send(sink, [&](net::FrameBuffer out) { return net::BuildArp(out, link, request); });
    return;
  }
  net::NdPacket solicitation;
  solicitation.is_solicitation = true;
  solicitation.source = options_.address.address;
  solicitation.target = options_.peer;
  solicitation.destination = known != nullptr ? options_.peer : net::SolicitedNode(options_.peer);
  solicitation.has_link_address = true;
  solicitation.link_address = options_.mac;
  const net::LinkHeader link{
      known != nullptr ? *known : net::MulticastMac(solicitation.destination), options_.mac};
  Send(sink, [&](net::FrameBuffer out) { return net::BuildNd(out, link, solicitation); });
}

template <class Build>
void Link::Send(FrameSink& sink, Build&& build) {
  begun_ = {};
  const std::span<uint8_t> room = sink.Begin(kOriginatedFrameMax);
  if (room.size() < kOriginatedFrameMax) return counters_.no_buffer.Add(1);
  const size_t length = build(net::FrameBuffer(room.data(), kOriginatedFrameMax));
  sink.Commit(length);
  counters_.sent.Add(1);
  counters_.sent_bytes.Add(length);
}

std::span<uint8_t> Link::BeginDatagram(size_t size, Nanos now, FrameSink& sink) {
  AskIfDue(now, sink);
  begun_ = {};
  if (!peer_known_) {
    counters_.no_neighbour.Add(1);
    return {};
  }
  const size_t length = std::max(overhead() + size, kFrameMin);
  if (size <= kMirrorMtuMax - ip_overhead()) begun_ = sink.Begin(length);
  if (begun_.size() < length) {
    begun_ = {};
    counters_.no_buffer.Add(1);
    return {};
  }
  return begun_.subspan(overhead(), size);
}

void Link::CommitDatagram(uint16_t source_port, uint16_t destination_port, size_t used,
                          FrameSink& sink) {
  if (begun_.size() < overhead() + used) return;
  const net::LinkHeader link{peer_mac_, options_.mac};
  net::UdpSpec spec{options_.address.address, options_.peer, source_port, destination_port, kTtl};
  const size_t length = net::BuildUdp(begun_, link, spec, used);
  begun_ = {};
  sink.Commit(length);
  counters_.sent.Add(1);
  counters_.sent_bytes.Add(length);
}

}  // namespace tandem::mirror
