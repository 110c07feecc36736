// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/next_hop.h"

#include "dataplane/pipeline/neighbours.h"

namespace tandem::pipeline {
namespace {

// Status and MAC of a neighbour that is known by reference.
void ReadNeighbour(Context& context, NextHop& hop) {
  const neighbour::View view = context.shared.neighbours.Read(hop.neighbour);
  if (view.usable()) {
    context.shared.neighbours.MarkUsed(hop.neighbour);
    hop.mac = view.mac;
    hop.status = NextHop::Status::kReady;
  } else if (view.state == neighbour::State::kFailed) {
    hop.status = NextHop::Status::kFailed;
  } else {
    hop.status = NextHop::Status::kIncomplete;
  }
}

void SetReady(const Egress& egress, flow::NeighbourRef neighbour, NextHop& hop) {
  hop.status = NextHop::Status::kReady;
  hop.interface = egress.interface;
  hop.neighbour = neighbour;
  hop.mac = MacOf(egress.mac);
}

// With address translation off the member is not in the keys.
template <class Hot>
IpAddress ServerAddressOf(const Context& context, const Hot& flow) {
  if ((flow.common.flags & flow::kOneLegged) != 0) {
    const config::Member* member = context.snapshot->FindMember(flow.common.member_id);
    if (member != nullptr) return member->address;
  }
  return AddressOf(flow.server.source);
}

}  // namespace

NextHop FindNextHop(Context& context, const IpAddress& destination) noexcept {
  NextHop hop;
  const config::Route* route = context.snapshot->routes->Lookup(destination);
  if (route == nullptr) return hop;
  hop.interface = context.snapshot->FindInterface(route->interface);
  if (hop.interface == nullptr) return hop;
  hop.address = route->gateway.is_unset() ? destination : route->gateway;
  hop.neighbour = context.shared.neighbours.Find(route->interface, hop.address);
  if (hop.neighbour.index == 0) {
    hop.status = NextHop::Status::kIncomplete;
    AskNeighbour(context, route->interface, hop.address);
    return hop;
  }
  ReadNeighbour(context, hop);
  return hop;
}

void FindNextHopToMember(Context& context, const config::Member& member, NextHop& hop) noexcept {
  MemberWay& way = context.member_ways[member.id];
  if (way.address == member.address) {
    if (const Egress egress = EgressBy(context, way.neighbour, way.route_generation)) {
      SetReady(egress, way.neighbour, hop);
      return;
    }
  }
  hop = FindNextHop(context, member.address);
  if (hop.status == NextHop::Status::kReady)
    way = {member.address, hop.neighbour, context.snapshot->route_generation};
}

void KeepMembersKnown(Context& context) noexcept {
  const auto& members = context.snapshot->members;
  size_t& next = context.member_looked_at;
  next = next + 1 < members.size() ? next + 1 : 0;
  if (next < members.size() && members[next].id != 0)
    static_cast<void>(FindNextHop(context, members[next].address));
}

template <class Hot>
NextHop NextHopToServer(Context& context, const Hot& flow) noexcept {
  NextHop hop;
  const Egress egress = RememberedEgress(context, flow.common, flow::Side::kClient);
  if (!egress) return FindNextHop(context, ServerAddressOf(context, flow));
  SetReady(egress, flow.common.server_neighbour, hop);
  return hop;
}

template <class Hot>
NextHop NextHopToClient(Context& context, const Hot& flow) noexcept {
  if ((flow.common.flags & flow::kClientByRoute) != 0) {
    return FindNextHop(context, AddressOf(flow.client.source));
  }
  NextHop hop;
  // Without an interface its VLAN was deleted: no route.
  const Egress egress = RememberedEgress(context, flow.common, flow::Side::kServer);
  if (!egress) return hop;
  SetReady(egress, {}, hop);
  return hop;
}

template NextHop NextHopToServer(Context&, const flow::FlowHot4&) noexcept;
template NextHop NextHopToServer(Context&, const flow::FlowHot6&) noexcept;
template NextHop NextHopToClient(Context&, const flow::FlowHot4&) noexcept;
template NextHop NextHopToClient(Context&, const flow::FlowHot6&) noexcept;

}  // namespace tandem::pipeline
