// SPDX-License-Identifier: Apache-2.0
//
// The states that do not act, and how one of them comes to.
#include <algorithm>
#include <utility>

#include "dataplane/base/mutation.h"
#include "dataplane/ha/group.h"

namespace tandem::ha {

const char* Group::WhyAtRest(State rest) const {
  switch (rest) {
    case State::kStandby:
      return "the shadow is in sync";
    case State::kSyncing:
      return state_ == State::kStandby ? "the shadow is not in sync" : "another device acts";
    case State::kFailed:
      return fault_;
    case State::kForcedOffline:
      return "forced offline";
    case State::kOffline:
      return "this device stops";
    case State::kConnecting:
    case State::kPromoting:
    case State::kActive:
    case State::kDegraded:
    case State::kStandalone:
    case State::kSwitchingOut:
    case State::kGranted:
    case State::kSwitchingIn:
    case State::kSuspended:
      break;
  }
  return "listens for other devices";
}

void Group::EvaluateWaiting(const Around& around) {
  if (TakeGrant(around)) return;
  if (claim_.is_any()) {
    empty_since_ = 0;
    // One below the floor will renew when it hears of it.
    if (claim_.epoch >= floor_ || Mutated(Mutation::kFloorForgotten))
      Follow(claim_.epoch, false, around);
    const State rest = RestState(around);
    const bool comes = rest == State::kStandby && IsPrepared(around);
    if (comes) return Enter(State::kSwitchingIn, "the active device hands over", around);
    return Enter(rest, WhyAtRest(rest), around);
  }
  active_device_ = 0;
  const bool is_booting =
      !is_connected_ && !around.detector.AllHeard() && around.now < connect_until_;
  const bool was_booting = std::exchange(was_booting_, is_booting);
  if (empty_since_ == 0 || was_booting) empty_since_ = around.now;
  const State rest = RestState(around);
  Enter(rest, WhyAtRest(rest), around);
  if (!around.is_tick || is_booting || around.now < TurnOf(around)) return;
  const Peer* holder = around.detector.Find(floor_.device());
  const char* reason = "nobody acts";
  if (floor_.is_none()) reason = "no other device was active";
  if (holder != nullptr && !holder->is_alive)
    reason = holder->goodbye ? "the active device stopped" : "the active device is silent";
  Enter(State::kPromoting, reason, around);
}

// When it is this device's turn to take over, as long as nobody acts.
Nanos Group::TurnOf(const Around& around) const {
  constexpr Nanos kNever = UINT64_MAX;
  if (around.forced_offline || around.stopping) return kNever;
  if (fault_ != nullptr && AnyEligiblePeer(around)) return kNever;
  Nanos from = std::max(empty_since_, around.quiet_until);
  if (AnyEligiblePeer(around)) from = std::max(from, abstain_until_);
  const Candidate self = Self(around);
  unsigned before = fault_ != nullptr ? 1 : 0;
  bool is_held = false;  // somebody may act again, or be about to
  for (const Peer& peer : around.detector.peers()) {
    const PeerGroup* group = peer.Of(settings_.name_hash, around.now);
    if (group == nullptr) continue;
    const GroupSays& says = group->says;
    is_held |= says.state == State::kSuspended || says.state == State::kGranted;
    if (says.eligible && TakesOverBefore(settings_, CandidateOf(peer, *group), self)) ++before;
  }
  const uint32_t waits = before + (is_held ? 1 : 0) + (IsWorthWaiting(around) ? kUnsyncedWait : 0);
  return from + waits * around.settings.detection();
}

// Whoever acted may only be late, and has all connections; this device has not.
bool Group::IsWorthWaiting(const Around& around) const {
  if (RestState(around) != State::kSyncing || Mutated(Mutation::kUnsyncedFirst)) return false;
  const Peer* holder = around.detector.Find(floor_.device());
  if (holder == nullptr || holder->goodbye) return false;
  if (!holder->is_alive) return true;
  const PeerGroup* group = Of(holder->device, around);
  return group != nullptr && group->says.state == State::kSuspended;
}

void Group::EvaluatePromoting(const Around& around) {
  if (claim_.is_any() || TurnIsOver(around)) {
    return Enter(RestState(around), "another device acts", around);
  }
  if (!around.is_tick || TakeGrant(around)) return;
  const bool is_alone = !around.settings.witness || Mutated(Mutation::kNoLease);
  if (!is_alone && !lease_.IsHeld(around.now)) return;
  const Epoch epoch = Mint(around);
  if (!epoch.is_none()) Act(epoch, reason_, around);
}

bool Group::TurnIsOver(const Around& around) const {
  return around.forced_offline || around.stopping || around.now < around.quiet_until ||
         (fault_ != nullptr && AnyEligiblePeer(around));
}

// The active says that it is about to hand over to this device.
bool Group::IsPrepared(const Around& around) const {
  if (claim_.by == nullptr) return false;
  const HandOver& hand_over = claim_.by->says.hand_over;
  return hand_over.target == around.settings.self && hand_over.epoch.is_none();
}

// GO: for this run of this device, for the shadow that it has now, and still good.
bool Group::TakeGrant(const Around& around) {
  if (!around.is_tick || claim_.is_any() || RestState(around) != State::kStandby) return false;
  for (const Peer& peer : around.detector.peers()) {
    const PeerGroup* group = peer.Of(settings_.name_hash, around.now);
    if (group == nullptr) continue;
    const HandOver& go = group->says.hand_over;
    if (go.target != around.settings.self || go.epoch.is_none() || go.epoch <= floor_) continue;
    if (go.epoch.ballot() <= around.ballots.earlier()) continue;
    const bool is_for_us =
        go.incarnation == around.incarnation || Mutated(Mutation::kGoOfAnotherRun);
    if (!is_for_us || go.session != shadow_.session) continue;
    if (group->says.epoch != followed_) continue;
    const Nanos until = group->sent_after + ShortOf(go.holds);
    const bool holds = (group->sent_after != 0 && around.now < until) || Mutated(Mutation::kOldGo);
    if (!holds) continue;
    clock_ = std::max(clock_, go.epoch.ballot());
    around.ballots.Saw(clock_);
    if (!around.ballots.MayUse(go.epoch.ballot())) continue;
    grace_until_ = until;
    Act(go.epoch, "handed over", around);
    given_by_ = peer.device;
    return true;
  }
  return false;
}

}  // namespace tandem::ha
