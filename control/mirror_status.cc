// SPDX-License-Identifier: Apache-2.0
#include "control/mirror_status.h"

#include <algorithm>

#include "dataplane/unit/mirroring.h"

namespace tandem::control {

using mirror::EndpointStatus;

MirrorStatus::MirrorStatus(const unit::Unit& unit) {
  if (unit.mirroring() == nullptr) return;
  for (config::PeerIndex peer = 0; peer < unit.mirroring()->peers().size(); ++peer)
    of_.push_back(unit.mirror_status(peer));
}

const EndpointStatus::Group* MirrorStatus::Find(size_t peer, config::TrafficGroupId group) const {
  const auto& groups = of_[peer]->groups;
  const auto found = std::ranges::find(groups, group, &EndpointStatus::Group::id);
  return found == groups.end() ? nullptr : &*found;
}

size_t MirrorStatus::PeerOf(config::TrafficGroupId group) const {
  size_t best = 0;
  int best_rank = -1;
  for (size_t peer = 0; peer < of_.size(); ++peer) {
    const EndpointStatus::Group* its = Find(peer, group);
    if (its == nullptr) continue;
    const bool is_writer = its->peer_known && its->peer_role == config::Role::kActive;
    const int rank = its->session != 0                    ? 3
                     : its->role == config::Role::kActive ? (its->is_elsewhere ? 0 : 2)
                                                          : (is_writer ? 2 : 1);
    if (rank <= best_rank) continue;
    best = peer;
    best_rank = rank;
  }
  return best;
}

EndpointStatus::Group MirrorStatus::GroupOf(config::TrafficGroupId group) const {
  const EndpointStatus::Group* its = of_.empty() ? nullptr : Find(PeerOf(group), group);
  if (its != nullptr) return *its;
  return {.id = group, .reason = "no session yet"};
}

bool MirrorStatus::are_configs_equal() const {
  bool any = false;
  for (const auto& peer : of_) {
    if (peer->peer != mirror::PeerState::kUp) continue;
    if (!peer->config_equal) return false;
    any = true;
  }
  return any;
}

}  // namespace tandem::control
