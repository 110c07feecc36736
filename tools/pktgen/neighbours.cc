// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/neighbours.h"

namespace tandem::pktgen {

size_t Neighbours::Answer(const net::Packet& packet, const net::Parsed& parsed,
                          net::FrameBuffer out) {
  return parsed.kind == net::Kind::kArp ? AnswerArp(packet, parsed, out)
                                        : AnswerNd(packet, parsed, out);
}

void Neighbours::Learn(const IpAddress& address, const MacAddress& mac) {
  if (!target_.is_unset() && address == target_) found_ = mac;
}

size_t Neighbours::AnswerArp(const net::Packet& packet, const net::Parsed& parsed,
                             net::FrameBuffer out) {
  net::ArpPacket arp;
  if (net::ReadArp(packet, parsed, arp) != DropReason::kNone) return 0;
  Learn(arp.sender, arp.sender_mac);
  // An announcement has its own address for a target.
  if (!arp.is_request || arp.sender == arp.target || !owns_(arp.target)) return 0;
  const net::ArpPacket answer = {false, mac_, arp.target, arp.sender_mac, arp.sender};
  return net::BuildArp(out, {arp.sender_mac, mac_}, answer);
}

size_t Neighbours::AnswerNd(const net::Packet& packet, const net::Parsed& parsed,
                            net::FrameBuffer out) {
  net::NdPacket nd;
  if (net::ReadNd(packet, parsed, nd) != DropReason::kNone) return 0;
  if (!nd.is_solicitation) {
    if (nd.has_link_address) Learn(nd.target, nd.link_address);
    return 0;
  }
  if (nd.has_link_address) Learn(nd.source, nd.link_address);
  // Without a link address the question is a detection of duplicates, and comes from nobody.
  if (!nd.has_link_address || nd.source.is_unset() || !owns_(nd.target)) return 0;
  net::NdPacket answer;
  answer.is_solicited = true;
  answer.is_override = true;
  answer.source = nd.target;
  answer.destination = nd.source;
  answer.target = nd.target;
  answer.has_link_address = true;
  answer.link_address = mac_;
  return net::BuildNd(out, {nd.link_address, mac_}, answer);
}

void Neighbours::LookFor(const IpAddress& target, const IpAddress& source) {
  target_ = target;
  source_ = source;
  found_.reset();
  ask_at_ = 0;
}

size_t Neighbours::Ask(Nanos now, net::FrameBuffer out) {
  if (target_.is_unset() || found_ || now < ask_at_) return 0;
  ask_at_ = now + kAskEvery;
  if (target_.is_v4()) {
    return net::BuildArp(out, {net::kBroadcastMac, mac_}, {true, mac_, source_, {}, target_});
  }
  const IpAddress group = net::SolicitedNode(target_);
  net::NdPacket question;
  question.is_solicitation = true;
  question.source = source_;
  question.destination = group;
  question.target = target_;
  question.has_link_address = true;
  question.link_address = mac_;
  return net::BuildNd(out, {net::MulticastMac(group), mac_}, question);
}

}  // namespace tandem::pktgen
