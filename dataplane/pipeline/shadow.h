// SPDX-License-Identifier: Apache-2.0
//
// Flows and roles. A standby's flows are a shadow of the active's (mirror/flow_receiver.h): they
// forward nothing, never age, and end by the active's word only. When this device becomes active for
// their traffic group, each is adopted: by its first packet, or by a walk over the tables, whichever
// comes first. From then on it is a flow like any other, with one whole timeout before it. Nothing is
// known of its sequence numbers, so TCP judges it leniently until its ends were seen.
//
// A flow belongs to the traffic group of its page (flow/slot_pages.h) for its whole life.
//
// The walk also does the reverse for a group that lost its active role, and begins or ends mirroring
// of flows when the configuration says otherwise than before.
#pragma once

#include "dataplane/pipeline/context.h"

namespace tandem::pipeline {

// At the begin of a turn: takes over a standby role or a pause, and starts the walk when a role or
// Snapshot::mirror_generation changed.
void TakeRoles(Context& context) noexcept;

// Behind the turn's packets: takes over an active role, or the end of a pause, once nothing is left in
// the worker's queues that was there when the role changed. On a standby that polls this is the next
// turn; on one that was stopped for a while a queue may be full of packets that somebody else has
// forwarded since. `more_waiting`: a queue may hold more than this turn took from it.
void TakePromotions(Context& context, bool more_waiting) noexcept;

// One piece of the walk.
void Reconcile(Context& context) noexcept;
// Whether flows may be waiting to become a shadow: nobody may write to their slots before.
inline bool IsSurrendering(const Context& context) noexcept {
  return context.reconcile.is_active && context.reconcile.surrenders;
}

enum class Standing : uint8_t {
  kOurs,    // ordinary, maybe since now
  kSilent,  // not to be used: its group is another device's, or may be
  kEnded,   // it was taken over, but what it belongs to is not configured here
};

// Makes of the flow what its group's role demands. Of a group that is paused, nothing.
template <class Hot>
Standing Settle(Context& context, uint32_t slot) noexcept;

// The same, for a packet that is about to use it.
template <class Hot>
inline Standing StandingOf(Context& context, uint32_t slot) noexcept {
  const flow::FlowCommon& common = context.flows<Hot>().table.hot(slot).common;
  if ((common.flags & flow::kShadow) == 0 && !context.roles.any_silent()) [[likely]] {
    return Standing::kOurs;
  }
  return Settle<Hot>(context, slot);
}

// A shadow flow whose virtual server or member was deleted here: forgets them, so that their ids can
// be used again.
template <class Hot>
void Unbind(Context& context, uint32_t slot) noexcept;

}  // namespace tandem::pipeline
