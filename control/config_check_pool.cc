// SPDX-License-Identifier: Apache-2.0
//
// Validate, the server side: SNAT pools, pools and their members, fastL4 profiles.
#include <limits>
#include <map>
#include <utility>

#include "control/config_check_context.h"
#include "control/config_endpoint.h"
#include "control/text.h"
#include "dataplane/base/limits.h"

namespace tandem::control {
namespace {

namespace v1 = config::v1;

constexpr int64_t kPortMax = 65535;
constexpr int64_t kRatioMax = 100;
constexpr int64_t kConnectionsMax = std::numeric_limits<uint32_t>::max();
constexpr int64_t kIndefinite = -1;
constexpr int64_t kTimeoutMax = 1'814'400;  // seconds; below the 26 days that ticks can compare
constexpr int64_t kTimeWaitMax = 600'000;   // milliseconds

void AddFacts(CheckContext& context, PoolFacts& facts, int index, const IpAddress& address,
              uint32_t port) {
  if (!facts.families.Has(address.is_v4())) {
    (address.is_v4() ? facts.first_v4 : facts.first_v6) = index;
  }
  facts.families.Add(address);
  if (port == 0 && !facts.any_port) facts.any_port = index;
  if (!facts.not_adjacent && !context.connected.Find(address)) facts.not_adjacent = index;
}

void CheckMember(CheckContext& context, const Origin& pool_origin, const v1::Pool& pool, int index,
                 std::map<std::pair<IpAddress, uint32_t>, int>& seen, PoolFacts& facts) {
  const v1::Pool::Member& member = pool.member(index);
  const Origin origin = pool_origin.Nested("member", index, member.address());
  context.InRange(origin, "ratio", member.ratio(), 1, kRatioMax);
  context.InRange(origin, "connection_limit", member.connection_limit(), 0, kConnectionsMax);
  context.Description(origin, member.description());
  const bool port_ok = context.InRange(origin, "port", member.port(), 0, kPortMax);
  if (!context.Given(origin, "address", member.address())) return;
  const auto address = context.HostAddress(origin, "address", member.address());
  if (!address || !port_ok) return;
  if (const auto self_ip = context.self_addresses.find(*address);
      self_ip != context.self_addresses.end()) {
    const Origin self = context.document.Object("self_ip", self_ip->second);
    context.Error(origin, "address",
                  Cat(Quote(member.address()), " is ", self.label(), " of this device"));
  }
  const auto [other, inserted] = seen.emplace(std::pair(*address, member.port()), index);
  if (!inserted) {
    const Origin twin = pool_origin.Nested("member", other->second, member.address());
    context.Error(origin, "address",
                  Cat(FormatEndpoint(*address, static_cast<uint16_t>(member.port())),
                      " is already in the pool", AtLine(twin.location())));
  }
  AddFacts(context, facts, index, *address, member.port());
}

void CheckTimeout(CheckContext& context, const Origin& origin, std::string_view field,
                  int32_t value, int64_t max) {
  if (value != kIndefinite) context.InRange(origin, field, value, 0, max);
}

}  // namespace

void CheckSnatPools(CheckContext& context) {
  context.snat_families.resize(static_cast<size_t>(context.config.snat_pool_size()));
  for (int i = 0; i < context.config.snat_pool_size(); ++i) {
    const v1::SnatPool& pool = context.config.snat_pool(i);
    const Origin origin = context.document.Object("snat_pool", i);
    if (pool.has_traffic_group()) {
      context.Resolve(origin, "traffic_group", pool.traffic_group(), context.traffic_groups);
    }
    if (pool.members_size() == 0) context.Error(origin, "members", "missing");
    if (static_cast<size_t>(pool.members_size()) > kSnatAddressesMax) {
      context.Error(
          origin, "members",
          Cat("there are ", pool.members_size(), ", more than the maximum of ", kSnatAddressesMax));
      continue;
    }
    std::map<IpAddress, int> seen;
    for (int k = 0; k < pool.members_size(); ++k) {
      const auto address = context.HostAddress(origin, "members", pool.members(k), k);
      if (!address) continue;
      context.snat_families[static_cast<size_t>(i)].Add(*address);
      if (!seen.emplace(*address, k).second) {
        context.Error(origin, "members", Cat(Quote(pool.members(k)), " is there twice"), k);
      }
    }
    context.address_count += seen.size();
  }
}

void CheckPools(CheckContext& context) {
  size_t member_count = 0;
  context.pool_facts.resize(static_cast<size_t>(context.config.pool_size()));
  for (int i = 0; i < context.config.pool_size(); ++i) {
    const v1::Pool& pool = context.config.pool(i);
    const Origin origin = context.document.Object("pool", i);
    const auto count = static_cast<size_t>(pool.member_size());
    context.Description(origin, pool.description());
    if (count == 0) context.Error(origin, "member", "a pool needs at least one");
    if (count > kPoolMembersMax) {
      context.Error(origin, "member",
                    Cat("there are ", count, ", more than the maximum of ", kPoolMembersMax));
      continue;
    }
    if (member_count <= kMembersMax && member_count + count > kMembersMax) {
      context.Error(origin, "member", Cat("more than ", kMembersMax, " members in all pools"));
    }
    member_count += count;
    std::map<std::pair<IpAddress, uint32_t>, int> seen;
    for (int k = 0; k < pool.member_size(); ++k) {
      CheckMember(context, origin, pool, k, seen, context.pool_facts[static_cast<size_t>(i)]);
    }
  }
}

void CheckProfiles(CheckContext& context) {
  for (int i = 0; i < context.config.profile_fastl4_size(); ++i) {
    const v1::FastL4Profile& profile = context.config.profile_fastl4(i);
    const Origin origin = context.document.Object("profile_fastl4", i);
    CheckTimeout(context, origin, "idle_timeout", profile.idle_timeout(), kTimeoutMax);
    CheckTimeout(context, origin, "udp_idle_timeout", profile.udp_idle_timeout(), kTimeoutMax);
    CheckTimeout(context, origin, "tcp_handshake_timeout", profile.tcp_handshake_timeout(),
                 kTimeoutMax);
    CheckTimeout(context, origin, "tcp_close_timeout", profile.tcp_close_timeout(), kTimeoutMax);
    CheckTimeout(context, origin, "tcp_time_wait_timeout", profile.tcp_time_wait_timeout(),
                 kTimeWaitMax);
  }
}

}  // namespace tandem::control
