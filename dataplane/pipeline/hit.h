// SPDX-License-Identifier: Apache-2.0
//
// A packet of a known flow: next hop, state, rewrite, out. The next hop comes first, so that a packet
// that has to wait for a neighbour has changed nothing yet.
//
// What an established packet needs is here, in line for the worker's loop; all else is a call (hit.cc).
#pragma once

#include <rte_byteorder.h>
#include <rte_tcp.h>

#include <optional>

#include "dataplane/flow/tcp_ack.h"
#include "dataplane/flow/tcp_state.h"
#include "dataplane/pipeline/context.h"
#include "dataplane/pipeline/emit.h"
#include "dataplane/pipeline/next_hop.h"

namespace tandem::pipeline {

enum class HitResult : uint8_t {
  kDone,   // the packet is transmitted, held or dropped
  kEnded,  // the flow is no more, a new SYN ended it for one; the packet wants to be admitted
};

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

// What the TCP machine needs of a packet. REQUIRES: kind kTcp.
flow::TcpSegment SegmentOf(const Work& work) noexcept;

namespace internal {

// What roles, the hand-over and the wait for the peer make of a packet. nullopt: it goes on.
template <class Hot>
std::optional<HitResult> Hinder(Context& context, Work& work, uint32_t slot,
                                flow::Side side) noexcept;

// The way out of a flow that remembers none, or an old one. None: the packet waits or is dropped.
template <class Hot>
Egress FindEgress(Context& context, const Work& work, Hot& hot, flow::Side side) noexcept;

// What a packet that is forwarded does to its flow.
enum class Effect : uint8_t {
  kNone,
  kLasted,  // it was the last one that the flow's virtual waits for, to have the peer told
  kFlags,
  kState,
  kEnd,
};

// Carries it out.
template <class Hot>
void Conclude(Context& context, uint32_t slot, Effect effect) noexcept;

// A new SYN ends the flow.
template <class Hot>
HitResult Reopen(Context& context, uint32_t slot) noexcept;

inline Effect EffectOf(flow::TcpVerdict verdict, Effect otherwise) {
  if (verdict.is_quiet()) [[likely]]
    return otherwise;
  if (verdict.action == flow::TcpAction::kClose) return Effect::kEnd;
  return verdict.state_changed ? Effect::kState : Effect::kFlags;
}

// Flows without states are established by the first packet back.
inline Effect TrackStateless(flow::FlowCommon& common, flow::Side side, Effect otherwise) {
  if (common.state != flow::State::kOpening || side != flow::Side::kServer) [[likely]]
    return otherwise;
  common.state = flow::State::kEstablished;
  return Effect::kState;
}

// False: the packet is more than that.
[[gnu::always_inline]] inline bool TrackPlainAck(const Work& work, flow::FlowCommon& common,
                                                 flow::Side side) {
  const auto* const tcp =
      reinterpret_cast<const rte_tcp_hdr*>(work.packet.data + work.parsed.l4_offset);
  return flow::TrackAck(common, side, work.parsed.tcp_flags, rte_be_to_cpu_32(tcp->recv_ack),
                        rte_be_to_cpu_16(tcp->rx_win));
}

}  // namespace internal

template <class Hot>
[[gnu::always_inline]] inline HitResult ProcessHit(Context& context, Work& work, Hot& hot,
                                                   flow::FlowRef ref) noexcept {
  if (!context.is_ordinary || (hot.common.flags & flow::kShadow) != 0) [[unlikely]] {
    if (const auto result = internal::Hinder<Hot>(context, work, ref.slot, ref.side))
      return *result;
  }
  Egress egress = RememberedEgress(context, hot.common, ref.side);
  if (!egress) [[unlikely]] {
    egress = internal::FindEgress(context, work, hot, ref.side);
    if (!egress) return HitResult::kDone;
  }
  if (!FitsThrough(context, work, *egress.interface)) return HitResult::kDone;

  hot.common.last_seen = context.tick;
  internal::Effect effect = internal::Effect::kNone;
  if (hot.common.packets_awaited != 0) [[unlikely]] {
    if (--hot.common.packets_awaited == 0) effect = internal::Effect::kLasted;
  }
  if (work.parsed.kind != net::Kind::kTcp) {
    effect = internal::TrackStateless(hot.common, ref.side, effect);
  } else if (!internal::TrackPlainAck(work, hot.common, ref.side)) {
    const flow::TcpVerdict verdict = flow::TrackTcp(
        hot.common, context.flows<Hot>().table.cold(ref.slot), ref.side, SegmentOf(work));
    if (verdict.action == flow::TcpAction::kReopen) [[unlikely]]
      return internal::Reopen<Hot>(context, ref.slot);
    if (verdict.action == flow::TcpAction::kDrop) [[unlikely]] {
      Drop(context, work.packet, DropReason::kTcpInvalid);
      return HitResult::kDone;
    }
    effect = internal::EffectOf(verdict, effect);
  }
  Emit(context, work, hot, ref.side, egress);
  if (effect != internal::Effect::kNone) [[unlikely]]
    internal::Conclude<Hot>(context, ref.slot, effect);
  return HitResult::kDone;
}

}  // namespace tandem::pipeline
