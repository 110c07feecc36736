// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/local.h"

#include <cstring>

#include "dataplane/net/frame.h"
#include "dataplane/net/link.h"

namespace tandem::pipeline {

bool AnswerEcho(Context& context, Work& work) noexcept {
  const config::LocalAddress* local = context.snapshot->addresses.Find(DestinationOf(work.parsed));
  if (local == nullptr) return false;
  const bool is_request = (work.parsed.flags & net::kIcmpReply) == 0;
  // A reply to one of our addresses may belong to a flow whose source we translated.
  if (!is_request) return false;
  if (IsSilent(context, local->traffic_group)) {
    Drop(context, work.packet, SilentReason(context, local->traffic_group));
    return true;
  }
  if (!local->icmp_echo) {
    Drop(context, work.packet, DropReason::kNotLocal);
    return true;
  }
  net::LinkHeader link;
  std::memcpy(link.destination.data(), work.packet.data + 6, 6);
  link.source = context.snapshot->MacOf(*work.interface, local->traffic_group);
  link.vlan = work.interface->vlan;
  net::EchoReplyInPlace(work.packet, work.parsed);
  if (!net::SetLink(work.packet, work.parsed, link)) {
    Drop(context, work.packet, DropReason::kHeaderSplit);
    return true;
  }
  work.packet.port = work.interface->port;
  work.packet.flags |= net::kOriginated;
  context.counters.consumed.Add(1);
  context.counters.originated.Add(1);
  context.out->Transmit(work.packet);
  return true;
}

}  // namespace tandem::pipeline
