// SPDX-License-Identifier: Apache-2.0
//
// Where a packet leaves: interface and MAC. A flow remembers the answer; the route and the neighbour
// are looked up again when the routes changed or the neighbour's entry was recycled.
#pragma once

#include "dataplane/pipeline/context.h"

namespace tandem::pipeline {

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

// For a packet that leaves on the server side, or the client side, of an existing flow.
template <class Hot>
NextHop NextHopToServer(Context& context, const Hot& flow) noexcept;
template <class Hot>
NextHop NextHopToClient(Context& context, const Hot& flow) noexcept;

// Remembers `hop` as the flow's way to its server side.
inline void RememberServer(const Context& context, flow::FlowCommon& flow, const NextHop& hop) {
  flow.server_neighbour = hop.neighbour;
  flow.route_generation = context.snapshot->route_generation;
}

}  // namespace tandem::pipeline
