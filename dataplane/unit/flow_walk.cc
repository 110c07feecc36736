// SPDX-License-Identifier: Apache-2.0
#include "dataplane/unit/flow_walk.h"

#include <arpa/inet.h>

#include <algorithm>

#include "dataplane/pipeline/lifecycle.h"
#include "dataplane/pipeline/shadow.h"

namespace tandem::unit {
namespace {

// FlowQuery::begin and next: the slot, and above it the family.
constexpr int kFamilyShift = 32;

using pipeline::AddressOf;

bool InPrefix(const IpPrefix& prefix, const IpAddress& address) {
  return (prefix.address.is_unset() && prefix.length == 0) || prefix.Contains(address);
}

bool PortIs(uint16_t wanted, uint16_t port_be) {
  return wanted == 0 || wanted == ntohs(port_be);
}

bool IsOrphaned(const config::Snapshot& snapshot, const flow::FlowCommon& common) {
  if ((common.flags & flow::kUnbound) != 0) return false;  // the ids are another device's
  return snapshot.FindVirtual(common.virtual_id) == nullptr ||
         (common.member_id != 0 && snapshot.FindMember(common.member_id) == nullptr);
}

template <class Hot>
bool Matches(const pipeline::Context& context, const FlowFilter& filter, const Hot& hot,
             Tick created) {
  const flow::FlowCommon& common = hot.common;
  if (filter.orphaned && !IsOrphaned(*context.snapshot, common)) return false;
  const bool is_shadow = (common.flags & flow::kShadow) != 0;
  if (filter.type == FlowType::kMirror && (common.flags & flow::kMirrored) == 0) return false;
  if (filter.type == FlowType::kSelf && is_shadow) return false;
  if (filter.protocol != 0 && filter.protocol != common.protocol) return false;
  const bool is_unbound = (common.flags & flow::kUnbound) != 0;
  if (filter.virtual_id != 0 && (is_unbound || filter.virtual_id != common.virtual_id)) {
    return false;
  }
  if (filter.member_id != 0 && (is_unbound || filter.member_id != common.member_id)) return false;
  if (TicksBetween(common.last_seen, context.tick) < static_cast<int32_t>(filter.idle_ticks_min) ||
      context.tick - created < filter.age_ticks_min) {
    return false;
  }
  return PortIs(filter.cs_client_port, hot.client.source_port) &&
         PortIs(filter.cs_server_port, hot.client.destination_port) &&
         PortIs(filter.ss_client_port, hot.server.destination_port) &&
         PortIs(filter.ss_server_port, hot.server.source_port) &&
         InPrefix(filter.cs_client_addr, AddressOf(hot.client.source)) &&
         InPrefix(filter.cs_server_addr, AddressOf(hot.client.destination)) &&
         InPrefix(filter.ss_client_addr, AddressOf(hot.server.destination)) &&
         InPrefix(filter.ss_server_addr, AddressOf(hot.server.source));
}

template <class Hot>
FlowInfo InfoOf(pipeline::Context& context, uint32_t slot) {
  const auto& table = context.flows<Hot>().table;
  const Hot& hot = table.hot(slot);
  FlowInfo info;
  info.worker = static_cast<uint16_t>(context.worker);
  info.slot = slot;
  info.birth = flow::BirthOf(table.register_of(slot));
  info.protocol = hot.common.protocol;
  info.state = hot.common.state;
  info.flags = hot.common.flags;
  info.traffic_group = table.pages().GroupOf(slot);
  info.logical_slot = table.pages().LogicalSlot(slot);
  if ((hot.common.flags & flow::kUnbound) == 0) {
    info.virtual_id = hot.common.virtual_id;
    info.member_id = hot.common.member_id;
    info.client_interface = hot.common.client_interface;
  }
  info.cs_client = AddressOf(hot.client.source);
  info.cs_server = AddressOf(hot.client.destination);
  info.ss_client = AddressOf(hot.server.destination);
  info.ss_server = AddressOf(hot.server.source);
  info.cs_client_port = ntohs(hot.client.source_port);
  info.cs_server_port = ntohs(hot.client.destination_port);
  info.ss_client_port = ntohs(hot.server.destination_port);
  info.ss_server_port = ntohs(hot.server.source_port);
  info.client_mac = hot.common.client_mac;
  info.idle_ticks = context.tick - hot.common.last_seen;
  info.age_ticks = context.tick - table.cold(slot).created;
  return info;
}

pipeline::EndReason ReasonOf(const pipeline::Context& context, const FlowFilter& filter,
                             const flow::FlowCommon& common) {
  if (!filter.orphaned) return pipeline::EndReason::kDeleted;
  return context.snapshot->FindVirtual(common.virtual_id) == nullptr
             ? pipeline::EndReason::kVirtualDeleted
             : pipeline::EndReason::kMemberDeleted;
}

// Deletes what is this device's to delete. A standby's flows are the active's, which will tell of
// their end; those of objects that were deleted here just forget them.
template <class Hot>
bool Delete(pipeline::Context& context, const FlowFilter& filter, uint32_t slot) {
  const auto& table = context.flows<Hot>().table;
  if (pipeline::IsStandby(context, table.pages().GroupOf(slot))) {
    if (filter.orphaned) pipeline::Unbind<Hot>(context, slot);
    return filter.orphaned;
  }
  pipeline::EndFlow<Hot>(context, slot, ReasonOf(context, filter, table.hot(slot).common));
  return true;
}

}  // namespace

void FlowWalk::Begin(FlowQuery& query) noexcept {
  query_ = &query;
  ipv6_ = query.begin >> kFamilyShift != 0;
  next_slot_ = static_cast<uint32_t>(query.begin);
  query.next = 0;
}

template <class Hot>
bool FlowWalk::StepFamily(pipeline::Context& context) noexcept {
  auto& table = context.flows<Hot>().table;
  const uint32_t used_end = table.pages().SlotsTouched();
  const uint32_t end = std::min(used_end, next_slot_ + kSlotsPerTurn);
  uint32_t ended = 0;
  for (; next_slot_ < end && ended < kEndsPerTurn; ++next_slot_) {
    if (!table.IsLive(next_slot_)) continue;
    const Hot& hot = table.hot(next_slot_);
    if (!Matches(context, query_->filter, hot, table.cold(next_slot_).created)) continue;
    ++query_->matched;
    switch (query_->action) {
      case FlowQuery::Action::kCount:
        break;
      case FlowQuery::Action::kShow:
        if (query_->results.size() == query_->results.capacity()) {
          --query_->matched;
          query_->next = uint64_t{ipv6_} << kFamilyShift | next_slot_;
          return true;
        }
        query_->results.push_back(InfoOf<Hot>(context, next_slot_));
        break;
      case FlowQuery::Action::kDelete:
        if (Delete<Hot>(context, query_->filter, next_slot_)) {
          ++ended;
        } else {
          --query_->matched;
        }
        break;
    }
  }
  return next_slot_ >= used_end;
}

bool FlowWalk::Step(pipeline::Context& context) noexcept {
  if (context.roles.any_paused()) return false;  // nothing can be ended now, nor left as it is
  const bool family_done =
      ipv6_ ? StepFamily<flow::FlowHot6>(context) : StepFamily<flow::FlowHot4>(context);
  if (!family_done) return true;
  if (!ipv6_ && query_->next == 0) {
    ipv6_ = true;
    next_slot_ = 0;
    return true;
  }
  FlowQuery* query = query_;
  query_ = nullptr;
  query->done.store(true, std::memory_order_release);
  return true;
}

}  // namespace tandem::unit
