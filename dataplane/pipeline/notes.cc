// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/notes.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>

#include "dataplane/base/mutation.h"
#include "dataplane/mirror/worker.h"
#include "dataplane/pipeline/lifecycle.h"

namespace tandem::pipeline::notes {
namespace {

using flow::FlowHot4;
using flow::FlowHot6;

constexpr unsigned kHandshakesMax = 2048;  // looked at in one turn: some hundred microseconds
// A flow not used for as long as a turn of the timer wheel was not used since its last round.
constexpr int32_t kOfLate = flow::Timers::kBuckets << flow::Timers::kBucketTicksShift;

// Whether the flow has come so far that the peer is to know of it.
bool IsDue(const config::Virtual& virtual_server, const flow::FlowCommon& common) {
  if (!flow::IsEmbryonic(common.state) || virtual_server.mirror_at == config::MirrorAt::kSyn ||
      virtual_server.mirror_commit != config::MirrorCommit::kAsync) {
    return true;
  }
  // The replies of a one-legged flow bypass us: without states it is never seen to be established.
  return common.protocol != IPPROTO_TCP && (common.flags & flow::kOneLegged) != 0;
}

// nullptr: the peer is not to know of the flow, now or ever.
const config::Virtual* MirroringVirtual(const config::Snapshot& snapshot,
                                        const flow::FlowCommon& common) {
  const config::Virtual* virtual_server = snapshot.FindVirtual(common.virtual_id);
  return virtual_server != nullptr && virtual_server->is_mirrored ? virtual_server : nullptr;
}

// Ticks until the flow is as old as it has to be; 0: it is.
uint32_t TicksToAge(const Context& context, const config::Virtual& virtual_server, Tick created) {
  const uint32_t age = context.tick - created;
  return age >= virtual_server.mirror_after ? 0 : virtual_server.mirror_after - age;
}

template <class Hot>
flow::FlowCommon& CommonOf(Context& context, uint32_t slot) {
  return context.flows<Hot>().table.hot(slot).common;
}

template <class Hot>
config::TrafficGroupId GroupOf(Context& context, uint32_t slot) {
  return context.flows<Hot>().table.pages().GroupOf(slot);
}

bool IsMirroredFlow(const flow::FlowCommon& common) {
  return (common.flags & flow::kMirrored) != 0;
}

template <class Hot>
mirror::FlowSender& SenderOf(Context& context, uint32_t slot) {
  return context.mirror->sender(GroupOf<Hot>(context, slot));
}

// The peer goes by the state of such a flow for nothing but its timeout, and most are over soon: then
// their end is all that it must know.
bool IsEnding(flow::State state) {
  switch (state) {
    case flow::State::kFree:
    case flow::State::kOpening:
    case flow::State::kSynAcked:
    case flow::State::kEstablished:
      return false;
    case flow::State::kFinClient:
    case flow::State::kFinServer:
    case flow::State::kClosing:
    case flow::State::kTimeWait:
      return true;
  }
  return false;
}

template <class Hot>
inline void BeginWhenWanted(Context& context, uint32_t slot) {
  const flow::FlowCommon& common = CommonOf<Hot>(context, slot);
  if (common.packets_awaited != 0) return;
  const config::Virtual* virtual_server = MirroringVirtual(*context.snapshot, common);
  if (virtual_server == nullptr || !IsDue(*virtual_server, common)) return;
  if (virtual_server->mirror_after != 0 &&
      TicksToAge(context, *virtual_server, context.flows<Hot>().table.cold(slot).created) != 0) {
    return;
  }
  const config::TrafficGroupId group = GroupOf<Hot>(context, slot);
  if (group != 0) context.mirror->sender(group).template Begin<Hot>(slot);
}

}  // namespace

// Mostly all of one virtual server, and new to the peer at once if at all: those whose time has not come are
// noted when their state changes or their timer comes round, as any flow.
template <class Hot>
void Begun(Context& context, std::span<const uint32_t> slots) noexcept {
  flow::FlowTable<Hot>& table = context.flows<Hot>().table;
  std::array<uint32_t, kBurstMax> wanted;
  size_t count = 0;
  config::TrafficGroupId group = 0;
  const config::Virtual* virtual_server = nullptr;
  size_t page = SIZE_MAX;
  const auto begin = [&] {
    if (count == 0) return;
    context.mirror->sender(group).template Begin<Hot>({wanted.data(), count});
    count = 0;
  };
  for (const uint32_t slot : slots) {
    const flow::FlowCommon& common = table.hot(slot).common;
    // It may be over by now, and another one have its slot.
    if (common.state == flow::State::kFree || IsMirroredFlow(common)) continue;
    if (virtual_server == nullptr || virtual_server->id != common.virtual_id) {
      virtual_server = context.snapshot->FindVirtual(common.virtual_id);
      if (virtual_server == nullptr) continue;
    }
    if (!virtual_server->is_mirrored || !IsDue(*virtual_server, common)) continue;
    if (common.packets_awaited != 0 || virtual_server->mirror_after != 0) continue;
    if (slot / kFlowsPerPage != page) {
      page = slot / kFlowsPerPage;
      const config::TrafficGroupId its = GroupOf<Hot>(context, slot);
      if (its != group) begin();
      group = its;
    }
    if (group != 0) wanted[count++] = slot;
  }
  begin();
}

template <class Hot>
void State(Context& context, uint32_t slot) noexcept {
  const flow::FlowCommon& common = CommonOf<Hot>(context, slot);
  if (!IsMirroredFlow(common)) {
    BeginWhenWanted<Hot>(context, slot);
    return;
  }
  if (IsEnding(common.state)) {
    SenderOf<Hot>(context, slot).template ChangeLater<Hot>(slot);
  } else {
    SenderOf<Hot>(context, slot).template Change<Hot>(slot);
  }
}

template <class Hot>
void Use(Context& context, uint32_t slot) noexcept {
  const flow::FlowCommon& common = CommonOf<Hot>(context, slot);
  if (!IsMirroredFlow(common)) {
    if (!IsTooEarly(*context.snapshot, common)) BeginWhenWanted<Hot>(context, slot);
  } else if (TicksBetween(common.last_seen, context.tick) < kOfLate) {
    SenderOf<Hot>(context, slot).template Touch<Hot>(slot);
  }
}

template <class Hot>
void End(Context& context, uint32_t slot) noexcept {
  if (!IsMirroredFlow(CommonOf<Hot>(context, slot))) return;
  SenderOf<Hot>(context, slot).template End<Hot>(slot);
}

template <class Hot>
void Review(Context& context, uint32_t slot) noexcept {
  flow::FlowCommon& common = CommonOf<Hot>(context, slot);
  const config::Virtual* virtual_server = MirroringVirtual(*context.snapshot, common);
  if (!IsMirroredFlow(common)) {
    if (virtual_server == nullptr) return;
    common.packets_awaited = std::min(common.packets_awaited, virtual_server->mirror_after_packets);
    if (!IsTooEarly(*context.snapshot, common)) BeginWhenWanted<Hot>(context, slot);
    if (Wait<Hot>(context, slot) != config::kIndefinite) Arm<Hot>(context, slot);
  } else if (virtual_server == nullptr || !IsDue(*virtual_server, common)) {
    // One that lasted long enough once is not given up for another value of that.
    if (Mutated(Mutation::kNoUnmirror)) {
      common.flags = static_cast<uint16_t>(common.flags & ~flow::kMirrored);
    } else {
      End<Hot>(context, slot);
    }
  }
}

template <class Hot>
uint32_t Wait(Context& context, uint32_t slot) noexcept {
  const flow::FlowCommon& common = CommonOf<Hot>(context, slot);
  if (IsMirroredFlow(common)) return config::kIndefinite;
  const config::Virtual* virtual_server = MirroringVirtual(*context.snapshot, common);
  if (virtual_server == nullptr || virtual_server->mirror_after == 0) return config::kIndefinite;
  const uint32_t ticks =
      TicksToAge(context, *virtual_server, context.flows<Hot>().table.cold(slot).created);
  return ticks == 0 ? config::kIndefinite : ticks;
}

template <class Hot>
void Handshakes(Context& context, config::TrafficGroupId group) noexcept {
  context.flows<Hot>().timers.VisitYoungestEmbryonic(kHandshakesMax, [&](uint32_t slot) {
    const flow::FlowCommon& common = CommonOf<Hot>(context, slot);
    if (IsMirroredFlow(common) || GroupOf<Hot>(context, slot) != group) return;
    const config::Virtual* virtual_server = MirroringVirtual(*context.snapshot, common);
    // What has to last first is not missed.
    if (virtual_server == nullptr || virtual_server->mirror_after != 0 ||
        common.packets_awaited != 0) {
      return;
    }
    SenderOf<Hot>(context, slot).template Begin<Hot>(slot);
  });
}

template void Handshakes<FlowHot4>(Context&, config::TrafficGroupId) noexcept;
template void Handshakes<FlowHot6>(Context&, config::TrafficGroupId) noexcept;
template void Begun<FlowHot4>(Context&, std::span<const uint32_t>) noexcept;
template void Begun<FlowHot6>(Context&, std::span<const uint32_t>) noexcept;
template void State<FlowHot4>(Context&, uint32_t) noexcept;
template void State<FlowHot6>(Context&, uint32_t) noexcept;
template void Use<FlowHot4>(Context&, uint32_t) noexcept;
template void Use<FlowHot6>(Context&, uint32_t) noexcept;
template void End<FlowHot4>(Context&, uint32_t) noexcept;
template void End<FlowHot6>(Context&, uint32_t) noexcept;
template void Review<FlowHot4>(Context&, uint32_t) noexcept;
template void Review<FlowHot6>(Context&, uint32_t) noexcept;
template uint32_t Wait<FlowHot4>(Context&, uint32_t) noexcept;
template uint32_t Wait<FlowHot6>(Context&, uint32_t) noexcept;

}  // namespace tandem::pipeline::notes
