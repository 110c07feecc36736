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

// Whether a frame that Parse refused may be a healthy one of somebody else's.
bool IsForeign(DropReason drop) {
  return drop == DropReason::kVlanStacked || drop == DropReason::kEtherTypeUnknown;
}

}  // namespace

Link::Link(const Options& options) : mac_(options.mac), address_(options.address) {
  for (const IpAddress& peer : options.peers)
    neighbours_.push_back({.address = peer});
}

uint32_t Link::SetAddresses(const IpPrefix& address, std::span<const IpAddress> peers) noexcept {
  const bool are_all = address != address_;
  address_ = address;
  uint32_t changed = 0;
  for (size_t i = 0; i < std::min(peers.size(), neighbours_.size()); ++i) {
    if (!are_all && neighbours_[i].address == peers[i]) continue;
    neighbours_[i] = {.address = peers[i]};
    changed |= 1U << i;
  }
  return changed;
}

Link::Neighbour* Link::Find(const IpAddress& address) noexcept {
  const auto found = std::ranges::find(neighbours_, address, &Neighbour::address);
  return found != neighbours_.end() ? &*found : nullptr;
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
  const bool is_ours = std::equal(mac_.begin(), mac_.end(), frame.begin());
  const bool is_tagged = (parsed.flags & net::kVlanTag) != 0;
  if (!is_tagged && parsed.kind == net::Kind::kArp && (is_group || is_ours) && is_v4()) {
    ReceiveArp(packet, parsed, now, sink);
  } else if (!is_tagged && parsed.kind == net::Kind::kNd && (is_group || is_ours) && !is_v4()) {
    ReceiveNd(packet, parsed, now, sink);
  } else if (!is_tagged && parsed.kind == net::Kind::kUdp && is_ours) {
    return ReceiveUdp(packet, parsed);
  } else {
    counters_.not_for_us.Add(1);
  }
  return std::nullopt;
}

// The peer that it is from, if it is for a port of this device's. REQUIRES: kind kUdp.
const Link::Neighbour* Link::SenderToUs(const net::Parsed& parsed) noexcept {
  if (parsed.is_ipv6() == is_v4()) return nullptr;
  const uint16_t port = __builtin_bswap16(parsed.is_ipv6() ? parsed.key6.destination_port
                                                           : parsed.key4.destination_port);
  if (port < kControlPort || port > kLastChannelPort) return nullptr;
  if (net::DestinationOf(parsed) != address_.address) return nullptr;
  return Find(net::SourceOf(parsed));
}

std::optional<Link::Datagram> Link::ReceiveUdp(const net::Packet& packet,
                                               const net::Parsed& parsed) {
  const Neighbour* const sender = SenderToUs(parsed);
  if (sender == nullptr) {
    counters_.not_for_us.Add(1);
    return std::nullopt;
  }
  if (parsed.ttl != kTtl) {
    counters_.ttl.Add(1);
    return std::nullopt;
  }
  const std::span<const uint8_t> payload = net::UdpPayload(packet, parsed);
  // The peer sends nothing between the headers.
  if (payload.empty() || parsed.l4_offset != parsed.l3_offset + ip_overhead() - net::kUdpSize) {
    counters_.malformed.Add(1);
    return std::nullopt;
  }
  Datagram datagram;
  datagram.peer = static_cast<config::PeerIndex>(sender - neighbours_.data());
  datagram.destination_port = net::Load16(payload.data() - net::kUdpSize + 2);
  datagram.ip_length = static_cast<uint16_t>(parsed.ip_length);
  datagram.payload = payload;
  return datagram;
}

void Link::ReceiveArp(const net::Packet& packet, const net::Parsed& parsed, Nanos now,
                      FrameSink& sink) {
  net::ArpPacket arp;
  if (net::ReadArp(packet, parsed, arp) != DropReason::kNone) return counters_.malformed.Add(1);
  Neighbour* const peer = Find(arp.sender);
  if (arp.target != address_.address || (!arp.is_request && peer == nullptr)) {
    return counters_.not_for_us.Add(1);
  }
  if (peer != nullptr) peer->Learn(arp.sender_mac, now);
  if (!arp.is_request) return;
  net::ArpPacket answer;
  answer.sender = address_.address;
  answer.sender_mac = mac_;
  answer.target = arp.sender;
  answer.target_mac = arp.sender_mac;
  const net::LinkHeader link{arp.sender_mac, mac_};
  Send(sink, [&](net::FrameBuffer out) { return net::BuildArp(out, link, answer); });
}

void Link::ReceiveNd(const net::Packet& packet, const net::Parsed& parsed, Nanos now,
                     FrameSink& sink) {
  net::NdPacket nd;
  if (net::ReadNd(packet, parsed, nd) != DropReason::kNone) return counters_.malformed.Add(1);
  Neighbour* const peer = Find(nd.is_solicitation ? nd.source : nd.target);
  if (nd.is_solicitation ? nd.target != address_.address : peer == nullptr) {
    return counters_.not_for_us.Add(1);
  }
  if (!nd.is_solicitation) {
    // Without override it confirms what is known and replaces nothing (RFC 4861 section 7.2.5).
    const bool may_learn = nd.is_override || !peer->is_known || nd.link_address == peer->mac;
    if (nd.has_link_address && may_learn) peer->Learn(nd.link_address, now);
    return;
  }
  if (peer != nullptr && nd.has_link_address) peer->Learn(nd.link_address, now);
  AnswerSolicitation(packet, nd, sink);
}

void Link::AnswerSolicitation(const net::Packet& packet, const net::NdPacket& asked,
                              FrameSink& sink) {
  net::NdPacket answer;
  answer.source = address_.address;
  answer.target = address_.address;
  answer.is_override = true;
  answer.has_link_address = true;
  answer.link_address = mac_;
  net::LinkHeader link;
  link.source = mac_;
  if (asked.source.is_unset()) {  // duplicate address detection: tell everyone (RFC 4861 7.2.4)
    answer.destination = net::AllHosts(false);
    link.destination = net::MulticastMac(answer.destination);
  } else {
    answer.is_solicited = true;
    answer.destination = asked.source;
    std::memcpy(link.destination.data(), packet.data + 6, 6);
  }
  Send(sink, [&](net::FrameBuffer out) { return net::BuildNd(out, link, answer); });
}

void Link::Neighbour::Learn(const MacAddress& its, Nanos now) noexcept {
  mac = its;
  is_known = true;
  heard_at = now;
}

void Link::AskIfDue(Neighbour& neighbour, Nanos now, FrameSink& sink) {
  if (neighbour.is_known && now - neighbour.heard_at < kReachable) return;
  if (neighbour.asked_at != 0 && now - neighbour.asked_at < kAskInterval) return;
  neighbour.asked_at = std::max(now, Nanos{1});
  Ask(neighbour, neighbour.is_known && now - neighbour.heard_at < kReachable + kAskKnownMac, sink);
}

// `at_known`: at the MAC that is known, and nowhere else.
void Link::Ask(const Neighbour& neighbour, bool at_known, FrameSink& sink) {
  if (is_v4()) {
    net::ArpPacket request;
    request.is_request = true;
    request.sender = address_.address;
    request.sender_mac = mac_;
    request.target = neighbour.address;
    const net::LinkHeader link{at_known ? neighbour.mac : net::kBroadcastMac, mac_};
    Send(sink, [&](net::FrameBuffer out) { return net::BuildArp(out, link, request); });
    return;
  }
  net::NdPacket solicitation;
  solicitation.is_solicitation = true;
  solicitation.source = address_.address;
  solicitation.target = neighbour.address;
  solicitation.destination = at_known ? neighbour.address : net::SolicitedNode(neighbour.address);
  solicitation.has_link_address = true;
  solicitation.link_address = mac_;
  const net::LinkHeader link{at_known ? neighbour.mac : net::MulticastMac(solicitation.destination),
                             mac_};
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

std::span<uint8_t> Link::BeginDatagram(config::PeerIndex peer, size_t size, Nanos now,
                                       FrameSink& sink) {
  Neighbour& neighbour = neighbours_[peer];
  AskIfDue(neighbour, now, sink);
  begun_ = {};
  if (!neighbour.is_known) {
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
  to_ = &neighbour;
  return begun_.subspan(overhead(), size);
}

void Link::CommitDatagram(uint16_t source_port, uint16_t destination_port, size_t used,
                          FrameSink& sink) {
  if (begun_.size() < overhead() + used) return;
  const net::LinkHeader link{to_->mac, mac_};
  net::UdpSpec spec{address_.address, to_->address, source_port, destination_port, kTtl};
  const size_t length = net::BuildUdp(begun_, link, spec, used);
  begun_ = {};
  sink.Commit(length);
  counters_.sent.Add(1);
  counters_.sent_bytes.Add(length);
}

}  // namespace tandem::mirror
