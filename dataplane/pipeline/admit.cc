// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/admit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <rte_tcp.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "dataplane/base/mutation.h"
#include "dataplane/nat/snat.h"
#include "dataplane/pipeline/hit.h"
#include "dataplane/pipeline/lifecycle.h"
#include "dataplane/pipeline/persistence.h"
#include "dataplane/pipeline/refuse.h"

namespace tandem::pipeline {
namespace {

using config::Virtual;
using config::VirtualType;
using net::Kind;

// A flow to be, and what has been taken for it.
template <class Hot>
struct Plan {
  const Virtual* virtual_server = nullptr;
  const config::Member* member = nullptr;  // nullptr: forwarding
  NextHop hop;
  typename Hot::Key server;  // the server side's key
  uint16_t flags = 0;        // flow::FlowFlag
  uint64_t persistence_word = 0;
};

bool IsSyn(const net::Parsed& parsed) {
  return (parsed.tcp_flags & (RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG | RTE_TCP_RST_FLAG)) ==
         RTE_TCP_SYN_FLAG;
}

bool HasPorts(Kind kind) {
  return kind == Kind::kTcp || kind == Kind::kUdp || kind == Kind::kIcmpQuery;
}

// No virtual server wants the packet. Who asked one of our addresses is told.
void RefuseUnmatched(Context& context, const Work& work) {
  const config::LocalAddress* local = context.snapshot->addresses.Find(DestinationOf(work.parsed));
  if (local == nullptr) return Drop(context, work.packet, DropReason::kNoVirtual);
  if (IsSilent(context, local->traffic_group)) {
    return Drop(context, work.packet, SilentReason(context, local->traffic_group));
  }
  const bool asked_self = (local->roles & config::kVirtualAddress) == 0;
  if (work.parsed.kind == Kind::kTcp && !IsSyn(work.parsed)) {
    return Reject(context, work, DropReason::kNoFlow);
  }
  Reject(context, work, asked_self ? DropReason::kNotLocal : DropReason::kNoVirtual);
}

// The virtual server that takes the packet as the beginning of a flow; nullptr: refused.
template <class Hot>
const Virtual* FindVirtual(Context& context, const Work& work) {
  const auto& key = KeyOf<Hot>(work.parsed);
  config::VirtualIndex::Query query;
  query.source = AddressOf(key.source);
  query.destination = AddressOf(key.destination);
  query.destination_port = ntohs(key.destination_port);
  query.protocol = work.parsed.protocol;
  query.interface = work.interface->id;
  const Virtual* found = context.snapshot->virtual_index.Find(query);
  if (found == nullptr) {
    RefuseUnmatched(context, work);
    return nullptr;
  }
  if (IsSilent(context, found->traffic_group)) {
    Drop(context, work.packet, SilentReason(context, found->traffic_group));
    return nullptr;
  }
  if (context.roles.any_frozen() && HoldFrozen(context, work, found->traffic_group)) return nullptr;
  if (!found->enabled) {
    Reject(context, work, DropReason::kVirtualDisabled);
    return nullptr;
  }
  if (found->type == VirtualType::kReject) {
    Reject(context, work, DropReason::kVirtualReject);
    return nullptr;
  }
  if (work.parsed.kind == Kind::kIcmpQuery && (work.parsed.flags & net::kIcmpReply) != 0) {
    Drop(context, work.packet, DropReason::kNoFlow);
    return nullptr;
  }
  if (work.parsed.kind != Kind::kTcp || IsSyn(work.parsed)) return found;
  switch (found->no_flow) {
    case config::NoFlowAction::kLooseInitiation:
      if ((work.parsed.tcp_flags & RTE_TCP_RST_FLAG) == 0) return found;
      [[fallthrough]];
    case config::NoFlowAction::kDrop:
      Drop(context, work.packet, DropReason::kNoFlow);
      return nullptr;
    case config::NoFlowAction::kReset:
      Reject(context, work, DropReason::kNoFlow);
      return nullptr;
  }
  return nullptr;
}

template <class Hot>
void GiveBack(Context& context, const Plan<Hot>& plan) {
  context.shared.live.ReleaseVirtual(plan.virtual_server->id);
  if (plan.member != nullptr) context.shared.live.ReleaseMember(plan.member->id);
}

// Chooses the member and writes the server side's key without SNAT.
template <class Hot>
DropReason ChooseServer(Context& context, const Work& work, Plan<Hot>& plan) {
  const auto& key = KeyOf<Hot>(work.parsed);
  plan.server.source = key.destination;
  plan.server.source_port = key.destination_port;
  plan.server.destination = key.source;
  plan.server.destination_port = key.source_port;
  if (plan.virtual_server->type == VirtualType::kForwardIp) return DropReason::kNone;

  const config::Pool* pool = context.snapshot->FindPool(plan.virtual_server->pool);
  if (pool == nullptr) return DropReason::kNoMember;
  const lb::ClientTuple client{AddressOf(key.source), AddressOf(key.destination),
                               ntohs(key.source_port), ntohs(key.destination_port),
                               work.parsed.protocol};
  const lb::Choice choice =
      ChooseMember(context, work, *plan.virtual_server, *pool, client, plan.persistence_word);
  if (choice.member == nullptr) return choice.reason;
  plan.member = choice.member;
  if (!plan.virtual_server->translate_address) {
    plan.flags |= flow::kOneLegged;
    return DropReason::kNone;
  }
  plan.flags |= flow::kTranslateAddress;
  if constexpr (Hot::kIsIpv6) {
    std::memcpy(plan.server.source.bytes, plan.member->address.bytes().data(), 16);
  } else {
    plan.server.source = plan.member->address.v4();
  }
  const bool has_port = work.parsed.kind == Kind::kTcp || work.parsed.kind == Kind::kUdp;
  if (has_port && plan.virtual_server->translate_port && plan.member->port != 0) {
    plan.server.source_port = htons(plan.member->port);
  }
  return DropReason::kNone;
}

using AutomapAddresses = std::array<IpAddress, 16>;

// The egress interface's self IPs, those that float or those that do not; none that is the peer's.
std::span<const IpAddress> Automap(const Context& context, const config::Interface& interface,
                                   bool floating, AutomapAddresses& addresses) {
  size_t count = 0;
  for (const IpPrefix& self :
       floating ? interface.floating_self_ips() : interface.fixed_self_ips()) {
    if (count < addresses.size() && !self.address.is_link_local() &&
        !IsSilentAddress(context, self.address)) {
      addresses[count++] = self.address;
    }
  }
  return {addresses.data(), count};
}

// A pool: its addresses. Automap: self IPs, floating ones first, because they move with the traffic;
// a mirrored flow could not go on with one that stays.
template <class Hot>
DropReason ChooseSnat(Context& context, const Work& work, Plan<Hot>& plan) {
  const Virtual& virtual_server = *plan.virtual_server;
  if (virtual_server.snat == config::SnatKind::kNone) return DropReason::kNone;
  plan.flags |= flow::kTranslateSource;
  nat::SnatRequest request;
  request.policy = virtual_server.source_port;
  request.client_port = KeyOf<Hot>(work.parsed).source_port;
  request.protocol = work.parsed.protocol;
  request.worker = context.worker;
  request.has_ports = HasPorts(work.parsed.kind);
  // The peers may come to own addresses that float, and keep their hands off our ports.
  const config::Mirroring& mirroring = context.snapshot->mirroring;
  const auto choose = [&](std::span<const IpAddress> addresses, bool floating) {
    request.addresses = addresses;
    const bool is_shared = floating && mirroring.enabled && !Mutated(Mutation::kSharedPorts);
    request.share =
        is_shared ? nat::PortShare{mirroring.port_share, mirroring.port_shares} : nat::PortShare{};
    return nat::ChooseSource<Hot>(request, *context.snapshot->steering, context.flows<Hot>().table,
                                  context.prng, plan.server);
  };
  if (virtual_server.snat == config::SnatKind::kPool) {
    const config::SnatPool& pool = context.snapshot->snat_pools[virtual_server.snat_pool];
    return choose(pool.addresses, pool.traffic_group != 0);
  }
  AutomapAddresses addresses;
  const DropReason floating = choose(Automap(context, *plan.hop.interface, true, addresses), true);
  if (floating == DropReason::kNone || virtual_server.mirror) return floating;
  return choose(Automap(context, *plan.hop.interface, false, addresses), false);
}

// A slot for the flow; half-open flows make room in a full table.
template <class Hot>
DropReason InsertFlow(Context& context, const Work& work, const Plan<Hot>& plan, uint32_t& slot) {
  FlowSet<Hot>& flows = context.flows<Hot>();
  const bool one_legged = (plan.flags & flow::kOneLegged) != 0;
  const auto insert = [&] {
    return flows.table.Insert(plan.virtual_server->traffic_group, KeyOf<Hot>(work.parsed),
                              plan.server, work.parsed.protocol, one_legged);
  };
  flow::InsertResult result = insert();
  if (result.status == flow::InsertStatus::kFull) {
    const uint32_t oldest = flows.timers.OldestEmbryonic();
    if (oldest == flow::kNoSlot) return DropReason::kFlowTableFull;
    EndFlow<Hot>(context, oldest, EndReason::kReaped);
    result = insert();
  }
  slot = result.slot;
  switch (result.status) {
    case flow::InsertStatus::kInserted:
      return DropReason::kNone;
    case flow::InsertStatus::kFull:
      return DropReason::kFlowTableFull;
    case flow::InsertStatus::kClientKeyTaken:
    case flow::InsertStatus::kServerKeyTaken:
      return DropReason::kFlowCollision;
  }
  return DropReason::kFlowCollision;
}

template <class Hot>
void FillFlow(Context& context, const Work& work, const Plan<Hot>& plan, uint32_t slot) {
  FlowSet<Hot>& flows = context.flows<Hot>();
  flow::FlowCommon& common = flows.table.hot(slot).common;
  flow::FlowCold& cold = flows.table.cold(slot);
  common.protocol = work.parsed.protocol;
  common.flags = plan.flags;
  common.virtual_id = plan.virtual_server->id;
  common.member_id = plan.member != nullptr ? plan.member->id : config::MemberId{0};
  common.client_interface = work.interface->id;
  std::memcpy(common.client_mac.data(), work.packet.data + 6, 6);
  if (!plan.virtual_server->auto_last_hop) common.flags |= flow::kClientByRoute;
  common.last_seen = context.tick;
  const uint8_t packets = plan.virtual_server->mirror_after_packets;
  common.packets_awaited = packets == 0 ? uint8_t{0} : static_cast<uint8_t>(packets - 1);
  RememberServer(context, common, plan.hop);
  cold.created = context.tick;
  if (work.parsed.kind == Kind::kTcp) {
    flow::StartTcp(common, cold, SegmentOf(work));
  } else {
    common.state = flow::State::kOpening;
  }
  if (plan.persistence_word != 0) KeepWord(cold, plan.persistence_word);
  BeginFlow<Hot>(context, slot);
  context.counters.virtuals[common.virtual_id].connections.Add(1);
  context.counters.members[common.member_id].connections.Add(1);
}

// Member, way out and translation. The packet is dropped when the reason is not kNone; `dropped`
// says that this has been done already.
template <class Hot>
DropReason MakePlan(Context& context, const Work& work, Plan<Hot>& plan, bool& dropped) {
  DropReason reason = ChooseServer(context, work, plan);
  if (reason != DropReason::kNone) return reason;
  const IpAddress towards =
      plan.member != nullptr ? plan.member->address : AddressOf(plan.server.source);
  plan.hop = FindNextHop(context, towards);
  if (plan.hop.status == NextHop::Status::kNoRoute) return DropReason::kNoRoute;
  if (plan.hop.status == NextHop::Status::kFailed) return DropReason::kNeighbourUnresolved;
  if (!FitsThrough(context, work, *plan.hop.interface)) {
    dropped = true;
    return DropReason::kTtlExpired;
  }
  return ChooseSnat(context, work, plan);
}

}  // namespace

template <class Hot>
void Admit(Context& context, Work& work) noexcept {
  Plan<Hot> plan;
  plan.virtual_server = FindVirtual<Hot>(context, work);
  if (plan.virtual_server == nullptr) return;
  if (!context.shared.live.TakeVirtual(plan.virtual_server->id,
                                       plan.virtual_server->connection_limit)) {
    return Reject(context, work, DropReason::kVirtualLimit);
  }
  bool dropped = false;
  uint32_t slot = flow::kNoSlot;
  DropReason reason = MakePlan(context, work, plan, dropped);
  if (reason == DropReason::kNone) reason = InsertFlow(context, work, plan, slot);
  if (reason != DropReason::kNone) {
    GiveBack(context, plan);
    if (dropped) return;
    // BIG-IP resets new connections at a limit or without a member; the rest the client may retry.
    const bool refuse = reason == DropReason::kNoMember || reason == DropReason::kMemberLimit;
    return refuse ? Reject(context, work, reason) : Drop(context, work.packet, reason);
  }
  FillFlow(context, work, plan, slot);
  if (NeighbourReady(context, work, plan.hop)) {
    Emit(context, work, context.flows<Hot>().table.hot(slot), flow::Side::kClient,
         {plan.hop.interface, plan.hop.mac});
  }
}

template void Admit<flow::FlowHot4>(Context&, Work&) noexcept;
template void Admit<flow::FlowHot6>(Context&, Work&) noexcept;

}  // namespace tandem::pipeline
