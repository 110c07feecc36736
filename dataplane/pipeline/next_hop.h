// SPDX-License-Identifier: Apache-2.0
//
// Where a packet leaves: interface and MAC. A flow remembers the answer; the route and the neighbour
// are looked up again when the routes changed or the neighbour's entry was recycled.
#pragma once

#include "dataplane/pipeline/context.h"

namespace tandem::pipeline {

// The way out of a packet.
struct Egress {
  const config::Interface* interface = nullptr;  // nullptr: none
  MacWord mac = 0;

  explicit operator bool() const { return interface != nullptr; }
};

struct NextHop {
  enum class Status : uint8_t {
    kReady,
    kNoRoute,
    kIncomplete,  // the neighbour is being asked: hold the packet
    kFailed,      // it did not answer
  };

  Status status = Status::kNoRoute;
  const config::Interface* interface = nullptr;  // set unless kNoRoute
  IpAddress address;                             // of the neighbour; set when kIncomplete
  flow::NeighbourRef neighbour;
  MacAddress mac{};  // set when kReady
};

// By route; asks for an unknown neighbour.
NextHop FindNextHop(Context& context, const IpAddress& destination) noexcept;

// The same into `hop`, as found last time while that holds.
void FindNextHopToMember(Context& context, const config::Member& member, NextHop& hop) noexcept;

// Looks at the next one of all members, and asks for the neighbour on the way to it when it is not known,
// or will not be for long: a standby has to know them before it sends anything there, or a takeover begins
// with packets that wait.
void KeepMembersKnown(Context& context) noexcept;

// For a packet that leaves on the server side, or the client side, of an existing flow.
template <class Hot>
NextHop NextHopToServer(Context& context, const Hot& flow) noexcept;
template <class Hot>
NextHop NextHopToClient(Context& context, const Hot& flow) noexcept;

// The way by a neighbour that was found with the routes of `route_generation`; none when it is out of date.
[[gnu::always_inline]] inline Egress EgressBy(Context& context, flow::NeighbourRef neighbour,
                                              uint32_t route_generation) {
  const config::Snapshot& snapshot = *context.snapshot;
  if (route_generation != snapshot.route_generation) return {};
  const neighbour::Way way = context.shared.neighbours.Use(neighbour);
  if (way.mac == kNoMac) return {};
  return {snapshot.FindInterface(way.interface), way.mac};
}

// What the flow remembers of the way of a packet that came in on `side`. None when it is out of date, or the
// flow does not remember: NextHopToServer and NextHopToClient find out.
[[gnu::always_inline]] inline Egress RememberedEgress(Context& context,
                                                      const flow::FlowCommon& flow,
                                                      flow::Side side) {
  if (side == flow::Side::kClient)
    return EgressBy(context, flow.server_neighbour, flow.route_generation);
  if ((flow.flags & flow::kClientByRoute) != 0) return {};
  return {context.snapshot->FindInterface(flow.client_interface), WordOf(flow.client_mac)};
}

// Remembers `hop` as the flow's way to its server side.
inline void RememberServer(const Context& context, flow::FlowCommon& flow, const NextHop& hop) {
  flow.server_neighbour = hop.neighbour;
  flow.route_generation = context.snapshot->route_generation;
}

}  // namespace tandem::pipeline
