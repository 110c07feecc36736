// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/hand_over.h"

#include <netinet/in.h>
#include <rte_tcp.h>

#include <cstring>

#include "dataplane/pipeline/context.h"

namespace tandem::pipeline {
namespace {

using Waiting = HandOverQueue::Entry;

void HoldBack(Context& context, const Work& work, config::TrafficGroupId group, bool begins_flow) {
  if (!context.hand_over.HasRoom()) return Drop(context, work.packet, DropReason::kHandOverFull);
  context.hand_over.Add({.packet = work.packet,
                         .since = context.now,
                         .group = group,
                         .interface = work.interface->id,
                         .begins_flow = begins_flow});
  context.counters.held.Add(1);
}

// What changes no state of an established flow: data and acknowledgements, and datagrams.
bool LeavesStateAlone(const Work& work, const flow::FlowCommon& common) {
  if (common.state != flow::State::kEstablished) return false;
  constexpr uint8_t kChanging = RTE_TCP_SYN_FLAG | RTE_TCP_FIN_FLAG | RTE_TCP_RST_FLAG;
  return work.parsed.kind != net::Kind::kTcp || (work.parsed.tcp_flags & kChanging) == 0;
}

void SendOn(Context& context, const Waiting& entry, const MacAddress& successor) {
  const config::Interface& interface = context.snapshot->interfaces[entry.interface];
  std::memcpy(entry.packet.data, successor.data(), successor.size());
  std::memcpy(entry.packet.data + successor.size(), interface.mac.data(), interface.mac.size());
  context.counters.held.Subtract(1);
  context.counters.forwarded.Add(1);
  context.counters.strays.Add(1);
  context.out->Transmit(entry.packet).port = interface.port;
}

void GiveUp(Context& context, const Waiting& entry, DropReason reason) {
  context.counters.held.Subtract(1);
  Drop(context, entry.packet, reason);
}

bool AwaitsStrays(const Context& context, config::TrafficGroupId group) {
  return context.now < context.shared.roles.StraysUntil(group);
}

// True: it waits no more.
bool SettleWaiting(Context& context, const Waiting& entry, Thawed& thawed) {
  if (!IsSilent(context, entry.group)) {
    // However long: the peer may have all that it will ever be told, and be acting a moment from now.
    if (context.roles.IsFrozen(entry.group)) return false;
    thawed.packets[thawed.count++] = entry.packet;
    return true;
  }
  const bool is_late = context.now - entry.since >= HandOverQueue::kPatience;
  MacAddress successor;
  const bool is_theirs = !entry.begins_flow && AwaitsStrays(context, entry.group) &&
                         entry.interface < context.snapshot->interfaces.size() &&
                         context.snapshot->interfaces[entry.interface].id != 0;
  if (!is_theirs || is_late) {
    GiveUp(context, entry, DropReason::kStandby);
  } else if (context.shared.successors.Find(entry.interface, successor)) {
    SendOn(context, entry, successor);
  } else {
    return false;
  }
  return true;
}

}  // namespace

void Successors::Learn(config::InterfaceId interface, const MacAddress& mac) noexcept {
  uint64_t word = kKnown;
  std::memcpy(&word, mac.data(), mac.size());
  macs_[interface].store(word, std::memory_order_relaxed);
}

bool Successors::Find(config::InterfaceId interface, MacAddress& mac) const noexcept {
  const uint64_t word = macs_[interface].load(std::memory_order_relaxed);
  std::memcpy(mac.data(), &word, mac.size());
  return word != 0;
}

void Successors::Forget() noexcept {
  for (std::atomic<uint64_t>& mac : macs_)
    mac.store(0, std::memory_order_relaxed);
}

template <class Hot>
bool HoldFrozen(Context& context, const Work& work, flow::FlowRef ref) noexcept {
  const auto& table = context.flows<Hot>().table;
  const config::TrafficGroupId group = table.pages().GroupOf(ref.slot);
  if (!context.roles.IsFrozen(group)) return false;
  if (LeavesStateAlone(work, table.hot(ref.slot).common)) return false;
  HoldBack(context, work, group, false);
  return true;
}

bool HoldFrozen(Context& context, const Work& work, config::TrafficGroupId group) noexcept {
  if (!context.roles.IsFrozen(group)) return false;
  HoldBack(context, work, group, true);
  return true;
}

bool TakeStray(Context& context, const Work& work, config::TrafficGroupId group) noexcept {
  // What waited in a queue when this device became standby is no different from what comes now; what
  // another device may have forwarded is.
  if (context.promotion.groups.test(group) || !AwaitsStrays(context, group)) return false;
  HoldBack(context, work, group, false);
  return true;
}

void LearnSuccessor(Context& context, config::InterfaceId interface, config::TrafficGroupId group,
                    const MacAddress& mac) noexcept {
  if (IsSilent(context, group) && AwaitsStrays(context, group))
    context.shared.successors.Learn(interface, mac);
}

void TurnHandOver(Context& context, Thawed& thawed) noexcept {
  context.hand_over.Offer(
      kBurstMax, [&](const Waiting& entry) { return SettleWaiting(context, entry, thawed); });
}

template bool HoldFrozen<flow::FlowHot4>(Context&, const Work&, flow::FlowRef) noexcept;
template bool HoldFrozen<flow::FlowHot6>(Context&, const Work&, flow::FlowRef) noexcept;

}  // namespace tandem::pipeline
