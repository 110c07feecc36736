// SPDX-License-Identifier: Apache-2.0
//
// Out with a packet of a flow: translation, link header, counters. In line, for nearly every packet goes
// through it.
#pragma once

#include "dataplane/base/mac_word.h"
#include "dataplane/nat/rewrite.h"
#include "dataplane/net/link.h"
#include "dataplane/pipeline/context.h"
#include "dataplane/pipeline/next_hop.h"

namespace tandem::pipeline {

namespace internal {

template <class Hot>
[[gnu::always_inline]] inline void Translate(Work& work, const Hot& flow, flow::Side side) {
  constexpr uint16_t kTranslated = flow::kTranslateAddress | flow::kTranslateSource;
  if ((flow.common.flags & kTranslated) != 0) [[likely]] {
    nat::Rewrite(work.packet, work.parsed, flow, side);
  } else {
    nat::DecrementTtl(work.packet, work.parsed);
  }
}

inline MacWord SourceMac(const Context& context, const config::Interface& egress,
                         const flow::FlowCommon& flow) {
  if (context.snapshot->masquerade_mac == kNoMac) [[likely]]
    return egress.mac_word;
  const config::Virtual* virtual_server = context.snapshot->FindVirtual(flow.virtual_id);
  if (virtual_server == nullptr) return egress.mac_word;
  return WordOf(context.snapshot->MacOf(egress, virtual_server->traffic_group));
}

template <class Hot>
[[gnu::always_inline]] inline void CountOnObjects(Context& context, const Hot& flow,
                                                  flow::Side side, uint32_t bytes) {
  const auto way = static_cast<size_t>(side);
  ObjectCounters::Way& by_virtual = context.counters.virtuals[flow.common.virtual_id].ways[way];
  ObjectCounters::Way& by_member = context.counters.members[flow.common.member_id].ways[way];
  by_virtual.packets.Add(1);
  by_virtual.bytes.Add(bytes);
  by_member.packets.Add(1);
  by_member.bytes.Add(bytes);
}

}  // namespace internal

// Sends a packet of the flow that came in on `side` out by `egress`.
// REQUIRES: FitsThrough (hit.h), and the neighbour is known.
template <class Hot>
[[gnu::always_inline]] inline void Emit(Context& context, Work& work, const Hot& flow,
                                        flow::Side side, const Egress& egress) noexcept {
  internal::Translate(work, flow, side);
  const MacWord source = internal::SourceMac(context, *egress.interface, flow.common);
  if (!net::SetLink(work.packet, work.parsed, egress.mac, source, egress.interface->vlan))
      [[unlikely]] {
    Drop(context, work.packet, DropReason::kHeaderSplit);
    return;
  }
  internal::CountOnObjects(context, flow, side, work.packet.length);
  context.counters.forwarded.Add(1);
  context.out->Transmit(work.packet).port = egress.interface->port;
}

}  // namespace tandem::pipeline
