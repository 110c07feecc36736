// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/hit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <rte_tcp.h>

#include <optional>

#include "dataplane/nat/rewrite.h"
#include "dataplane/net/frame.h"
#include "dataplane/net/link.h"
#include "dataplane/pipeline/lifecycle.h"
#include "dataplane/pipeline/notes.h"
#include "dataplane/pipeline/refuse.h"
#include "dataplane/pipeline/shadow.h"

namespace tandem::pipeline {
namespace {

using flow::Side;
using flow::State;

constexpr uint8_t kSyn = RTE_TCP_SYN_FLAG;

// Flows without states are established by the first packet back.
flow::TcpVerdict TrackStateless(flow::FlowCommon& common, Side side) {
  const bool is_answered = common.state == State::kOpening && side == Side::kServer;
  if (is_answered) common.state = State::kEstablished;
  return {.state_changed = is_answered};
}

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

template <class Hot>
void CountOnObjects(Context& context, const Hot& flow, Side side, uint32_t bytes) {
  const auto way = static_cast<size_t>(side);
  ObjectCounters::Way& by_virtual = context.counters.virtuals[flow.common.virtual_id].ways[way];
  ObjectCounters::Way& by_member = context.counters.members[flow.common.member_id].ways[way];
  by_virtual.packets.Add(1);
  by_virtual.bytes.Add(bytes);
  by_member.packets.Add(1);
  by_member.bytes.Add(bytes);
}

inline const MacAddress& SourceMac(const Context& context, const config::Interface& egress,
                                   config::VirtualId virtual_id) {
  if (!context.snapshot->has_masquerade_mac) return egress.mac;
  const config::Virtual* virtual_server = context.snapshot->FindVirtual(virtual_id);
  return virtual_server == nullptr ? egress.mac
                                   : context.snapshot->MacOf(egress, virtual_server->traffic_group);
}

// The way out of a flow that remembers none, or an old one. False: the packet waits or is dropped.
template <class Hot>
bool FindEgress(Context& context, const Work& work, Hot& hot, Side side, Egress& egress) {
  const NextHop hop =
      side == Side::kClient ? NextHopToServer(context, hot) : NextHopToClient(context, hot);
  if (!NeighbourReady(context, work, hop)) return false;
  if (side == Side::kClient) RememberServer(context, hot.common, hop);
  egress = {hop.interface, hop.mac};
  return true;
}

template <class Hot>
void Translate(Work& work, const Hot& flow, Side side) {
  constexpr uint16_t kTranslated = flow::kTranslateAddress | flow::kTranslateSource;
  if ((flow.common.flags & kTranslated) != 0) {
    nat::Rewrite(work.packet, work.parsed, flow, side);
  } else {
    nat::DecrementTtl(work.packet, work.parsed);
  }
}

// Emit, in line: nearly every packet goes through it.
template <class Hot>
[[gnu::always_inline]] inline void EmitHere(Context& context, Work& work, const Hot& flow,
                                            Side side, const Egress& egress) noexcept {
  Translate(work, flow, side);
  const MacAddress& source = SourceMac(context, *egress.interface, flow.common.virtual_id);
  if (!net::SetLink(work.packet, work.parsed, egress.mac, source, egress.interface->vlan)) {
    Drop(context, work.packet, DropReason::kHeaderSplit);
    return;
  }
  CountOnObjects(context, flow, side, work.packet.length);
  context.counters.forwarded.Add(1);
  context.out->Transmit(work.packet).port = egress.interface->port;
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

// What roles, the hand-over and the wait for the peer make of a packet. nullopt: it goes on.
template <class Hot>
[[gnu::noinline]] std::optional<HitResult> Hinder(Context& context, Work& work, flow::FlowRef ref) {
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

// What a packet that was forwarded did to its flow, carried out.
template <class Hot>
void Conclude(Context& context, uint32_t slot, const flow::TcpVerdict& verdict, bool has_lasted) {
  if (verdict.action == flow::TcpAction::kClose) {
    EndFlow<Hot>(context, slot, EndReason::kReset);
  } else if (verdict.state_changed) {
    if (EndsNow<Hot>(context, context.flows<Hot>().table.hot(slot).common)) {
      EndFlow<Hot>(context, slot, EndReason::kClosed);
    } else {
      StateChanged<Hot>(context, slot);
    }
  } else if (verdict.flags_changed) {
    NoteState<Hot>(context, slot);
  } else if (has_lasted) {
    NoteUse<Hot>(context, slot);
  }
}

template <class Hot>
HitResult ProcessHit(Context& context, Work& work, flow::FlowRef ref) noexcept {
  FlowSet<Hot>& flows = context.flows<Hot>();
  Hot& hot = flows.table.hot(ref.slot);
  if (!context.is_ordinary || (hot.common.flags & flow::kShadow) != 0) [[unlikely]] {
    if (const auto result = Hinder<Hot>(context, work, ref)) return *result;
  }
  Egress egress;
  if (!RememberedEgress(context, hot.common, ref.side, egress) &&
      !FindEgress(context, work, hot, ref.side, egress)) {
    return HitResult::kDone;
  }
  if (!FitsThrough(context, work, *egress.interface)) return HitResult::kDone;

  hot.common.last_seen = context.tick;
  const bool has_lasted = hot.common.packets_awaited != 0 && --hot.common.packets_awaited == 0;
  flow::TcpVerdict verdict;
  if (work.parsed.kind == net::Kind::kTcp) {
    verdict = flow::TrackTcp(hot.common, flows.table.cold(ref.slot), ref.side, SegmentOf(work));
    if (verdict.action == flow::TcpAction::kReopen) {
      EndFlow<Hot>(context, ref.slot, EndReason::kReopened);
      return HitResult::kEnded;
    }
    if (verdict.action == flow::TcpAction::kDrop) {
      Drop(context, work.packet, DropReason::kTcpInvalid);
      return HitResult::kDone;
    }
  } else {
    verdict = TrackStateless(hot.common, ref.side);
  }
  EmitHere(context, work, hot, ref.side, egress);
  Conclude<Hot>(context, ref.slot, verdict, has_lasted);
  return HitResult::kDone;
}

template <class Hot>
void Emit(Context& context, Work& work, const Hot& flow, Side side, const Egress& egress) noexcept {
  EmitHere(context, work, flow, side, egress);
}

template void Emit(Context&, Work&, const flow::FlowHot4&, Side, const Egress&) noexcept;
template void Emit(Context&, Work&, const flow::FlowHot6&, Side, const Egress&) noexcept;
template HitResult ProcessHit<flow::FlowHot4>(Context&, Work&, flow::FlowRef) noexcept;
template HitResult ProcessHit<flow::FlowHot6>(Context&, Work&, flow::FlowRef) noexcept;

}  // namespace tandem::pipeline
