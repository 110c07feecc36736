// SPDX-License-Identifier: Apache-2.0
//
// Where the addresses for source translation come from: a pool, or the self IPs of the way out.
#include <span>

#include "dataplane/base/mutation.h"
#include "dataplane/pipeline/plan.h"

namespace tandem::pipeline {
namespace {

using net::Kind;

bool HasPorts(Kind kind) {
  return kind == Kind::kTcp || kind == Kind::kUdp || kind == Kind::kIcmpQuery;
}

// The egress interface's self IPs, those that float or those that do not; none that is the peer's.
template <class Hot>
std::span<const IpAddress> Automap(const Context& context, Plan<Hot>& plan, bool floating) {
  const config::Interface& interface = *plan.hop.interface;
  size_t count = 0;
  for (const IpPrefix& self :
       floating ? interface.floating_self_ips() : interface.fixed_self_ips()) {
    if (count < plan.automap.size() && !self.address.is_link_local() &&
        !IsSilentAddress(context, self.address)) {
      plan.automap[count++] = self.address;
    }
  }
  return {plan.automap.data(), count};
}

template <class Hot>
void Search(Context& context, Plan<Hot>& plan, std::span<const IpAddress> addresses,
            bool floating) {
  const net::Parsed& parsed = plan.work->parsed;
  nat::SnatRequest& request = plan.sources.request;
  request.addresses = addresses;
  request.policy = plan.virtual_server->source_port;
  request.client_port = KeyOf<Hot>(parsed).source_port;
  request.worker = context.worker;
  request.has_ports = HasPorts(parsed.kind);
  // The peers may come to own addresses that float, and keep their hands off our ports.
  const config::Mirroring& mirroring = context.snapshot->mirroring;
  const bool is_shared = floating && mirroring.enabled && !Mutated(Mutation::kSharedPorts);
  request.share =
      is_shared ? nat::PortShare{mirroring.port_share, mirroring.port_shares} : nat::PortShare{};
  plan.sources.Begin(*context.snapshot->steering, context.prng);
}

}  // namespace

// A pool: its addresses. Automap: floating self IPs first, because they move with the traffic; a mirrored
// flow could not go on with one that stays.
template <class Hot>
bool BeginSource(Context& context, Plan<Hot>& plan) noexcept {
  const config::Virtual& virtual_server = *plan.virtual_server;
  plan.tries_fixed = false;
  if (virtual_server.snat == config::SnatKind::kPool) {
    const config::SnatPool& pool = context.snapshot->snat_pools[virtual_server.snat_pool];
    Search(context, plan, pool.addresses, pool.traffic_group != 0);
  } else {
    plan.tries_fixed = !virtual_server.mirror;
    Search(context, plan, Automap(context, plan, true), true);
  }
  return NextSource(context, plan);
}

template <class Hot>
bool NextSource(Context& context, Plan<Hot>& plan) noexcept {
  bool has_more = plan.sources.Next(plan.flow.server);
  if (!has_more && plan.tries_fixed) {
    plan.tries_fixed = false;
    Search(context, plan, Automap(context, plan, false), false);
    has_more = plan.sources.Next(plan.flow.server);
  }
  if (!has_more) return false;
  plan.flow.server_hash = context.flows<Hot>().table.Hash(plan.flow.server, plan.flow.protocol);
  return true;
}

template bool BeginSource(Context&, Plan<flow::FlowHot4>&) noexcept;
template bool BeginSource(Context&, Plan<flow::FlowHot6>&) noexcept;
template bool NextSource(Context&, Plan<flow::FlowHot4>&) noexcept;
template bool NextSource(Context&, Plan<flow::FlowHot6>&) noexcept;

}  // namespace tandem::pipeline
