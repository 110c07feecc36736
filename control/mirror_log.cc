// SPDX-License-Identifier: Apache-2.0
#include "control/mirror_log.h"

#include <algorithm>
#include <string_view>

#include "control/text.h"

namespace tandem::control {
namespace {

using mirror::EndpointStatus;
using mirror::PeerState;
using mirror::SyncState;

using Group = EndpointStatus::Group;

void AddPeer(const EndpointStatus& before, const EndpointStatus& after,
             std::vector<std::string>& lines) {
  const bool was_up = before.peer == PeerState::kUp;
  const bool is_up = after.peer == PeerState::kUp;
  const bool restarted = was_up && is_up && before.peer_incarnation != after.peer_incarnation;
  if (is_up && (!was_up || restarted)) {
    lines.push_back(Cat("mirror: peer '", after.peer_device, "' is up", restarted ? " again" : "",
                        ", MTU ", after.mtu));
  } else if (was_up && !is_up) {
    lines.push_back(Cat("mirror: peer '", before.peer_device, "' is down"));
  }
  if (!after.incompatible.empty() && after.incompatible != before.incompatible) {
    lines.push_back(Cat("mirror: connections are not mirrored: ", after.incompatible));
  } else if (after.incompatible.empty() && !before.incompatible.empty() && is_up) {
    lines.emplace_back("mirror: the devices are alike now");
  }
  if (after.key_pending != before.key_pending) {
    lines.emplace_back(after.key_pending
                           ? "mirror: the new key waits for the peer; the one before is in use"
                           : "mirror: the new key is in use");
  }
}

// What a group came to that is worth a line; the way there is not.
void AddGroup(const Group& before, const Group& after, std::string_view name,
              std::vector<std::string>& lines) {
  const bool is_same_reason = std::string_view(before.reason) == after.reason;
  if (after.state == SyncState::kInSync) {
    if (before.state != SyncState::kInSync) {
      lines.push_back(Cat("mirror: traffic group '", name, "' is in sync"));
    }
  } else if (after.state == SyncState::kHeld) {
    if (before.state != SyncState::kHeld || !is_same_reason) {
      lines.push_back(Cat("mirror: traffic group '", name, "' is held: ", after.reason));
    }
  } else if (before.state == SyncState::kInSync) {
    lines.push_back(
        Cat("mirror: traffic group '", name, "' is not in sync any more: ", after.reason));
  }
}

}  // namespace

std::vector<std::string> MirrorChanges(const EndpointStatus& before, const EndpointStatus& after,
                                       const config::Snapshot& snapshot) {
  std::vector<std::string> lines;
  AddPeer(before, after, lines);
  for (const Group& group : after.groups) {
    if (group.id >= snapshot.traffic_groups.size()) continue;
    const auto known = std::ranges::find(before.groups, group.id, &Group::id);
    AddGroup(known != before.groups.end() ? *known : Group(), group,
             snapshot.traffic_groups[group.id].name, lines);
  }
  return lines;
}

}  // namespace tandem::control
