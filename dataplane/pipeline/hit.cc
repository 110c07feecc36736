// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/hit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <rte_tcp.h>

#include "dataplane/net/frame.h"
#include "dataplane/pipeline/lifecycle.h"
#include "dataplane/pipeline/notes.h"
#include "dataplane/pipeline/refuse.h"
#include "dataplane/pipeline/shadow.h"

namespace tandem::pipeline {
namespace {

using flow::FlowHot4;
using flow::FlowHot6;
using flow::Side;
using flow::State;

constexpr uint8_t kSyn = RTE_TCP_SYN_FLAG;

// The virtual's say on when a flow ends early. Read only when the state has changed.
template <class Hot>
bool EndsNow(const Context& context, const flow::FlowCommon& common) {
  const config::Virtual* virtual_server = context.snapshot->FindVirtual(common.virtual_id);
  if (virtual_server == nullptr) return false;
  const config::FastL4& profile = virtual_server->profile;
  if (common.state == State::kTimeWait) return profile.tcp_time_wait_timeout == 0;
  return profile.loose_close && (common.flags & flow::kLooselyInitiated) != 0 &&
         (common.state == State::kFinClient || common.state == State::kFinServer);
}

}  // namespace

flow::TcpSegment SegmentOf(const Work& work) noexcept {
  const auto* header =
      reinterpret_cast<const rte_tcp_hdr*>(work.packet.data + work.parsed.l4_offset);
  flow::TcpSegment segment;
  segment.flags = work.parsed.tcp_flags;
  segment.sequence = ntohl(header->sent_seq);
  segment.acknowledgement = ntohl(header->recv_ack);
  segment.window = ntohs(header->rx_win);
  segment.payload_length = work.parsed.l4_length - (header->data_off >> 4) * 4U;
  if ((segment.flags & kSyn) != 0) {
    const net::TcpSynOptions options = net::ParseTcpSynOptions(work.packet, work.parsed);
    segment.window_scale = options.window_scale;
    segment.has_window_scale = options.has_window_scale;
  }
  return segment;
}

void RefuseUnfit(Context& context, const Work& work, const config::Interface& egress) noexcept {
  if (work.parsed.ttl <= 1) {
    DropWithIcmp(context, work, DropReason::kTtlExpired, net::IcmpErrorKind::kTimeExceeded);
  } else {
    DropWithIcmp(context, work, DropReason::kMtuExceeded, net::IcmpErrorKind::kTooBig, egress.mtu);
  }
}

bool NeighbourReady(Context& context, const Work& work, const NextHop& hop) noexcept {
  switch (hop.status) {
    case NextHop::Status::kReady:
      return true;
    case NextHop::Status::kNoRoute:
      Drop(context, work.packet, DropReason::kNoRoute);
      return false;
    case NextHop::Status::kFailed:
      Drop(context, work.packet, DropReason::kNeighbourUnresolved);
      return false;
    case NextHop::Status::kIncomplete:
      if (context.held.Add(work.packet, hop.interface->id, hop.address, context.tick)) {
        context.counters.held.Add(1);
      } else {
        Drop(context, work.packet, DropReason::kNeighbourQueueFull);
      }
      return false;
  }
  return false;
}

template <class Hot>
std::optional<HitResult> internal::Hinder(Context& context, Work& work, uint32_t slot,
                                          Side side) noexcept {
  const flow::FlowRef ref{slot, side};
  FlowSet<Hot>& flows = context.flows<Hot>();
  const config::TrafficGroupId group = flows.table.pages().GroupOf(ref.slot);
  switch (StandingOf<Hot>(context, ref.slot)) {
    case Standing::kOurs:
      break;
    case Standing::kSilent:
      if (!TakeStray(context, work, group))
        Drop(context, work.packet, SilentReason(context, group));
      return HitResult::kDone;
    case Standing::kEnded:
      return HitResult::kEnded;
  }
  if (context.roles.any_frozen() && HoldFrozen<Hot>(context, work, ref)) return HitResult::kDone;
  const bool may_reveal =
      (context.snapshot->commits && flow::IsEmbryonic(flows.table.hot(ref.slot).common.state)) ||
      context.commit.size() != 0;
  if (may_reveal && !context.committing && HoldForCommit<Hot>(context, work, ref)) {
    return HitResult::kDone;
  }
  return std::nullopt;
}

template <class Hot>
Egress internal::FindEgress(Context& context, const Work& work, Hot& hot, Side side) noexcept {
  const NextHop hop =
      side == Side::kClient ? NextHopToServer(context, hot) : NextHopToClient(context, hot);
  if (!NeighbourReady(context, work, hop)) return {};
  if (side == Side::kClient) RememberServer(context, hot.common, hop);
  return {hop.interface, WordOf(hop.mac)};
}

template <class Hot>
HitResult internal::Reopen(Context& context, uint32_t slot) noexcept {
  EndFlow<Hot>(context, slot, EndReason::kReopened);
  return HitResult::kEnded;
}

template <class Hot>
void internal::Conclude(Context& context, uint32_t slot, Effect effect) noexcept {
  switch (effect) {
    case Effect::kNone:
      break;
    case Effect::kLasted:
      NoteUse<Hot>(context, slot);
      break;
    case Effect::kFlags:
      NoteState<Hot>(context, slot);
      break;
    case Effect::kState:
      if (EndsNow<Hot>(context, context.flows<Hot>().table.hot(slot).common)) {
        EndFlow<Hot>(context, slot, EndReason::kClosed);
      } else {
        StateChanged<Hot>(context, slot);
      }
      break;
    case Effect::kEnd:
      EndFlow<Hot>(context, slot, EndReason::kReset);
      break;
  }
}

template std::optional<HitResult> internal::Hinder<FlowHot4>(Context&, Work&, uint32_t,
                                                             Side) noexcept;
template Egress internal::FindEgress(Context&, const Work&, FlowHot4&, Side) noexcept;
template HitResult internal::Reopen<FlowHot4>(Context&, uint32_t) noexcept;
template void internal::Conclude<FlowHot4>(Context&, uint32_t, Effect) noexcept;
template std::optional<HitResult> internal::Hinder<FlowHot6>(Context&, Work&, uint32_t,
                                                             Side) noexcept;
template Egress internal::FindEgress(Context&, const Work&, FlowHot6&, Side) noexcept;
template HitResult internal::Reopen<FlowHot6>(Context&, uint32_t) noexcept;
template void internal::Conclude<FlowHot6>(Context&, uint32_t, Effect) noexcept;

}  // namespace tandem::pipeline
