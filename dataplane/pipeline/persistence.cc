// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/persistence.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <rte_udp.h>

#include <algorithm>
#include <array>

namespace tandem::pipeline {
namespace {

using config::Member;
using config::Persistence;
using config::Pool;
using config::Snapshot;
using config::Virtual;
using persist::Record;

// A round over a worker's whole shard takes this many ticks, about nine seconds, or more.
constexpr uint32_t kSweepRoundTicks = 8192;
constexpr uint32_t kSweepBucketsMax = 64;
// However short a record's timeout, flows are looked at no more often than that.
constexpr uint32_t kTouchPeriodMin = TicksIn(50 * kMillisecond);

// The virtual's profile; nullptr: it has none.
const Persistence* ProfileOf(const Context& context, const Virtual& virtual_server) {
  if (virtual_server.persistence == 0) return nullptr;
  return context.snapshot->FindPersistence(virtual_server.persistence);
}

// The same, of a flow that exists, where records are kept.
const Virtual* VirtualWithRecords(const Context& context, const flow::FlowCommon& flow,
                                  const Persistence*& profile) {
  const Virtual* virtual_server = context.snapshot->FindVirtual(flow.virtual_id);
  if (virtual_server == nullptr || virtual_server->type != config::VirtualType::kFastL4) {
    return nullptr;
  }
  profile = ProfileOf(context, *virtual_server);
  return profile != nullptr && !profile->stateless ? virtual_server : nullptr;
}

// What of a UDP datagram is contiguous.
std::span<const uint8_t> PayloadOf(const Work& work) {
  if (work.parsed.kind != net::Kind::kUdp) return {};
  const uint32_t begin = work.parsed.l4_offset + uint32_t{sizeof(rte_udp_hdr)};
  const uint32_t end =
      std::min(work.packet.contiguous, work.parsed.l4_offset + work.parsed.l4_length);
  if (end <= begin) return {};
  return {work.packet.data + begin, end - begin};
}

bool TakesReturning(const Member& member) {
  return member.up && member.state != config::MemberState::kForcedOffline;
}

// The pool's member on the same node; the one with the same port, if there are several.
const Member* OnSameNode(const Snapshot& snapshot, const Pool& pool, const Member& other) {
  const Member* found = nullptr;
  for (const config::MemberId id : pool.members) {
    const Member& member = snapshot.members[id];
    if (member.address != other.address || !TakesReturning(member)) continue;
    if (member.port == other.port) return &member;
    if (found == nullptr) found = &member;
  }
  return found;
}

// Where the record leads from this pool; nullptr: nowhere any more.
const Member* MemberOf(const Snapshot& snapshot, const Persistence& profile, const Pool& pool,
                       const Record& record) {
  const Member* recorded = snapshot.FindMember(record.member);
  if (recorded == nullptr) return nullptr;
  if (recorded->pool == pool.id) return TakesReturning(*recorded) ? recorded : nullptr;
  if (profile.match_across_services || profile.match_across_virtuals) {
    const Member* same_node = OnSameNode(snapshot, pool, *recorded);
    if (same_node != nullptr) return same_node;
  }
  return profile.match_across_pools && TakesReturning(*recorded) ? recorded : nullptr;
}

void Write(const Virtual& virtual_server, const Persistence& profile, const Member& member,
           persist::Table::Claim& claim) {
  Record& record = *claim.found();
  record.member = member.id;
  record.virtual_id = virtual_server.id;
  record.group = virtual_server.traffic_group;
  claim.Use(profile);
  claim.MarkChanged();
}

// The key of a flow's record. nullptr: it has none.
template <class Hot>
const Persistence* MakeFlowKey(Context& context, uint32_t slot, persist::Key& key) {
  const flow::FlowTable<Hot>& table = context.flows<Hot>().table;
  const Hot& hot = table.hot(slot);
  if ((hot.common.flags & (flow::kShadow | flow::kUnbound)) != 0) return nullptr;
  const Persistence* profile = nullptr;
  const Virtual* virtual_server = VirtualWithRecords(context, hot.common, profile);
  if (virtual_server == nullptr) return nullptr;
  if (persist::NeedsPayload(*profile)) {
    const flow::FlowCold& cold = table.cold(slot);
    const uint64_t word = uint64_t{cold.client_fin} << 32 | cold.server_fin;
    if (hot.common.protocol != IPPROTO_UDP || word == 0) return nullptr;
    key = persist::KeyOfWord(*profile, *virtual_server, word);
    return profile;
  }
  const bool has_key = persist::MakeKey(*profile, *virtual_server,
                                        {.source = AddressOf(hot.client.source),
                                         .destination = AddressOf(hot.client.destination),
                                         .source_port = hot.client.source_port,
                                         .destination_port = hot.client.destination_port,
                                         .protocol = hot.common.protocol},
                                        key);
  return has_key ? profile : nullptr;
}

template <class Select>
lb::Choice Follow(Context& context, const Virtual& virtual_server, const Persistence& profile,
                  const Pool& pool, persist::Table::Claim& claim, const Select& select) {
  persist::TableCounters& counters = context.shared.records.counters(context.worker);
  const Member* member = MemberOf(*context.snapshot, profile, pool, *claim.found());
  if (member == nullptr) {
    const lb::Choice choice = select();
    if (choice.member == nullptr) {
      claim.Remove();
    } else {
      Write(virtual_server, profile, *choice.member, claim);
      counters.replaced.Add(1);
    }
    return choice;
  }
  const uint32_t limit = profile.override_connection_limit ? 0 : member->connection_limit;
  if (!context.live.TakeMember(member->id, limit)) {
    counters.over_limit.Add(1);
    return select();
  }
  claim.Use(profile);
  counters.used.Add(1);
  return {member, DropReason::kNone};
}

}  // namespace

template <class Hot>
void AskRecord(Context& context, const Work& work, const Virtual& virtual_server,
               RecordQuery& query) noexcept {
  query.profile = ProfileOf(context, virtual_server);
  query.has_key = false;
  if (query.profile == nullptr) return;
  const auto& key = KeyOf<Hot>(work.parsed);
  query.has_key = persist::MakeKey(*query.profile, virtual_server,
                                   {.source = AddressOf(key.source),
                                    .destination = AddressOf(key.destination),
                                    .source_port = key.source_port,
                                    .destination_port = key.destination_port,
                                    .protocol = work.parsed.protocol,
                                    .payload = PayloadOf(work)},
                                   query.key);
  if (query.has_key && !query.profile->stateless) {
    context.shared.records.Locate(query.key, query.place);
    persist::Table::Fetch(query.place);
  }
}

lb::Choice ChooseMember(Context& context, const Virtual& virtual_server, const Pool& pool,
                        const lb::ClientTuple& client, const RecordQuery& query,
                        uint64_t& word) noexcept {
  const auto select = [&] {
    return context.selector.Select(*context.snapshot, pool, client, context.live);
  };
  if (query.profile == nullptr) return select();
  const Persistence& profile = *query.profile;
  persist::Table& records = context.shared.records;
  if (!query.has_key) {
    records.counters(context.worker).no_key.Add(1);
    return select();
  }
  if (profile.stateless) {
    return lb::SelectByHash(*context.snapshot, pool, persist::StableHash(query.key),
                            profile.override_connection_limit, context.live);
  }
  if (persist::NeedsPayload(profile)) word = persist::WordOf(query.key);
  persist::Table::Claim claim = records.Open(query.key, query.place, context.worker, context.tick);
  if (claim.busy()) return {nullptr, DropReason::kPersistBusy};
  if (claim.found() != nullptr) {
    return Follow(context, virtual_server, profile, pool, claim, select);
  }
  const lb::Choice choice = select();
  // In a full bucket the flow goes without a record.
  if (choice.member != nullptr && claim.Create() != nullptr) {
    Write(virtual_server, profile, *choice.member, claim);
  }
  return choice;
}

template <class Hot>
void TouchRecord(Context& context, uint32_t slot) noexcept {
  persist::Key key;
  const Persistence* profile = MakeFlowKey<Hot>(context, slot, key);
  if (profile != nullptr) context.shared.records.Touch(key, context.worker, context.tick, *profile);
}

template <class Hot>
void FetchTouched(Context& context, std::span<const uint32_t> slots) noexcept {
  std::array<persist::Table::Place, kTouchedTogether> places;
  size_t count = 0;
  for (const uint32_t slot : slots) {
    persist::Key key;
    if (MakeFlowKey<Hot>(context, slot, key) == nullptr) continue;
    context.shared.records.Locate(key, places[count]);
    persist::Table::Fetch(places[count++]);
  }
  for (size_t i = 0; i < count; ++i)
    persist::Table::FetchRecord(places[i]);
}

uint32_t TouchPeriodOf(const Context& context, const flow::FlowCommon& flow) noexcept {
  const Persistence* profile = nullptr;
  if (VirtualWithRecords(context, flow, profile) == nullptr ||
      profile->timeout == config::kIndefinite) {
    return config::kIndefinite;
  }
  return std::max(profile->timeout / 2, kTouchPeriodMin);
}

void SweepRecords(Context& context) noexcept {
  persist::Table& records = context.shared.records;
  const uint32_t shard = records.buckets() / records.workers();
  const uint32_t piece = std::min(shard / kSweepRoundTicks + 1, kSweepBucketsMax);
  records.Sweep(context.worker, context.tick, piece);
}

template void AskRecord<flow::FlowHot4>(Context&, const Work&, const Virtual&,
                                        RecordQuery&) noexcept;
template void AskRecord<flow::FlowHot6>(Context&, const Work&, const Virtual&,
                                        RecordQuery&) noexcept;
template void TouchRecord<flow::FlowHot4>(Context&, uint32_t) noexcept;
template void TouchRecord<flow::FlowHot6>(Context&, uint32_t) noexcept;
template void FetchTouched<flow::FlowHot4>(Context&, std::span<const uint32_t>) noexcept;
template void FetchTouched<flow::FlowHot6>(Context&, std::span<const uint32_t>) noexcept;

}  // namespace tandem::pipeline
