// SPDX-License-Identifier: Apache-2.0
//
// What the mirror is told of this worker's flows: which are mirrored, and that one changed or ended.
// Told when a flow begins, changes its state, has had the packets that its virtual waits for, or its
// timer comes round; any other established packet tells nothing.
#pragma once

#include <span>

#include "dataplane/pipeline/context.h"

namespace tandem::pipeline {

namespace notes {
// Whether no virtual has the peer told of such a flow yet. Of most flows NoteState asks this more than
// once before their virtual has to be looked at.
inline bool IsTooEarly(const config::Snapshot& snapshot, const flow::FlowCommon& common) noexcept {
  return flow::IsEmbryonic(common.state) && !snapshot.mirrors_embryonic &&
         (common.flags & (flow::kMirrored | flow::kOneLegged)) == 0;
}

template <class Hot>
void Begun(Context& context, std::span<const uint32_t> slots) noexcept;
template <class Hot>
void State(Context& context, uint32_t slot) noexcept;
template <class Hot>
void Use(Context& context, uint32_t slot) noexcept;
template <class Hot>
void End(Context& context, uint32_t slot) noexcept;
template <class Hot>
void Review(Context& context, uint32_t slot) noexcept;
template <class Hot>
uint32_t Wait(Context& context, uint32_t slot) noexcept;
template <class Hot>
void Handshakes(Context& context, config::TrafficGroupId group) noexcept;
}  // namespace notes

// Flows that began one after the other, and may be over by now.
template <class Hot>
void NoteBegun(Context& context, std::span<const uint32_t> slots) noexcept {
  if (context.mirror != nullptr) notes::Begun<Hot>(context, slots);
}

// The flow goes on here, or has another state.
template <class Hot>
[[gnu::always_inline]] inline void NoteState(Context& context, uint32_t slot) noexcept {
  if (context.mirror == nullptr) return;
  if (notes::IsTooEarly(*context.snapshot, context.flows<Hot>().table.hot(slot).common)) return;
  notes::State<Hot>(context, slot);
}

// The flow's timer came round, or it has had the packets that its virtual waits for, and it lives on.
template <class Hot>
void NoteUse(Context& context, uint32_t slot) noexcept {
  if (context.mirror != nullptr) notes::Use<Hot>(context, slot);
}

// The flow is about to be erased.
template <class Hot>
void NoteEnd(Context& context, uint32_t slot) noexcept {
  if (context.mirror != nullptr) notes::End<Hot>(context, slot);
}

// The configuration wants other flows mirrored than before. Files the timer anew where it says when.
template <class Hot>
void ReviewMirroring(Context& context, uint32_t slot) noexcept {
  if (context.mirror != nullptr) notes::Review<Hot>(context, slot);
}

// The group is about to be handed over: of what is mirrored once it is established, the peer is told now
// what is about to be, for the packet that would do it comes to the peer. Of the youngest; what is half
// open for long stays so.
inline void NoteHandshakes(Context& context, config::TrafficGroupId group) noexcept {
  if (context.mirror == nullptr) return;
  notes::Handshakes<flow::FlowHot4>(context, group);
  notes::Handshakes<flow::FlowHot6>(context, group);
}

// When the flow's timer has to come round so that the peer is told in time, in ticks from now;
// config::kIndefinite: that is not what the flow waits for.
template <class Hot>
uint32_t MirrorWaitOf(Context& context, uint32_t slot) noexcept {
  if (context.mirror == nullptr || !context.snapshot->mirrors_after) return config::kIndefinite;
  return notes::Wait<Hot>(context, slot);
}

}  // namespace tandem::pipeline
