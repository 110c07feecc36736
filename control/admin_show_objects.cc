// SPDX-License-Identifier: Apache-2.0
//
// Virtual servers and pools, with the state that operators of BIG-IP expect to see.
#include <netinet/in.h>

#include <algorithm>

#include "control/admin_show.h"
#include "control/admin_words.h"
#include "control/config_endpoint.h"
#include "control/text.h"

namespace tandem::control {
namespace {

namespace v1 = admin::v1;

struct Verdict {
  v1::Availability availability = v1::AVAILABLE;
  std::string reason;
};

void Fill(const ObjectTotals& totals, v1::Traffic& traffic) {
  traffic.set_packets_in(totals.packets_in);
  traffic.set_bytes_in(totals.bytes_in);
  traffic.set_packets_out(totals.packets_out);
  traffic.set_bytes_out(totals.bytes_out);
}

void Fill(uint32_t current, const ObjectTotals& totals, uint32_t limit,
          v1::Connections& connections) {
  connections.set_current(current);
  connections.set_total(totals.connections);
  connections.set_limit(limit);
}

bool AtLimit(uint32_t current, uint32_t limit) {
  return limit != 0 && current >= limit;
}

Verdict Judge(const AdminView& view, const config::Member& member) {
  switch (member.state) {
    case config::MemberState::kDisabled:
      return {v1::DISABLED, "disabled by the operator"};
    case config::MemberState::kForcedOffline:
      return {v1::OFFLINE, "forced offline by the operator"};
    case config::MemberState::kEnabled:
      break;
  }
  if (!member.up) return {v1::OFFLINE, "its monitor says it is down"};
  const uint32_t current = view.operations.unit().live_counts().OfMember(member.id);
  if (AtLimit(current, member.connection_limit)) {
    return {v1::UNAVAILABLE, "at its connection limit"};
  }
  return {v1::AVAILABLE, "takes new connections"};
}

// A pool is what its best member is.
Verdict Judge(const AdminView& view, const config::Pool& pool) {
  bool at_limit = false;
  bool disabled = false;
  for (const config::MemberId id : pool.members) {
    const config::Member* member = view.snapshot().FindMember(id);
    if (member == nullptr) continue;
    const v1::Availability availability = Judge(view, *member).availability;
    if (availability == v1::AVAILABLE) return {v1::AVAILABLE, "a member takes new connections"};
    at_limit |= availability == v1::UNAVAILABLE;
    disabled |= availability == v1::DISABLED;
  }
  if (at_limit) return {v1::UNAVAILABLE, "every member that is up is at its connection limit"};
  if (disabled) return {v1::DISABLED, "no member is up and enabled"};
  return {v1::OFFLINE, "every member is down or forced offline"};
}

Verdict Judge(const AdminView& view, const config::Virtual& object) {
  if (!object.enabled) return {v1::DISABLED, "disabled by the operator"};
  const uint32_t current = view.operations.unit().live_counts().OfVirtual(object.id);
  if (AtLimit(current, object.connection_limit)) {
    return {v1::UNAVAILABLE, "at its connection limit"};
  }
  if (object.type == config::VirtualType::kReject) return {v1::AVAILABLE, "refuses connections"};
  const config::Pool* pool = view.snapshot().FindPool(object.pool);
  if (pool == nullptr) return {v1::AVAILABLE, "takes new connections"};
  Verdict verdict = Judge(view, *pool);
  // A disabled pool leaves an enabled virtual without servers.
  if (verdict.availability == v1::DISABLED) verdict.availability = v1::OFFLINE;
  verdict.reason = Cat("pool ", pool->name, ": ", verdict.reason);
  return verdict;
}

std::string ProtocolOf(const config::Virtual& object) {
  return object.protocol == 0 ? "any" : ProtocolWord(object.protocol);
}

void Fill(const AdminView& view, const config::Virtual& object, v1::VirtualResult::Virtual& out) {
  out.set_name(object.name);
  out.set_destination(FormatEndpoint(object.destination, object.port));
  out.set_type(std::string(WordOf(object.type)));
  out.set_ip_protocol(ProtocolOf(object));
  if (object.source.length != 0) out.set_source(object.source.ToString());
  if (const config::Pool* pool = view.snapshot().FindPool(object.pool)) out.set_pool(pool->name);
  out.set_enabled(object.enabled);
  const Verdict verdict = Judge(view, object);
  out.set_availability(verdict.availability);
  out.set_reason(verdict.reason);
  const ObjectTotals totals = view.statistics.OfVirtual(object.id);
  Fill(view.operations.unit().live_counts().OfVirtual(object.id), totals, object.connection_limit,
       *out.mutable_connections());
  Fill(totals, *out.mutable_traffic());
}

void Fill(const AdminView& view, const config::Member& member, v1::PoolResult::Member& out) {
  out.set_name(member.name);
  const bool offline = member.state == config::MemberState::kForcedOffline;
  out.set_state(offline ? "user-down" : member.up ? "up" : "down");
  out.set_session(member.state == config::MemberState::kEnabled ? "user-enabled" : "user-disabled");
  out.set_availability(Judge(view, member).availability);
  out.set_ratio(member.ratio);
  const ObjectTotals totals = view.statistics.OfMember(member.id);
  Fill(view.operations.unit().live_counts().OfMember(member.id), totals, member.connection_limit,
       *out.mutable_connections());
  Fill(totals, *out.mutable_traffic());
}

void Fill(const AdminView& view, const config::Pool& pool, v1::PoolResult::Pool& out) {
  out.set_name(pool.name);
  out.set_load_balancing_mode(std::string(WordOf(pool.balancing)));
  const Verdict verdict = Judge(view, pool);
  out.set_availability(verdict.availability);
  out.set_reason(verdict.reason);
  uint32_t available = 0;
  for (const config::MemberId id : pool.members) {
    const config::Member* member = view.snapshot().FindMember(id);
    if (member == nullptr) continue;
    v1::PoolResult::Member& shown = *out.add_member();
    Fill(view, *member, shown);
    if (shown.availability() == v1::AVAILABLE) ++available;
  }
  out.set_members_available(available);
}

// Objects in use of the wanted name (empty: all), by name.
template <class Object>
std::vector<const Object*> Select(const std::vector<Object>& objects, const std::string& name) {
  std::vector<const Object*> selected;
  for (const Object& object : objects) {
    if (object.id != 0 && (name.empty() || object.name == name)) selected.push_back(&object);
  }
  std::ranges::sort(selected, {}, [](const Object* object) { return object->name; });
  return selected;
}

}  // namespace

void ShowVirtuals(const AdminView& view, const v1::ShowVirtual& request, v1::Response& response) {
  v1::VirtualResult& result = *response.mutable_virtuals();
  const auto selected = Select(view.snapshot().virtuals, request.name());
  if (selected.empty() && !request.name().empty()) {
    return Fail(response, v1::Response::NOT_FOUND,
                Cat("there is no virtual \"", request.name(), "\""));
  }
  for (const config::Virtual* object : selected) {
    Fill(view, *object, *result.add_virtual_());
  }
}

void ShowPools(const AdminView& view, const v1::ShowPool& request, v1::Response& response) {
  v1::PoolResult& result = *response.mutable_pools();
  const auto selected = Select(view.snapshot().pools, request.name());
  if (selected.empty() && !request.name().empty()) {
    return Fail(response, v1::Response::NOT_FOUND,
                Cat("there is no pool \"", request.name(), "\""));
  }
  for (const config::Pool* pool : selected) {
    Fill(view, *pool, *result.add_pool());
  }
}

}  // namespace tandem::control
