// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/announce.h"

#include "dataplane/net/frame.h"
#include "dataplane/pipeline/originate.h"

namespace tandem::pipeline {
namespace {

// A worker that takes longer than this to take over a role is not waited for.
constexpr Nanos kPatience = 10 * kMillisecond;

size_t Build(net::FrameBuffer out, net::LinkHeader link, const IpAddress& address) {
  link.destination = net::kBroadcastMac;
  if (address.is_unset()) return net::BuildRarp(out, link);
  if (address.is_v4()) {
    return net::BuildArp(out, link, net::ArpAnnouncement(address, link.source));
  }
  const net::NdPacket advertisement = net::NdAnnouncement(address, link.source);
  link.destination = net::MulticastMac(advertisement.destination);
  return net::BuildNd(out, link, advertisement);
}

// False: no room this turn.
bool Send(Context& context, const neighbour::Notice& notice) {
  const config::Interface& interface = context.snapshot->interfaces[notice.what.interface];
  net::LinkHeader link;
  link.source = context.snapshot->MacOf(interface, notice.group);
  link.vlan = interface.vlan;
  if (!Originate(context, interface.port,
                 [&](net::FrameBuffer out) { return Build(out, link, notice.what.address); })) {
    return false;
  }
  context.counters.announced.Add(1);
  return true;
}

}  // namespace

void Announce(Context& context) noexcept {
  neighbour::Announcer& announcer = *context.announcer;
  announcer.Follow(*context.snapshot, context.roles, context.now);
  if (!announcer.IsDue(context.now)) return;
  if (!context.shared.AreRolesTaken() && context.now < context.roles_changed + kPatience) {
    return;
  }
  announcer.Advance(*context.snapshot, context.now,
                    [&context](const neighbour::Notice& notice) { return Send(context, notice); });
}

}  // namespace tandem::pipeline
