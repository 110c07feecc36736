// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/local.h"

#include <cstring>

#include "dataplane/net/frame.h"
#include "dataplane/net/link.h"
#include "dataplane/pipeline/neighbours.h"

namespace tandem::pipeline {
namespace {

bool IsRequest(const net::Parsed& parsed) {
  return (parsed.flags & net::kIcmpReply) == 0;
}

// In the frame of the request, back to whom it came from.
void Answer(Context& context, Work& work, const IpAddress& own, const MacAddress& own_mac) {
  net::LinkHeader link;
  std::memcpy(link.destination.data(), work.packet.data + 6, 6);
  link.source = own_mac;
  link.vlan = work.interface->vlan;
  net::EchoReplyInPlace(work.packet, work.parsed, own);
  if (!net::SetLink(work.packet, work.parsed, link)) {
    Drop(context, work.packet, DropReason::kHeaderSplit);
    return;
  }
  work.packet.port = work.interface->port;
  work.packet.flags |= net::kOriginated;
  context.counters.consumed.Add(1);
  context.counters.originated.Add(1);
  context.out->Transmit(work.packet);
}

}  // namespace

bool AnswerEcho(Context& context, Work& work) noexcept {
  const IpAddress destination = DestinationOf(work.parsed);
  const config::LocalAddress* local = context.snapshot->addresses.Find(destination);
  if (local == nullptr) return false;
  // A reply to one of our addresses may belong to a flow whose source we translated.
  if (!IsRequest(work.parsed)) return false;
  if (IsSilent(context, local->traffic_group)) {
    Drop(context, work.packet, SilentReason(context, local->traffic_group));
    return true;
  }
  if (!local->icmp_echo) {
    Drop(context, work.packet, DropReason::kNotLocal);
    return true;
  }
  Answer(context, work, destination,
         context.snapshot->MacOf(*work.interface, local->traffic_group));
  return true;
}

bool AnswerAllHosts(Context& context, Work& work) noexcept {
  if (!work.interface->is_watched || !IsRequest(work.parsed)) return false;
  if (DestinationOf(work.parsed) != net::AllHosts(!work.parsed.is_ipv6())) return false;
  const IpAddress source = SourceOf(work.parsed);
  if (!IsOnLink(*work.interface, source)) return false;
  const IpAddress own = AddressTowards(context, *work.interface, source);
  if (own.is_unset()) return false;
  Answer(context, work, own, work.interface->mac);
  return true;
}

}  // namespace tandem::pipeline
