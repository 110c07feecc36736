// SPDX-License-Identifier: Apache-2.0
//
// The states that act, and those that did and may again: granted, suspended.
#include <algorithm>

#include "dataplane/base/mutation.h"
#include "dataplane/ha/group.h"

namespace tandem::ha {

using config::Role;
using Kind = Action::Kind;

void Group::EvaluateActing(const Around& around) {
  if (Loses(around)) return;
  if (IsFenced(around)) return Suspend(around);
  if (GivesWay(around)) return;
  Renew(around);
  Contest(around);
  ChooseNextActive(around);
  MoveIfWanted(around);
}

// A higher epoch is claimed: silent at once, before anything else.
bool Group::Loses(const Around& around) {
  if (claim_.epoch <= epoch_ || Mutated(Mutation::kLowerEpochActs)) return false;
  Enter(State::kSyncing, "a higher epoch is claimed", around);
  EndSwitch(around);
  Answer(false, "a higher epoch is claimed", around);
  Follow(claim_.epoch, false, around);
  return true;
}

// ---- leave to act -------------------------------------------------------------------------------

Nanos Group::ActiveUntil(const Settings& device, const Detector& detector, Nanos fence) const {
  if (!acts()) return 0;
  if (Mutated(Mutation::kNoFence)) return UINT64_MAX - 1;
  if (!device.witness || Mutated(Mutation::kNoLease)) return fence;
  return std::min(fence,
                  std::max({lease_.until(), ConfirmedUntil(device, detector), grace_until_}));
}

bool Group::IsFenced(const Around& around) const {
  return around.now > ActiveUntil(around.settings, around.detector, around.fence);
}

// Nobody takes over from whom it heard act a moment ago; so until when nobody can have.
Nanos Group::ConfirmedUntil(const Settings& device, const Detector& detector) const {
  Nanos until = UINT64_MAX;
  for (const Peer& peer : detector.peers()) {
    if (!peer.is_alive || !peer.hears_us || peer.confirmed <= sent_before_) return 0;
    until = std::min(until, peer.confirmed + FenceOf(device.detection()));
  }
  return until;
}

void Group::Suspend(const Around& around) {
  lost_lease_ = around.now <= around.fence;
  suspended_at_ = around.now;
  sent_before_ = around.sent_stamp;
  Enter(State::kSuspended, lost_lease_ ? "the lease ran out" : "this device was stalled", around);
  EndSwitch(around);
  Answer(false, "this device was stalled", around);
}

void Group::EvaluateSuspended(const Around& around) {
  if (Loses(around)) return;
  const bool gives_up =
      around.forced_offline || around.stopping || (fault_ != nullptr && AnyEligiblePeer(around));
  if (gives_up) return Enter(RestState(around), "another one is to take over", around);
  if (around.settings.witness && !lease_.IsHeld(around.now)) {
    if (!lost_lease_) around.Do(Kind::kSetRole, id()).role = Role::kStandby;
    lost_lease_ = true;
    return;
  }
  if (!around.is_tick) return;
  // Somebody may have held the lease meanwhile: another turn.
  if (lost_lease_) return Enter(State::kPromoting, "the lease is held again", around);
  const auto peers = around.detector.peers();
  const bool is_answered =
      around.detector.AnyAlive() && std::ranges::all_of(peers, [&](const Peer& peer) {
        return !peer.is_alive || (peer.hears_us && peer.confirmed > sent_before_);
      });
  if (is_answered || around.now >= suspended_at_ + around.settings.detection()) Resume(around);
}

void Group::Resume(const Around& around) {
  around.Do(Kind::kDropBacklog, id());
  Action& role = around.Do(Kind::kSetRole, id());
  role.role = Role::kActive;
  role.epoch = epoch_;
  sent_before_ = around.sent_stamp;
  Enter(State::kStandalone, "nobody took over", around);
  around.Do(Kind::kAnnounce, id());
}

void Group::KeepLease(const Around& around) {
  const bool is_wanted =
      acts() || state_ == State::kPromoting || (state_ == State::kSuspended && lost_lease_);
  if (is_wanted) {
    const Nanos retry = around.settings.detection();
    if (!lease_.AskDue(around.settings.lease, retry, around.now)) return;
    around.Do(Kind::kAskLease, id()).ticket = lease_.Ask(around.now);
  } else if (state_ != State::kGranted && state_ != State::kSuspended && lease_.IsAsked()) {
    around.Do(Kind::kReleaseLease, id()).ticket = lease_.Release();
  }
}

// ---- giving way ---------------------------------------------------------------------------------

// The operator, a stop, or a fault. Whether the state changed.
bool Group::GivesWay(const Around& around) {
  if (around.forced_offline || around.stopping) {
    const char* reason = around.forced_offline ? "forced offline" : "this device stops";
    ChooseNextActive(around);
    if (!has_failed_to_switch_ && next_active_ != 0 && MayTake(next_active_, around) &&
        IsInSync(next_active_, around)) {
      SwitchOut(next_active_, reason, around);
      if (state_ == State::kSwitchingOut) return true;
    }
    Release(RestState(around), reason, around);
    return true;
  }
  if (fault_ == nullptr || !AnyEligiblePeer(around)) return false;
  Release(State::kFailed, fault_, around);
  return true;
}

void Group::Release(State to, const char* reason, const Around& around) {
  // Time for the others; but better this device again than nobody.
  abstain_until_ = around.now + std::max(10 * around.settings.detection(), kSecond);
  Enter(to, reason, around);
  EndSwitch(around);
  Answer(false, reason, around);
  active_device_ = 0;
}

// A peer knows of an epoch above ours, and nobody acts in it.
void Group::Renew(const Around& around) {
  if (peers_floor_ <= epoch_) return;
  const Epoch epoch = Mint(around);
  if (epoch.is_none()) return;
  Action& role = around.Do(Kind::kSetRole, id());
  role.role = Role::kActive;
  role.epoch = epoch;
  epoch_ = followed_ = floor_ = epoch;
  Action& transition = around.Do(Kind::kTransition, id());
  transition.from = transition.to = state_;
  transition.epoch = epoch;
  transition.reason = "a peer knew a higher epoch";
  around.is_urgent = true;
}

// The other one of a split gives way when it hears of us; its neighbours have to be told.
void Group::Contest(const Around& around) {
  const bool is_contested = claim_.is_any();
  if (is_contested && !is_contested_) around.is_urgent = true;
  if (!is_contested && is_contested_) around.Do(Kind::kAnnounce, id());
  is_contested_ = is_contested;
}

// ---- the next-active ----------------------------------------------------------------------------

bool Group::MayTake(DeviceId device, const Around& around) const {
  const Peer* peer = around.detector.Find(device);
  const PeerGroup* group = Of(device, around);
  return group != nullptr && peer->hears_us && group->says.eligible && !group->says.acts;
}

bool Group::IsInSync(DeviceId device, const Around& around) const {
  const PeerGroup* group = Of(device, around);
  return group != nullptr && group->says.in_sync && group->says.epoch == epoch_;
}

void Group::ChooseNextActive(const Around& around) {
  Candidate best;
  bool is_there = false;  // the present one, still a candidate
  Candidate present;
  for (const Peer& peer : around.detector.peers()) {
    if (!MayTake(peer.device, around)) continue;
    const Candidate candidate = CandidateOf(peer, *Of(peer.device, around));
    if (peer.device == mirror_to_) {
      is_there = true;
      present = candidate;
    }
    if (best.device == 0 || IsPreferred(settings_, candidate, best)) best = candidate;
  }
  // Scores and loads change all the time; copying a table takes longer than that.
  const bool is_enough =
      settings_.method == Method::kLoad || (settings_.method == Method::kHaScore &&
                                            best.score <= present.score + settings_.active_bonus);
  if (is_there && is_enough) best = present;
  if (wanted_target_ != 0 && MayTake(wanted_target_, around)) best.device = wanted_target_;
  if (best.device != mirror_to_) {
    mirror_to_ = best.device;
    around.Do(Kind::kMirrorTo, id()).device = mirror_to_;
  }
  // The former one keeps its shadow until the new one has its own.
  const bool keeps = next_active_ != 0 && next_active_ != mirror_to_ &&
                     MayTake(next_active_, around) && IsInSync(next_active_, around) &&
                     !IsInSync(mirror_to_, around);
  if (!keeps) next_active_ = mirror_to_;
  if (state_ == State::kSwitchingOut) return;
  if (next_active_ == 0) return Enter(State::kStandalone, "nobody to take over", around);
  if (IsInSync(next_active_, around)) return Enter(State::kActive, "next-active in sync", around);
  Enter(State::kDegraded, "next-active not in sync", around);
}

// ---- switchover ---------------------------------------------------------------------------------

// Who is to have the group, and could now; 0: nobody else.
DeviceId Group::FailbackTarget(const Around& around) const {
  if (!settings_.auto_failback || settings_.method == Method::kLoad || mirror_to_ == 0) return 0;
  if (!MayTake(mirror_to_, around) || !IsInSync(mirror_to_, around)) return 0;
  const Candidate target = CandidateOf(*around.detector.Find(mirror_to_), *Of(mirror_to_, around));
  return IsPreferred(settings_, target, Self(around)) ? mirror_to_ : 0;
}

void Group::MoveIfWanted(const Around& around) {
  if (wanted_target_ != 0) {
    if (!MayTake(wanted_target_, around)) return Answer(false, "the device cannot take it", around);
    if (IsInSync(wanted_target_, around)) return SwitchOut(wanted_target_, "by command", around);
    if (around.now >= wanted_until_) Answer(false, "the device did not get in sync", around);
    return;
  }
  const DeviceId target = FailbackTarget(around);
  if (target != better_) {
    better_ = target;
    better_since_ = target == 0 ? 0 : around.now;
  }
  if (target == 0) return;
  const bool is_order = settings_.method == Method::kHaOrder;
  if (around.now < better_since_ + (is_order ? settings_.failback_hold : settings_.move_hold))
    return;
  SwitchOut(target, is_order ? "failback" : "another device has the higher score", around);
}

// Only when the epoch to give could be minted now.
void Group::SwitchOut(DeviceId target, const char* reason, const Around& around) {
  if (!around.ballots.MayUse(clock_ + 1)) return;
  hand_over_ = {.target = target,
                .incarnation = around.detector.Find(target)->incarnation,
                .session = Of(target, around)->says.session};
  is_drained_ = Mutated(Mutation::kEarlyDrained);
  deadline_ = around.now + around.settings.drain_max;
  around.Do(Kind::kFreeze, id()).device = target;
  Enter(State::kSwitchingOut, reason, around);
}

void Group::EvaluateSwitchingOut(const Around& around) {
  if (Loses(around)) return;
  if (IsFenced(around)) return Suspend(around);
  const DeviceId target = hand_over_.target;
  const bool is_same = MayTake(target, around) && IsInSync(target, around) &&
                       around.detector.Find(target)->incarnation == hand_over_.incarnation &&
                       Of(target, around)->says.session == hand_over_.session;
  if (!is_same) return Abort("the device is not in sync any more", around);
  if (is_drained_) return Grant(around);
  if (around.now >= deadline_) Abort("not drained in time", around);
}

void Group::Abort(const char* reason, const Around& around) {
  has_failed_to_switch_ = true;
  better_ = 0;
  EndSwitch(around);
  Answer(false, reason, around);
  Enter(State::kDegraded, reason, around);
}

// Whatever became of it.
void Group::EndSwitch(const Around& around) {
  if (hand_over_.target == 0) return;
  hand_over_ = {};
  around.Do(Kind::kUnfreeze, id());
}

void Group::Grant(const Around& around) {
  const DeviceId target = hand_over_.target;
  const Nanos longest = std::max(around.settings.grant_wait_min, around.settings.grant_wait_max);
  const Nanos wait = std::clamp(3 * around.detector.Find(target)->round_trip,
                                around.settings.grant_wait_min, longest);
  ++clock_;
  around.ballots.Saw(clock_);
  hand_over_.epoch = Epoch::Planned(clock_, target);
  deadline_ = around.now + wait;
  holds_until_ = around.now + wait * 3 / 4;
  Enter(State::kGranted, "drained", around);
  Action& strays = around.Do(Kind::kForwardStrays, id());
  strays.device = target;
  strays.until = around.now + around.settings.strays;
}

void Group::EvaluateGranted(const Around& around) {
  // By the device's own word: another one may have given it an epoch of this number.
  const bool is_ours = claim_.epoch == hand_over_.epoch && claim_.by != nullptr &&
                       claim_.by->says.given_by == around.settings.self;
  if (is_ours) {
    EndSwitch(around);
    Follow(claim_.epoch, true, around);
    Answer(true, "handed over", around);
    return Enter(State::kSyncing, "handed over", around);
  }
  if (Loses(around)) return;
  if (around.now < deadline_) return;
  EndSwitch(around);
  Answer(false, "the device did not act in time", around);
  // What this device is told to leave, it does not take again.
  const bool takes_back = !around.forced_offline && !around.stopping;
  Enter(takes_back ? State::kPromoting : RestState(around), "the device did not act in time",
        around);
}

}  // namespace tandem::ha
