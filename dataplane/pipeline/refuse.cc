// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/refuse.h"

#include <netinet/in.h>

#include <cstring>

#include "dataplane/pipeline/next_hop.h"
#include "dataplane/pipeline/originate.h"

namespace tandem::pipeline {
namespace {

// An answer goes back the way the packet came.
net::LinkHeader LinkBack(const Context& context, const Work& work) {
  net::LinkHeader link;
  std::memcpy(link.destination.data(), work.packet.data + 6, 6);
  link.source = work.interface->mac;
  const config::LocalAddress* local = context.snapshot->addresses.Find(DestinationOf(work.parsed));
  if (local != nullptr) {
    link.source = context.snapshot->MacOf(*work.interface, local->traffic_group);
  }
  link.vlan = work.interface->vlan;
  return link;
}

// Runs `build(frame)`, which returns a length or 0, under the rate limit.
template <class Build>
void Answer(Context& context, uint16_t port, Build&& build) {
  if (context.out->NextOriginated() == nullptr ||
      !context.reject_limiter.Allow(context.now, context.snapshot->reset_rate_max)) {
    context.counters.resets_suppressed.Add(1);
    return;
  }
  Originate(context, port, build);
}

// The address an ICMP error comes from: the interface's own, of the packet's family.
IpAddress SelfIpOf(const Context& context, const config::Interface& interface, bool ipv6) {
  for (const IpPrefix& self : interface.self_ips) {
    if (self.address.is_v4() != ipv6 && !self.address.is_link_local() &&
        !IsSilentAddress(context, self.address)) {
      return self.address;
    }
  }
  return {};
}

void SendIcmpError(Context& context, const Work& work, net::IcmpErrorKind kind, uint16_t mtu) {
  // About a service of ours the error comes from the address that was asked.
  const IpAddress destination = DestinationOf(work.parsed);
  const bool ours = kind == net::IcmpErrorKind::kPortUnreachable &&
                    context.snapshot->addresses.Find(destination) != nullptr;
  const IpAddress source =
      ours ? destination : SelfIpOf(context, *work.interface, work.parsed.is_ipv6());
  if (source.is_unset()) return;
  Answer(context, work.interface->port, [&](net::FrameBuffer out) {
    return net::BuildIcmpError(out, LinkBack(context, work), source, work.packet, work.parsed, kind,
                               mtu);
  });
}

void SendReset(Context& context, const NextHop& hop, const config::TrafficGroupId group,
               const net::ResetSpec& spec) {
  if (hop.status != NextHop::Status::kReady) return;
  const net::LinkHeader link{hop.mac, context.snapshot->MacOf(*hop.interface, group),
                             hop.interface->vlan};
  Answer(context, hop.interface->port,
         [&](net::FrameBuffer out) { return net::BuildTcpReset(out, link, spec); });
}

}  // namespace

void Reject(Context& context, const Work& work, DropReason reason) noexcept {
  if (work.parsed.kind == net::Kind::kTcp) {
    Answer(context, work.interface->port, [&](net::FrameBuffer out) {
      return net::BuildTcpReset(out, LinkBack(context, work), work.packet, work.parsed);
    });
  } else if (work.parsed.kind == net::Kind::kUdp || work.parsed.kind == net::Kind::kIpOther) {
    SendIcmpError(context, work, net::IcmpErrorKind::kPortUnreachable, 0);
  }
  Drop(context, work.packet, reason);
}

void DropWithIcmp(Context& context, const Work& work, DropReason reason, net::IcmpErrorKind kind,
                  uint16_t mtu) noexcept {
  SendIcmpError(context, work, kind, mtu);
  Drop(context, work.packet, reason);
}

template <class Hot>
void ResetBothEnds(Context& context, const Hot& flow) noexcept {
  const config::Virtual* virtual_server = context.snapshot->FindVirtual(flow.common.virtual_id);
  const config::TrafficGroupId group =
      virtual_server != nullptr ? virtual_server->traffic_group : config::TrafficGroupId{0};
  const uint32_t client_expects = flow.common.client_ack;
  const uint32_t server_expects = flow.common.server_ack;
  if ((flow.common.flags & flow::kClientSeen) != 0) {
    SendReset(
        context, NextHopToClient(context, flow), group,
        {AddressOf(flow.client.destination), AddressOf(flow.client.source),
         flow.client.destination_port, flow.client.source_port, client_expects, server_expects});
  }
  if ((flow.common.flags & flow::kServerSeen) != 0) {
    SendReset(
        context, NextHopToServer(context, flow), group,
        {AddressOf(flow.server.destination), AddressOf(flow.server.source),
         flow.server.destination_port, flow.server.source_port, server_expects, client_expects});
  }
}

template void ResetBothEnds(Context&, const flow::FlowHot4&) noexcept;
template void ResetBothEnds(Context&, const flow::FlowHot6&) noexcept;

}  // namespace tandem::pipeline
