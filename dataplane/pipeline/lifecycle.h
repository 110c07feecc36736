// SPDX-License-Identifier: Apache-2.0
//
// The life of a flow's record: counted when it begins, armed as its state demands, ended once and for
// one reason.
#pragma once

#include "dataplane/pipeline/context.h"

namespace tandem::pipeline {

// How long, in ticks, the flow may stay silent in its state; config::kIndefinite for ever.
uint32_t TimeoutOf(const config::FastL4& profile, const flow::FlowCommon& flow) noexcept;

// Files the flow's timer by its state and last_seen.
template <class Hot>
void Arm(Context& context, uint32_t slot) noexcept;

// A flow whose record is filled in begins: timer and embryonic list. The caller counts it, and has it noted
// (notes.h).
template <class Hot>
void BeginFlow(Context& context, uint32_t slot) noexcept;

// A flow that was taken over goes on here. It was counted where it began.
template <class Hot>
void ResumeFlow(Context& context, uint32_t slot) noexcept;

// After a change of state: keeps the embryonic list true and the timer right.
template <class Hot>
void StateChanged(Context& context, uint32_t slot) noexcept;

// Ends the flow: gives back its connection counts, timers and slot.
template <class Hot>
void EndFlow(Context& context, uint32_t slot, EndReason reason) noexcept;

// Ends flows whose time has come, at most `budget`; resets both ends where the profile says so.
void Expire(Context& context, unsigned budget) noexcept;

}  // namespace tandem::pipeline
