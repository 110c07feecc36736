// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/neighbours.h"

#include <array>
#include <cstring>

#include "dataplane/net/frame.h"
#include "dataplane/pipeline/originate.h"

namespace tandem::pipeline {
namespace {

// A local address that answers on `interface`; nullptr when it is not ours to answer for.
const config::LocalAddress* Answerable(const Context& context, const config::Interface& interface,
                                       const IpAddress& address) {
  const config::LocalAddress* local = context.snapshot->addresses.Find(address);
  if (local == nullptr || !local->arp || IsSilent(context, local->traffic_group)) return nullptr;
  return local->interface == 0 || local->interface == interface.id ? local : nullptr;
}

void Tell(Context& context, const neighbour::Message& message) {
  if (context.resolver != nullptr) {
    neighbour::Probe probe;
    if (context.resolver->Handle(message, context.tick, probe)) SendProbe(context, probe);
  } else {
    // A full ring loses news that the next packet brings again.
    static_cast<void>(context.shared.exchange.Tell(context.worker, message));
  }
}

// What a packet says about its sender. `for_us`: it was addressed to one of our addresses.
void Learn(Context& context, const config::Interface& interface, const IpAddress& address,
           const MacAddress& mac, neighbour::Message::Kind kind, bool for_us) {
  if (address.is_unset() || address == IpAddress::V4(0)) return;
  // Nobody else has our address, but who took it over.
  if (const config::LocalAddress* local = context.snapshot->addresses.Find(address)) {
    LearnSuccessor(context, interface.id, local->traffic_group, mac);
    return;
  }
  if (!IsOnLink(interface, address)) return;
  neighbour::Message message;
  message.kind = kind;
  message.address = address;
  message.interface = interface.id;
  message.mac = mac;
  message.may_create = for_us;
  // Without `for_us` only an existing entry is refreshed; a lookup here spares the owner the noise.
  if (!for_us && context.shared.neighbours.Find(interface.id, address).index == 0) return;
  Tell(context, message);
}

void AnswerSolicitation(Context& context, const Work& work, const net::NdPacket& asked,
                        const MacAddress& our_mac) {
  net::NdPacket reply;
  reply.target = asked.target;
  reply.source = asked.target;
  reply.is_override = true;
  reply.has_link_address = true;
  reply.link_address = our_mac;
  net::LinkHeader link;
  link.source = our_mac;
  link.vlan = work.interface->vlan;
  if (asked.source.is_unset()) {  // duplicate address detection: tell everyone (RFC 4861 7.2.4)
    reply.destination = net::AllHosts(false);
    link.destination = net::MulticastMac(reply.destination);
  } else {
    reply.is_solicited = true;
    reply.destination = asked.source;
    std::memcpy(link.destination.data(), work.packet.data + 6, 6);
  }
  Originate(context, work.interface->port,
            [&](net::FrameBuffer out) { return net::BuildNd(out, link, reply); });
}

// In each family that we have an address of: hosts may answer in one of them only, or not at all.
void AskAllHosts(Context& context, const config::Interface& interface) {
  for (const bool is_v4 : {true, false}) {
    const IpAddress group = net::AllHosts(is_v4);
    const IpAddress source = AddressTowards(context, interface, group);
    if (source.is_unset()) continue;
    const net::LinkHeader link{net::MulticastMac(group), interface.mac, interface.vlan};
    Originate(context, interface.port,
              [&](net::FrameBuffer out) { return net::BuildEchoToAllHosts(out, link, source); });
  }
}

}  // namespace

bool IsOnLink(const config::Interface& interface, const IpAddress& address) noexcept {
  for (const IpPrefix& self : interface.self_ips) {
    if (self.Contains(address)) return true;
  }
  return address.is_link_local() && !address.is_v4();
}

// A standby's floating addresses are the active's: who is asked would remember our MAC for them.
IpAddress AddressTowards(const Context& context, const config::Interface& interface,
                         const IpAddress& neighbour) noexcept {
  IpAddress fallback;
  for (const IpPrefix& self : interface.self_ips) {
    if (self.address.is_v4() != neighbour.is_v4() || IsSilentAddress(context, self.address)) {
      continue;
    }
    if (self.Contains(neighbour)) return self.address;
    fallback = self.address;
  }
  return fallback;
}

void HandleArp(Context& context, const Work& work) noexcept {
  net::ArpPacket arp;
  const DropReason reason = net::ReadArp(work.packet, work.parsed, arp);
  if (reason != DropReason::kNone) return Drop(context, work.packet, reason);
  const config::LocalAddress* local = Answerable(context, *work.interface, arp.target);
  Learn(context, *work.interface, arp.sender, arp.sender_mac, neighbour::Message::Kind::kLearn,
        local != nullptr);
  if (arp.is_request && local != nullptr) {
    net::ArpPacket reply;
    reply.sender = arp.target;
    reply.sender_mac = context.snapshot->MacOf(*work.interface, local->traffic_group);
    reply.target = arp.sender;
    reply.target_mac = arp.sender_mac;
    const net::LinkHeader link{arp.sender_mac, reply.sender_mac, work.interface->vlan};
    Originate(context, work.interface->port,
              [&](net::FrameBuffer out) { return net::BuildArp(out, link, reply); });
  }
  Consume(context, work.packet);
}

void HandleNd(Context& context, const Work& work) noexcept {
  net::NdPacket nd;
  const DropReason reason = net::ReadNd(work.packet, work.parsed, nd);
  if (reason != DropReason::kNone) return Drop(context, work.packet, reason);
  if (nd.is_solicitation) {
    const config::LocalAddress* local = Answerable(context, *work.interface, nd.target);
    if (nd.has_link_address) {
      Learn(context, *work.interface, nd.source, nd.link_address, neighbour::Message::Kind::kLearn,
            local != nullptr);
    }
    if (local != nullptr) {
      AnswerSolicitation(context, work, nd,
                         context.snapshot->MacOf(*work.interface, local->traffic_group));
    }
  } else if (nd.has_link_address) {
    Learn(context, *work.interface, nd.target, nd.link_address,
          nd.is_override ? neighbour::Message::Kind::kLearn : neighbour::Message::Kind::kConfirm,
          false);
  }
  Consume(context, work.packet);
}

void AskNeighbour(Context& context, config::InterfaceId interface,
                  const IpAddress& address) noexcept {
  neighbour::Message message;
  message.kind = neighbour::Message::Kind::kResolve;
  message.interface = interface;
  message.address = address;
  Tell(context, message);
}

void SendProbe(Context& context, const neighbour::Probe& probe) noexcept {
  const auto& interfaces = context.snapshot->interfaces;
  if (probe.interface >= interfaces.size() || interfaces[probe.interface].id == 0) return;
  const config::Interface& interface = interfaces[probe.interface];
  if (probe.address.is_unset()) return AskAllHosts(context, interface);
  const IpAddress source = AddressTowards(context, interface, probe.address);
  if (source.is_unset()) return;
  net::LinkHeader link{probe.mac, interface.mac, interface.vlan};
  if (probe.address.is_v4()) {
    if (!probe.unicast) link.destination = net::kBroadcastMac;
    net::ArpPacket request;
    request.is_request = true;
    request.sender = source;
    request.sender_mac = interface.mac;
    request.target = probe.address;
    Originate(context, interface.port,
              [&](net::FrameBuffer out) { return net::BuildArp(out, link, request); });
    return;
  }
  net::NdPacket solicitation;
  solicitation.is_solicitation = true;
  solicitation.source = source;
  solicitation.target = probe.address;
  solicitation.destination = probe.unicast ? probe.address : net::SolicitedNode(probe.address);
  solicitation.has_link_address = true;
  solicitation.link_address = interface.mac;
  if (!probe.unicast) link.destination = net::MulticastMac(solicitation.destination);
  Originate(context, interface.port,
            [&](net::FrameBuffer out) { return net::BuildNd(out, link, solicitation); });
}

void RunResolver(Context& context, unsigned budget) noexcept {
  std::array<neighbour::Message, 32> messages;
  const size_t count = context.shared.exchange.Hear(messages);
  for (size_t i = 0; i < count; ++i)
    Tell(context, messages[i]);
  context.resolver->Advance(context.tick, budget, [&context](const neighbour::Probe& probe) {
    SendProbe(context, probe);
  });
}

}  // namespace tandem::pipeline
