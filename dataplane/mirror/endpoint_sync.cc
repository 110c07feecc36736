// SPDX-License-Identifier: Apache-2.0
//
// How far each group is: the one place that says "in sync", and everything that is said about it.
#include <utility>

#include "dataplane/mirror/endpoint_impl.h"

namespace tandem::mirror {

using config::Role;
using config::TrafficGroupId;

namespace {

constexpr const char* kConfigurationsDiffer = "the configurations of the two devices differ";

}  // namespace

const char* ReasonOf(SyncState state) noexcept {
  switch (state) {
    case SyncState::kDown:
      return "no session yet";
    case SyncState::kSyncing:
      return "first pass over all connections";
    case SyncState::kAuditing:
      return "comparing both devices' connections";
    case SyncState::kInSync:
      return "";
    case SyncState::kLagging:
      return "the oldest change waits too long";
    case SyncState::kHeld:
      return "connections of objects that are not configured here";
  }
  return "";
}

bool Endpoint::Impl::is_config_equal() const {
  return association.is_established() && association.peer().config_hash == snapshot->config_hash;
}

Endpoint::Impl::Judgement Endpoint::Impl::Judge(TrafficGroupId id) const {
  const Group& group = sessions.group(id);
  const StreamEnd& end = group.role == Role::kActive ? group.writer : group.reader;
  if (!end.is_open) {
    return {SyncState::kDown, *group.reason != '\0' ? group.reason : ReasonOf(SyncState::kDown)};
  }
  if (!is_config_equal()) return {SyncState::kHeld, kConfigurationsDiffer};
  const SyncState state = ports.state(id, end.terms.session, snapshot->generation);
  if (state == SyncState::kInSync && end.silent_workers != 0) {
    return {SyncState::kLagging, "a worker's stream is silent"};
  }
  return {state, ReasonOf(state)};
}

// The standby's word counts at the active; the standby has its writer's in the streams.
Endpoint::Impl::Judgement Endpoint::Impl::Seen(TrafficGroupId id) const {
  const Judgement& own = judged[id];
  if (own.state == SyncState::kDown) return own;
  if (shown != PeerState::kUp) return {SyncState::kDown, "peer is down"};
  const Group& group = sessions.group(id);
  if (group.role == Role::kStandby || own.state != SyncState::kInSync) return own;
  const PeerGroup* peer = sessions.PeerOf(group.name_hash);
  const SyncState state = peer != nullptr ? peer->says.state : SyncState::kDown;
  if (state == SyncState::kDown) {
    return {SyncState::kSyncing, "the peer does not say how far it is yet"};
  }
  if (state != SyncState::kHeld) return {state, ReasonOf(state)};
  return {state, "connections of objects that are not configured at the peer"};
}

void Endpoint::Impl::JudgeAll(Nanos now) {
  if (!judge && now - judged_at < kJudgeEvery) return;
  judge = false;
  judged_at = now;
  for (TrafficGroupId id = 1; id < judged.size(); ++id) {
    const Judgement next = Judge(id);
    const Group& group = sessions.group(id);
    claims[id].Set({.session = group.session(),
                    .generation = snapshot->generation,
                    .reads = group.role == Role::kStandby,
                    .state = next.state});
    if (next.state != judged[id].state) association.HelloSoon();
    status_changed |= next.state != judged[id].state || next.reason != judged[id].reason;
    judged[id] = next;
  }
}

EndpointStatus::Group Endpoint::Impl::StatusOf(TrafficGroupId id) const {
  const Group& group = sessions.group(id);
  const PeerGroup* peer = sessions.PeerOf(group.name_hash);
  const Judgement seen = Seen(id);
  EndpointStatus::Group result{.id = id, .role = group.role, .is_elsewhere = group.is_elsewhere};
  if (peer != nullptr) {
    result.peer_known = true;
    result.peer_role = peer->says.role;
    result.peer_state = peer->says.state;
  }
  result.epoch = group.role == Role::kActive ? group.epoch : group.highest;
  result.session = group.session();
  result.state = seen.state;
  result.reason = seen.reason;
  return result;
}

void Endpoint::Impl::Publish(Nanos now) {
  published_at = now;
  shown = association.state(now);
  auto next = std::make_shared<EndpointStatus>();
  next->peer = shown;
  next->incompatible = association.incompatible();
  next->last_heard = association.heard_at();
  next->mtu = mtu();
  next->key_pending = association.keys().is_changing();
  if (association.is_established()) {
    const Hello& peer = association.peer();
    next->peer_device = peer.device;
    next->peer_incarnation = peer.incarnation;
    next->config_equal = is_config_equal();
    next->dictionary_current = fetch.is_current();
    next->up_since = shown == PeerState::kUp ? association.since() : 0;
  }
  for (const config::TrafficGroup& configured : snapshot->traffic_groups) {
    if (configured.id != 0) next->groups.push_back(StatusOf(configured.id));
  }
  std::shared_ptr<const EndpointStatus> shown_until_now = std::move(next);
  // While somebody looks at it, the next turn says it.
  status_changed = !at_status.Try([&] { status.swap(shown_until_now); });
}

}  // namespace tandem::mirror
