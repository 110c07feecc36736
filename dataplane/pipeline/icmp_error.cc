// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/icmp_error.h"

#include "dataplane/nat/rewrite.h"
#include "dataplane/net/frame.h"
#include "dataplane/net/link.h"
#include "dataplane/pipeline/hit.h"
#include "dataplane/pipeline/shadow.h"
#include "dataplane/pipeline/steer.h"

namespace tandem::pipeline {
namespace {

// The quoted packet is one that we sent; turned round it is what the other end would send us.
template <class Key>
Key TurnRound(const Key& sent) {
  Key key;
  key.source = sent.destination;
  key.destination = sent.source;
  key.source_port = sent.destination_port;
  key.destination_port = sent.source_port;
  return key;
}

template <class Hot>
void PassOn(Context& context, Work& work, const net::Parsed& quoted, flow::FlowRef ref) {
  Hot& hot = context.flows<Hot>().table.hot(ref.slot);
  const NextHop hop = ref.side == flow::Side::kClient ? NextHopToServer(context, hot)
                                                      : NextHopToClient(context, hot);
  if (!NeighbourReady(context, work, hop) || !FitsThrough(context, work, *hop.interface)) return;
  nat::RewriteIcmpError(work.packet, work.parsed, quoted, hot, ref.side);
  const net::LinkHeader link{hop.mac, hop.interface->mac, hop.interface->vlan};
  if (!net::SetLink(work.packet, work.parsed, link)) {
    return Drop(context, work.packet, DropReason::kHeaderSplit);
  }
  work.packet.port = hop.interface->port;
  context.counters.forwarded.Add(1);
  context.out->Transmit(work.packet);
}

template <class Hot>
void Process(Context& context, Work& work, const net::Parsed& quoted) {
  const auto key = TurnRound(KeyOf<Hot>(quoted));
  const flow::FlowRef ref = context.flows<Hot>().table.FindOne(key, quoted.protocol);
  if (ref) {
    switch (StandingOf<Hot>(context, ref.slot)) {
      case Standing::kOurs:
        return PassOn<Hot>(context, work, quoted, ref);
      case Standing::kSilent:
        return Drop(context, work.packet,
                    SilentReason(context, context.flows<Hot>().table.pages().GroupOf(ref.slot)));
      case Standing::kEnded:
        return Drop(context, work.packet, DropReason::kIcmpNoFlow);
    }
  }
  if (HandOff(context, work, OwnerOf(*context.snapshot, *work.interface, key, quoted.protocol)))
    return;
  Drop(context, work.packet, DropReason::kIcmpNoFlow);
}

}  // namespace

void ProcessIcmpError(Context& context, Work& work) noexcept {
  net::Parsed quoted;
  net::ParseQuoted(work.packet, work.parsed, quoted);
  if (quoted.drop != DropReason::kNone) {
    return Drop(context, work.packet, quoted.drop);
  }
  if (quoted.is_ipv6() != work.parsed.is_ipv6()) {
    return Drop(context, work.packet, DropReason::kIcmpBad);
  }
  if (quoted.is_ipv6()) {
    Process<flow::FlowHot6>(context, work, quoted);
  } else {
    Process<flow::FlowHot4>(context, work, quoted);
  }
}

}  // namespace tandem::pipeline
