// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/lifecycle.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <span>

#include "dataplane/pipeline/notes.h"
#include "dataplane/pipeline/persistence.h"
#include "dataplane/pipeline/refuse.h"
#include "dataplane/pipeline/shadow.h"

namespace tandem::pipeline {
namespace {

using flow::FlowHot4;
using flow::FlowHot6;
using flow::State;

constexpr Tick kPauseLook = TicksIn(100 * kMillisecond);

EndReason ReasonOfTimeout(const flow::FlowCommon& flow) {
  switch (flow.state) {
    case State::kOpening:
    case State::kSynAcked:
      return flow.protocol == IPPROTO_TCP ? EndReason::kHandshakeTimeout : EndReason::kIdle;
    case State::kFree:
    case State::kEstablished:
      return EndReason::kIdle;
    case State::kFinClient:
    case State::kFinServer:
    case State::kClosing:
      return EndReason::kCloseTimeout;
    case State::kTimeWait:
      return EndReason::kClosed;
  }
  return EndReason::kIdle;
}

// The profile of a flow whose virtual is gone: the sweep will end it, the defaults do until then.
const config::FastL4& ProfileOf(const Context& context, const flow::FlowCommon& flow) {
  static constexpr config::FastL4 kDefault;
  const config::Virtual* virtual_server = context.snapshot->FindVirtual(flow.virtual_id);
  return virtual_server != nullptr ? virtual_server->profile : kDefault;
}

template <class Hot>
void ExpireOne(Context& context, uint32_t slot) noexcept {
  FlowSet<Hot>& flows = context.flows<Hot>();
  switch (StandingOf<Hot>(context, slot)) {
    case Standing::kOurs:
      break;
    case Standing::kSilent:
      // A shadow flow has no timer. Nor can a flow be refreshed while its group is paused.
      if ((flows.table.hot(slot).common.flags & flow::kShadow) == 0)
        flows.timers.Arm(slot, context.tick + kPauseLook);
      return;
    case Standing::kEnded:
      return;
  }
  const Hot& hot = flows.table.hot(slot);
  const config::FastL4& profile = ProfileOf(context, hot.common);
  const uint32_t timeout = TimeoutOf(profile, hot.common);
  const int32_t silent = TicksBetween(hot.common.last_seen, context.tick);
  if (timeout == config::kIndefinite || silent < static_cast<int32_t>(timeout)) {
    TouchRecord<Hot>(context, slot);
    Arm<Hot>(context, slot);
    NoteUse<Hot>(context, slot);
    return;
  }
  if (hot.common.protocol == IPPROTO_TCP && hot.common.state == State::kEstablished &&
      profile.reset_on_timeout) {
    ResetBothEnds(context, hot);
  }
  EndFlow<Hot>(context, slot, ReasonOfTimeout(hot.common));
}

// In groups and step by step, as bursts are, for the lines of a flow that was silent for long are far away.
template <class Hot>
void ExpireDue(Context& context, unsigned budget) noexcept {
  FlowSet<Hot>& flows = context.flows<Hot>();
  if (!flows.timers.MayBeDue(context.tick)) return;
  const bool keeps_records = KeepsRecords(context);
  std::array<uint32_t, kTouchedTogether> room;
  while (budget > 0) {
    const std::span due = std::span(room).first(std::min<size_t>(room.size(), budget));
    const std::span slots = due.first(flows.timers.TakeDue(context.tick, due));
    if (slots.empty()) return;
    for (const uint32_t slot : slots)
      flows.table.PrefetchSlot(slot);
    for (const uint32_t slot : slots)
      flows.table.PrefetchKeys(slot);
    if (keeps_records) FetchTouched<Hot>(context, slots);
    for (const uint32_t slot : slots)
      ExpireOne<Hot>(context, slot);
    budget -= static_cast<unsigned>(slots.size());
  }
}

}  // namespace

uint32_t TimeoutOf(const config::FastL4& profile, const flow::FlowCommon& flow) noexcept {
  if (flow.protocol == IPPROTO_UDP) return profile.udp_idle_timeout;
  if (flow.protocol != IPPROTO_TCP) return profile.idle_timeout;
  switch (flow.state) {
    case State::kOpening:
    case State::kSynAcked:
      return profile.tcp_handshake_timeout;
    case State::kFree:
    case State::kEstablished:
      return profile.idle_timeout;
    case State::kFinClient:
    case State::kFinServer:
    case State::kClosing:
      return profile.tcp_close_timeout;
    case State::kTimeWait:
      return profile.tcp_time_wait_timeout;
  }
  return profile.idle_timeout;
}

template <class Hot>
void Arm(Context& context, uint32_t slot) noexcept {
  FlowSet<Hot>& flows = context.flows<Hot>();
  const flow::FlowCommon& common = flows.table.hot(slot).common;
  // It comes round early when the record that it follows would run out meanwhile, or when it will be old
  // enough for the peer. (First, for g++ 12 keeps what it takes the minimum of in a vector register, and
  // waits long for it behind a call.)
  const uint32_t wanted =
      std::min(TouchPeriodOf(context, common), MirrorWaitOf<Hot>(context, slot));
  // An indefinite flow comes round at the horizon, should its profile change meanwhile.
  const uint32_t timeout =
      std::min(TimeoutOf(ProfileOf(context, common), common), uint32_t{INT32_MAX} / 2);
  Tick deadline = common.last_seen + timeout;
  const Tick round = context.tick + std::min(wanted, timeout);
  if (TicksBetween(round, deadline) > 0) deadline = round;
  flows.timers.Arm(slot, deadline);
}

template <class Hot>
void BeginFlow(Context& context, uint32_t slot) noexcept {
  FlowSet<Hot>& flows = context.flows<Hot>();
  if (flow::IsEmbryonic(flows.table.hot(slot).common.state)) flows.timers.AddEmbryonic(slot);
  Arm<Hot>(context, slot);
}

template <class Hot>
void ResumeFlow(Context& context, uint32_t slot) noexcept {
  BeginFlow<Hot>(context, slot);
  NoteState<Hot>(context, slot);
}

template <class Hot>
void StateChanged(Context& context, uint32_t slot) noexcept {
  FlowSet<Hot>& flows = context.flows<Hot>();
  if (!flow::IsEmbryonic(flows.table.hot(slot).common.state)) flows.timers.RemoveEmbryonic(slot);
  Arm<Hot>(context, slot);
  NoteState<Hot>(context, slot);
}

template <class Hot>
void EndFlow(Context& context, uint32_t slot, EndReason reason) noexcept {
  TouchRecord<Hot>(context, slot);
  FlowSet<Hot>& flows = context.flows<Hot>();
  const flow::FlowCommon& common = flows.table.hot(slot).common;
  // What is not bound holds the peer's ids and was never counted.
  if ((common.flags & flow::kUnbound) == 0) {
    context.live.ReleaseVirtual(common.virtual_id);
    if (common.member_id != 0) context.live.ReleaseMember(common.member_id);
  }
  NoteEnd<Hot>(context, slot);
  flows.timers.Disarm(slot);
  flows.timers.RemoveEmbryonic(slot);
  flows.table.Erase(slot);
  context.flows_changed = true;
  context.counters.ends[static_cast<size_t>(reason)].Add(1);
}

void Expire(Context& context, unsigned budget) noexcept {
  ExpireDue<FlowHot4>(context, budget);
  ExpireDue<FlowHot6>(context, budget);
}

template void Arm<FlowHot4>(Context&, uint32_t) noexcept;
template void Arm<FlowHot6>(Context&, uint32_t) noexcept;
template void ResumeFlow<FlowHot4>(Context&, uint32_t) noexcept;
template void ResumeFlow<FlowHot6>(Context&, uint32_t) noexcept;
template void BeginFlow<FlowHot4>(Context&, uint32_t) noexcept;
template void BeginFlow<FlowHot6>(Context&, uint32_t) noexcept;
template void StateChanged<FlowHot4>(Context&, uint32_t) noexcept;
template void StateChanged<FlowHot6>(Context&, uint32_t) noexcept;
template void EndFlow<FlowHot4>(Context&, uint32_t, EndReason) noexcept;
template void EndFlow<FlowHot6>(Context&, uint32_t, EndReason) noexcept;

}  // namespace tandem::pipeline
