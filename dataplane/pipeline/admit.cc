// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/admit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <rte_tcp.h>

#include <algorithm>
#include <cstring>

#include "dataplane/flow/table_find.h"
#include "dataplane/pipeline/hit.h"
#include "dataplane/pipeline/lifecycle.h"
#include "dataplane/pipeline/notes.h"
#include "dataplane/pipeline/refuse.h"

namespace tandem::pipeline {
namespace {

using config::Virtual;
using config::VirtualType;
using net::Kind;

bool IsSyn(const net::Parsed& parsed) {
  return (parsed.tcp_flags & (RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG | RTE_TCP_RST_FLAG)) ==
         RTE_TCP_SYN_FLAG;
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
  const config::VirtualIndex::Query query{.source = AddressOf(key.source),
                                          .destination = AddressOf(key.destination),
                                          .destination_port = ntohs(key.destination_port),
                                          .protocol = work.parsed.protocol,
                                          .interface = work.interface->id};
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

void SetSource(net::FlowKey4& key, const IpAddress& address) {
  key.source = address.v4();
}
void SetSource(net::FlowKey6& key, const IpAddress& address) {
  std::memcpy(key.source.bytes, address.bytes().data(), sizeof(key.source.bytes));
}

}  // namespace

template <class Hot>
void Admission<Hot>::Add(Work& work, uint64_t hash) noexcept {
  hashes_.set(BitOf(hash));
  added_[count_++] = {&work, hash};
}

template <class Hot>
void Admission<Hot>::Run() noexcept {
  if (count_ == 0) return;
  for (size_t i = 0; i < count_; i += kGroupMax)
    RunGroup(std::span(added_).subspan(i, std::min(kGroupMax, count_ - i)));
  NoteBegun<Hot>(context_, std::span(begun_).first(begun_count_));
  context_.counters.flows_created.Add(begun_count_);
  begun_count_ = 0;
  count_ = 0;
  hashes_.reset();
}

template <class Hot>
void Admission<Hot>::RunGroup(std::span<const Added> group) noexcept {
  std::array<Plan<Hot>*, kGroupMax> going;
  size_t count = 0;
  // A plan that came to nothing is the next one's.
  for (const Added& added : group) {
    if (Start(added, plans_[count])) ++count;
  }
  for (size_t i = 0; i < count; ++i)
    FetchRecord(plans_[i].record);
  size_t prepared = 0;
  for (size_t i = 0; i < count; ++i) {
    if (Prepare(plans_[i])) going[prepared++] = &plans_[i];
  }
  FinishAll(std::span(going).first(prepared));
}

// A plan whose source seems to be taken is late: what decides that, or another source, is fetched while others
// are finished.
template <class Hot>
void Admission<Hot>::FinishAll(std::span<Plan<Hot>*> plans) noexcept {
  std::array<Plan<Hot>*, kGroupMax> late;
  size_t late_count = 0;
  size_t count = 0;
  const flow::FlowTable<Hot>& table = context_.template flows<Hot>().table;
  for (Plan<Hot>* const plan : plans) {
    if ((plan->flags & flow::kTranslateSource) == 0 || !table.MayHave(plan->flow.server_hash)) {
      plans[count++] = plan;
      continue;
    }
    late[late_count++] = plan;
    if (KeepsPort(*plan)) {
      table.PrefetchLikely(plan->flow.server_hash);
    } else {
      PassOverTaken(*plan);
    }
  }
  for (size_t i = 0; i < count / 2; ++i)
    Finish(*plans[i]);
  for (size_t i = 0; i < late_count; ++i)
    PassOverTaken(*late[i]);
  for (size_t i = count / 2; i < count; ++i)
    Finish(*plans[i]);
  for (size_t i = 0; i < late_count; ++i)
    Finish(*late[i]);
}

// What is there without asking tables that are large. False: the packet has ended.
template <class Hot>
bool Admission<Hot>::Start(const Added& added, Plan<Hot>& plan) noexcept {
  plan.work = added.work;
  plan.flow.client_hash = added.hash;
  const Work& work = *plan.work;
  const auto& key = KeyOf<Hot>(work.parsed);
  plan.virtual_server = FindVirtual<Hot>(context_, work);
  if (plan.virtual_server == nullptr) return false;
  plan.member = nullptr;
  plan.persistence_word = 0;
  plan.flags = 0;
  plan.flow.client = key;
  plan.flow.protocol = work.parsed.protocol;
  plan.flow.server_is_free = false;
  AskRecord<Hot>(context_, work, *plan.virtual_server, plan.record);
  return true;
}

// Member, way out and the server side's key, which may still turn out to be taken. False: refused.
template <class Hot>
bool Admission<Hot>::Prepare(Plan<Hot>& plan) noexcept {
  const Virtual& virtual_server = *plan.virtual_server;
  if (!context_.live.TakeVirtual(virtual_server.id, virtual_server.connection_limit)) {
    Reject(context_, *plan.work, DropReason::kVirtualLimit);
    return false;
  }
  const auto refuse = [&](DropReason reason) {
    Refuse(plan, reason);
    return false;
  };
  const DropReason reason = ChooseServer(plan);
  if (reason != DropReason::kNone) return refuse(reason);
  if (plan.member != nullptr) {
    FindNextHopToMember(context_, *plan.member, plan.hop);
  } else {
    plan.hop = FindNextHop(context_, AddressOf(plan.flow.client.destination));
  }
  if (plan.hop.status == NextHop::Status::kNoRoute) return refuse(DropReason::kNoRoute);
  if (plan.hop.status == NextHop::Status::kFailed) return refuse(DropReason::kNeighbourUnresolved);
  if (!FitsThrough(context_, *plan.work, *plan.hop.interface)) {
    GiveBack(plan);
    return false;
  }
  flow::FlowTable<Hot>& table = context_.template flows<Hot>().table;
  plan.flow.one_legged = (plan.flags & flow::kOneLegged) != 0;
  if (virtual_server.snat != config::SnatKind::kNone) {
    plan.flags |= flow::kTranslateSource;
    if (!BeginSource(context_, plan)) return refuse(plan.sources.reason());
  } else {
    plan.flow.server_hash = table.Hash(plan.flow.server, plan.flow.protocol);
  }
  if (!plan.flow.one_legged) table.PrefetchIndex(plan.flow.server_hash);
  return true;
}

// Chooses the member and writes the server side's key without SNAT.
template <class Hot>
DropReason Admission<Hot>::ChooseServer(Plan<Hot>& plan) noexcept {
  const Virtual& virtual_server = *plan.virtual_server;
  const auto& key = plan.flow.client;
  plan.flow.server = {.source = key.destination,
                      .destination = key.source,
                      .source_port = key.destination_port,
                      .destination_port = key.source_port};
  if (virtual_server.type == VirtualType::kForwardIp) return DropReason::kNone;

  const config::Pool* pool = context_.snapshot->FindPool(virtual_server.pool);
  if (pool == nullptr) return DropReason::kNoMember;
  const lb::ClientTuple client{AddressOf(key.source), AddressOf(key.destination),
                               ntohs(key.source_port), ntohs(key.destination_port),
                               plan.flow.protocol};
  const lb::Choice choice =
      ChooseMember(context_, virtual_server, *pool, client, plan.record, plan.persistence_word);
  if (choice.member == nullptr) return choice.reason;
  plan.member = choice.member;
  if (!virtual_server.translate_address) {
    plan.flags |= flow::kOneLegged;
    return DropReason::kNone;
  }
  plan.flags |= flow::kTranslateAddress;
  SetSource(plan.flow.server, plan.member->address);
  const Kind kind = plan.work->parsed.kind;
  const bool has_port = kind == Kind::kTcp || kind == Kind::kUdp;
  if (has_port && virtual_server.translate_port && plan.member->port != 0) {
    plan.flow.server.source_port = htons(plan.member->port);
  }
  return DropReason::kNone;
}

// Goes on to the next source where this one is taken, and brings near what is known of that. The client's own
// port is given up only when a flow has it; any other is as good as the next, and what the index line says will
// do. Finish makes sure.
template <class Hot>
void Admission<Hot>::PassOverTaken(Plan<Hot>& plan) noexcept {
  const flow::FlowTable<Hot>& table = context_.template flows<Hot>().table;
  if (!table.MayHave(plan.flow.server_hash)) return;
  const auto taken = plan.flow.server;
  if (KeepsPort(plan) && !table.FindHashed(plan.flow.server_hash, taken, plan.flow.protocol))
    return;
  if (NextSource(context_, plan)) {
    table.PrefetchIndex(plan.flow.server_hash);
  } else {
    plan.flow.server = taken;
  }
}

template <class Hot>
void Admission<Hot>::Finish(Plan<Hot>& plan) noexcept {
  FlowSet<Hot>& flows = context_.template flows<Hot>();
  if ((plan.flags & flow::kTranslateSource) != 0) {
    while (flows.table.FindHashed(plan.flow.server_hash, plan.flow.server, plan.flow.protocol)) {
      if (!NextSource(context_, plan)) return Refuse(plan, plan.sources.reason());
    }
    plan.flow.server_is_free = true;
  }
  uint32_t slot = flow::kNoSlot;
  const DropReason reason = Insert(plan, slot);
  if (reason != DropReason::kNone) return Refuse(plan, reason);
  context_.flows_changed = true;
  Fill(plan, slot);
  if (NeighbourReady(context_, *plan.work, plan.hop)) {
    Emit(context_, *plan.work, flows.table.hot(slot), flow::Side::kClient,
         {plan.hop.interface, WordOf(plan.hop.mac)});
  }
}

// A slot for the flow; half-open flows make room in a full table.
template <class Hot>
DropReason Admission<Hot>::Insert(Plan<Hot>& plan, uint32_t& slot) noexcept {
  FlowSet<Hot>& flows = context_.template flows<Hot>();
  const config::TrafficGroupId group = plan.virtual_server->traffic_group;
  flow::InsertResult result = flows.table.Insert(group, plan.flow);
  if (result.status == flow::InsertStatus::kFull) {
    const uint32_t oldest = flows.timers.OldestEmbryonic();
    if (oldest == flow::kNoSlot) return DropReason::kFlowTableFull;
    EndFlow<Hot>(context_, oldest, EndReason::kReaped);
    result = flows.table.Insert(group, plan.flow);
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
void Admission<Hot>::Fill(const Plan<Hot>& plan, uint32_t slot) noexcept {
  const Work& work = *plan.work;
  FlowSet<Hot>& flows = context_.template flows<Hot>();
  flow::FlowCommon& common = flows.table.hot(slot).common;
  flow::FlowCold& cold = flows.table.cold(slot);
  common.protocol = work.parsed.protocol;
  common.flags = plan.flags;
  common.virtual_id = plan.virtual_server->id;
  common.member_id = plan.member != nullptr ? plan.member->id : config::MemberId{0};
  common.client_interface = work.interface->id;
  std::memcpy(common.client_mac.data(), work.packet.data + 6, 6);
  if (!plan.virtual_server->auto_last_hop) common.flags |= flow::kClientByRoute;
  common.last_seen = context_.tick;
  const uint8_t packets = plan.virtual_server->mirror_after_packets;
  common.packets_awaited = packets == 0 ? uint8_t{0} : static_cast<uint8_t>(packets - 1);
  RememberServer(context_, common, plan.hop);
  cold.created = context_.tick;
  if (work.parsed.kind == Kind::kTcp) {
    flow::StartTcp(common, cold, SegmentOf(work));
  } else {
    common.state = flow::State::kOpening;
  }
  if (plan.persistence_word != 0) KeepWord(cold, plan.persistence_word);
  BeginFlow<Hot>(context_, slot);
  begun_[begun_count_++] = slot;
  context_.counters.virtuals[common.virtual_id].connections.Add(1);
  context_.counters.members[common.member_id].connections.Add(1);
}

template <class Hot>
void Admission<Hot>::GiveBack(const Plan<Hot>& plan) noexcept {
  context_.live.ReleaseVirtual(plan.virtual_server->id);
  if (plan.member != nullptr) context_.live.ReleaseMember(plan.member->id);
}

template <class Hot>
void Admission<Hot>::Refuse(const Plan<Hot>& plan, DropReason reason) noexcept {
  GiveBack(plan);
  // BIG-IP resets new connections at a limit or without a member; the rest the client may retry.
  const bool refuses = reason == DropReason::kNoMember || reason == DropReason::kMemberLimit;
  refuses ? Reject(context_, *plan.work, reason) : Drop(context_, plan.work->packet, reason);
}

template class Admission<flow::FlowHot4>;
template class Admission<flow::FlowHot6>;

}  // namespace tandem::pipeline
