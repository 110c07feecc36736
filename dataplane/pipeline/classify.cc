// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/classify.h"

#include <cstring>

#include "dataplane/pipeline/failover_path.h"
#include "dataplane/pipeline/local.h"
#include "dataplane/pipeline/neighbours.h"

namespace tandem::pipeline {
namespace {

// Whether a unicast MAC is ours. A standby's masquerade MAC is the active's; what a switch still brings
// here that was handed over a moment ago is looked at, and sent there.
DropReason CheckMac(const Context& context, const config::Interface& interface,
                    const uint8_t* mac) {
  if (std::memcmp(mac, interface.mac.data(), 6) == 0) return DropReason::kNone;
  DropReason reason = DropReason::kMacNotOurs;
  if (context.snapshot->masquerade_mac == kNoMac) return reason;
  for (const config::TrafficGroup& group : context.snapshot->traffic_groups) {
    if (!group.has_mac || std::memcmp(mac, group.mac.data(), 6) != 0) continue;
    if (!IsSilent(context, group.id)) return DropReason::kNone;
    if (context.now < context.shared.roles.StraysUntil(group.id)) return DropReason::kNone;
    if (context.promotion.groups.test(group.id)) reason = DropReason::kBacklog;
  }
  return reason;
}

// IP traffic sent to a group, by MAC or by address; here nobody's but for one question (AnswerAllHosts).
bool IsForGroup(const net::Parsed& parsed) {
  if ((parsed.flags & net::kGroupMac) != 0) return true;
  if (parsed.is_ipv6()) return parsed.key6.destination.bytes[0] == 0xff;
  uint8_t first = 0;
  std::memcpy(&first, &parsed.key4.destination, 1);
  return first >= 0xe0;
}

// What is neither TCP nor UDP.
Business ClassifyOther(Context& context, Work& work) {
  const net::Parsed& parsed = work.parsed;
  if (parsed.kind == net::Kind::kArp) {
    HandleArp(context, work);
    return Business::kDone;
  }
  if (parsed.kind == net::Kind::kNd) {
    HandleNd(context, work);
    return Business::kDone;
  }
  if (IsForGroup(parsed)) {
    const bool is_query = parsed.kind == net::Kind::kIcmpQuery;
    if (!is_query || !AnswerAllHosts(context, work))
      Drop(context, work.packet, DropReason::kMulticast);
    return Business::kDone;
  }
  if (parsed.kind == net::Kind::kIcmpError) return Business::kIcmpError;
  if (parsed.kind == net::Kind::kIcmpQuery && AnswerEcho(context, work)) return Business::kDone;
  if (parsed.kind == net::Kind::kIcmpOther &&
      context.snapshot->addresses.Find(DestinationOf(parsed)) != nullptr) {
    Drop(context, work.packet, DropReason::kIcmpUnknown);
    return Business::kDone;
  }
  return Business::kTraffic;
}

}  // namespace

Business Classify(Context& context, Work& work) noexcept {
  const net::Parsed& parsed = work.parsed;
  if (parsed.drop != DropReason::kNone) [[unlikely]] {
    Drop(context, work.packet, parsed.drop);
    return Business::kDone;
  }
  const config::InterfaceId id = context.snapshot->InterfaceOf(work.packet.port, parsed.vlan);
  if (id == 0) [[unlikely]] {
    Drop(context, work.packet, DropReason::kVlanUnknown);
    return Business::kDone;
  }
  work.interface = &context.snapshot->interfaces[id];
  if (work.interface->is_watched) [[unlikely]] {
    context.counters.heard_at[id].Set(context.now);
  }
  if ((parsed.flags & net::kGroupMac) == 0) {
    const DropReason reason = CheckMac(context, *work.interface, work.packet.data);
    if (reason != DropReason::kNone) [[unlikely]] {
      Drop(context, work.packet, reason);
      return Business::kDone;
    }
  }
  const bool is_udp = parsed.kind == net::Kind::kUdp;
  if (!is_udp && parsed.kind != net::Kind::kTcp) return ClassifyOther(context, work);
  if (IsForGroup(parsed)) [[unlikely]] {
    Drop(context, work.packet, DropReason::kMulticast);
    return Business::kDone;
  }
  const bool may_be_control =
      is_udp && (parsed.is_ipv6() ? IsControlPort(parsed.key6) : IsControlPort(parsed.key4));
  if (may_be_control && TakeFailoverFrame(context, work)) return Business::kDone;
  return Business::kTraffic;
}

}  // namespace tandem::pipeline
