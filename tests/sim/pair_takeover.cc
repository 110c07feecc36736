// SPDX-License-Identifier: Apache-2.0
//
// A device dies in the middle of everything, and the other takes over with what it has by then.
#include <set>
#include <tuple>

#include "dataplane/nat/snat.h"
#include "tests/sim/pair_world.h"

namespace tandem::sim {

// What the standby has goes on (I10). What it was not told of is lost; but it gives nobody the address
// and port that such a conversation still has at its server (I9).
void PairWorld::Crash(unsigned device) {
  journal_.Note(now_, "device %u dies", device);
  const unsigned heir = 1 - device;
  // By what the client and the server see; a flow without its virtual cannot go on.
  std::set<std::tuple<uint8_t, test::Endpoint, test::Endpoint, test::Endpoint, test::Endpoint>> had;
  for (const unit::FlowInfo& flow : devices_[heir]->rig().Flows()) {
    if ((flow.flags & flow::kShadow) == 0 || (flow.flags & flow::kUnbound) != 0) continue;
    had.insert({flow.protocol,
                {flow.cs_client, flow.cs_client_port},
                {flow.cs_server, flow.cs_server_port},
                {flow.ss_client, flow.ss_client_port},
                {flow.ss_server, flow.ss_server_port}});
  }
  // It may still have to apply what the other did already, and ends flows then.
  const PairConfig& config = applies_at_[heir] != 0 ? wanted_[heir] : applied_[heir];
  lan_.TakeOver(device, [&](const Lan::Conversation& one) {
    // Its flow is gone; the heir may not know yet.
    if (one.has_lost_tuple) return Lan::Fate::kEnds;
    const bool has =
        one.is_tuple_known && had.contains({one.service->protocol, one.client,
                                            one.service->endpoint, one.peer, one.server});
    // The heir's own blocks (nat/snat.h) are its to give, whoever gave one before.
    const nat::PortShare share{static_cast<uint8_t>(device), 2};
    if (!has) {
      return share.Has(one.peer.port) ? Lan::Fate::kCutOff : Lan::Fate::kEnds;
    }
    return Serves(config, *one.service, one.server.address) ? Lan::Fate::kGoesOn : Lan::Fate::kEnds;
  });
  std::vector<unsigned> groups;
  for (unsigned group = 0; group < kPairGroups; ++group) {
    if (active_[group] == device) groups.push_back(group);
  }
  for (const unsigned group : groups)
    SetRoles(group, heir);
  Restart(device);
  for (const unsigned group : groups)
    ProbeAll(group);
}

}  // namespace tandem::sim
