// SPDX-License-Identifier: Apache-2.0
//
// A packet of a known flow: next hop, state, rewrite, out. The next hop comes first, so that a packet
// that has to wait for a neighbour has changed nothing yet.
#pragma once

#include "dataplane/flow/tcp_state.h"
#include "dataplane/pipeline/context.h"
#include "dataplane/pipeline/next_hop.h"

namespace tandem::pipeline {

enum class HitResult : uint8_t {
  kDone,   // the packet is transmitted, held or dropped
  kEnded,  // the flow is no more, a new SYN ended it for one; the packet wants to be admitted
};

template <class Hot>
HitResult ProcessHit(Context& context, Work& work, flow::FlowRef ref) noexcept;

// Of a packet that does not fit: drops it, and tells its sender.
void RefuseUnfit(Context& context, const Work& work, const config::Interface& egress) noexcept;

// TTL and egress MTU. False: the packet is dropped, its sender told.
[[nodiscard]] inline bool FitsThrough(Context& context, const Work& work,
                                      const config::Interface& egress) noexcept {
  if (work.parsed.ttl > 1 && work.parsed.ip_length <= egress.mtu) [[likely]]
    return true;
  RefuseUnfit(context, work, egress);
  return false;
}

// False: the packet is held until the neighbour answers, or dropped.
[[nodiscard]] bool NeighbourReady(Context& context, const Work& work, const NextHop& hop) noexcept;

// Sends a packet of the flow that came in on `side` out by `egress`: translation, link header, counters.
// REQUIRES: FitsThrough and NeighbourReady.
template <class Hot>
void Emit(Context& context, Work& work, const Hot& flow, flow::Side side,
          const Egress& egress) noexcept;

// What the TCP machine needs of a packet. REQUIRES: kind kTcp.
flow::TcpSegment SegmentOf(const Work& work) noexcept;

}  // namespace tandem::pipeline
