// SPDX-License-Identifier: Apache-2.0
#include "dataplane/ha/group.h"

#include <algorithm>

#include "dataplane/base/mutation.h"
namespace tandem::ha {

using config::Role;
using Kind = Action::Kind;

// What this device minted in an earlier run, or before the group left and came back, is durable.
Group::Group(const GroupSettings& settings, const Around& around)
    : settings_(settings),
      since_(around.now),
      clock_(around.ballots.durable()),
      connect_until_(around.now + around.settings.boot_wait) {
  Action& role = around.Do(Kind::kSetRole, id());
  role.role = Role::kStandby;
}

// ---- what happened ------------------------------------------------------------------------------

void Group::OnShadow(const ShadowSays& shadow) {
  shadow_ = {shadow.in_sync, shadow.session, shadow.epoch};
}

void Group::OnDrained(uint32_t session) {
  if (state_ == State::kSwitchingOut && session == hand_over_.session) is_drained_ = true;
}

void Group::OnLease(const LeaseAnswered& answer, const Around& around) {
  lease_.OnAnswer(answer.ticket, answer.is_granted, around.settings.lease);
}

void Group::OnCommand(const Command& command, const Around& around) {
  const auto refuse = [&](const char* reason) {
    Action& action = around.Do(Kind::kAnswer, id());
    action.ticket = command.ticket;
    action.reason = reason;
  };
  if (!acts()) return refuse("the group is not active on this device");
  if (wanted_target_ != 0 || state_ == State::kSwitchingOut)
    return refuse("a switchover is going on");
  const DeviceId target = command.target != 0 ? command.target : next_active_;
  if (target == around.settings.self) return refuse("the group is active on this device already");
  if (command.kind == Command::Kind::kStandbyAtOnce) {
    if (!AnyEligiblePeer(around)) return refuse("no other device can take the group");
    Release(State::kSyncing, "given up by command", around);
    answer_ = command.ticket;
    Answer(true, "given up", around);
    return;
  }
  if (target == 0) return refuse("no other device can take the group");
  if (!MayTake(target, around)) return refuse("the device cannot take the group");
  answer_ = command.ticket;
  wanted_target_ = target;
  wanted_until_ = around.now + around.settings.sync_wait;
}

void Group::OnStall(const Around& around) {
  if (empty_since_ != 0) empty_since_ = around.now;
  better_since_ = 0;
  if (state_ == State::kGranted) deadline_ = std::max(deadline_, around.quiet_until);
  if (state_ == State::kPromoting) Enter(RestState(around), "this device was stalled", around);
}

void Group::OnHeal(const Around& around) {
  if (acts()) around.Do(Kind::kAnnounce, id());
}

void Group::Reconnect(const Around& around) {
  is_connected_ = false;
  was_booting_ = true;
  connect_until_ = around.now + around.settings.boot_wait;
  abstain_until_ = empty_since_ = 0;
}

void Group::Leave(const Around& around) {
  if (acts()) Release(State::kOffline, "removed from the configuration", around);
  Answer(false, "the group was removed", around);
}

// ---- the situation ------------------------------------------------------------------------------

const PeerGroup* Group::Of(DeviceId device, const Around& around) const {
  const Peer* peer = around.detector.Find(device);
  return peer == nullptr ? nullptr : peer->Of(settings_.name_hash, around.now);
}

// What a device says of itself counts more than what another one heard of it.
Group::Claim Group::HighestClaim(const Around& around) const {
  Claim highest;
  for (const Peer& peer : around.detector.peers()) {
    const PeerGroup* group = peer.Of(settings_.name_hash, around.now);
    if (group == nullptr) continue;
    const GroupSays& says = group->says;
    if (says.acts && says.epoch > highest.epoch) highest = {says.epoch, group};
    if (!says.follows || says.epoch <= highest.epoch) continue;
    const DeviceId holder = says.epoch.device();
    if (holder != around.settings.self && Of(holder, around) == nullptr) highest = {says.epoch};
  }
  return highest;
}

void Group::Look(const Around& around) {
  claim_ = HighestClaim(around);
  peers_floor_ = claim_.epoch;
  for (const Peer& peer : around.detector.peers()) {
    const PeerGroup* group = peer.Of(settings_.name_hash, around.now);
    if (group == nullptr) continue;
    peers_floor_ = std::max(peers_floor_, group->says.epoch);
    clock_ = std::max(clock_, peer.ballot);
  }
  clock_ = std::max({clock_, peers_floor_.ballot(), floor_.ballot()});
  around.ballots.Saw(clock_);
  if (claim_.by == nullptr || claim_.epoch < floor_) return;
  heir_ = claim_.by->says.next_active;
  shadow_of_ = claim_.by->says.mirror_to;
}

Candidate Group::CandidateOf(const Peer& peer, const PeerGroup& group) const {
  const GroupSays& says = group.says;
  return {.device = peer.device,
          .is_in_sync = says.in_sync && says.epoch == std::max(floor_, peers_floor_),
          .is_next_active = peer.device == heir_,
          .score = says.score,
          .load = peer.load};
}

Candidate Group::Self(const Around& around) const {
  const DeviceId self = around.settings.self;
  return {.device = self,
          .is_in_sync = RestState(around) == State::kStandby && floor_ >= peers_floor_,
          .is_next_active = self == heir_,
          .score = score_ + (acts() ? settings_.active_bonus : 0),
          .load = around.load};
}

bool Group::IsEligible(const Around& around) const {
  return !around.forced_offline && !around.stopping && fault_ == nullptr &&
         around.now >= abstain_until_;
}

bool Group::AnyEligiblePeer(const Around& around) const {
  return std::ranges::any_of(around.detector.peers(), [&](const Peer& peer) {
    const PeerGroup* group = peer.Of(settings_.name_hash, around.now);
    return group != nullptr && group->says.eligible;
  });
}

// Of a device that does not act and is about nothing in particular.
State Group::RestState(const Around& around) const {
  if (around.forced_offline) return State::kForcedOffline;
  if (around.stopping) return State::kOffline;
  if (fault_ != nullptr) return State::kFailed;
  if (!is_connected_) return State::kConnecting;
  // The mirror may not have heard yet that it is told nothing any more.
  const bool is_for_other = shadow_of_ != 0 && shadow_of_ != around.settings.self;
  const bool is_in_sync = shadow_.in_sync && !is_for_other && !followed_.is_none() &&
                          shadow_.epoch == followed_ && followed_ == floor_;
  return is_in_sync ? State::kStandby : State::kSyncing;
}

// ---- going on -----------------------------------------------------------------------------------

void Group::Evaluate(const Around& around) {
  // Each pass takes one decision; a few follow from each other.
  for (int passes = 0; passes < 6; ++passes) {
    if (!EvaluateOnce(around)) break;
  }
  if (acts()) ChooseNextActive(around);
  if (around.settings.witness) KeepLease(around);
}

// Whether the state changed.
bool Group::EvaluateOnce(const Around& around) {
  const State before = state_;
  Look(around);
  switch (state_) {
    case State::kActive:
    case State::kDegraded:
    case State::kStandalone:
      EvaluateActing(around);
      break;
    case State::kSwitchingOut:
      EvaluateSwitchingOut(around);
      break;
    case State::kGranted:
      EvaluateGranted(around);
      break;
    case State::kSuspended:
      EvaluateSuspended(around);
      break;
    case State::kPromoting:
      EvaluatePromoting(around);
      break;
    case State::kOffline:
    case State::kConnecting:
    case State::kSyncing:
    case State::kStandby:
    case State::kSwitchingIn:
    case State::kFailed:
    case State::kForcedOffline:
      EvaluateWaiting(around);
      break;
  }
  return state_ != before;
}

void Group::Enter(State to, const char* reason, const Around& around) {
  if (to == state_) return;
  if ((acts() || state_ == State::kSuspended) && !Acts(to)) {
    Action& role = around.Do(Kind::kSetRole, id());
    role.role = Role::kStandby;
    // Long without the lease, another one may well have taken over.
    role.is_pause = to == State::kSuspended && !lost_lease_;
  }
  if (acts() && !Acts(to)) {
    heir_ = next_active_;
    next_active_ = mirror_to_ = 0;
    better_ = 0;
    is_contested_ = false;
  }
  Action& transition = around.Do(Kind::kTransition, id());
  transition.from = state_;
  transition.to = to;
  transition.reason = reason;
  state_ = to;
  since_ = around.now;
  reason_ = reason;
  transition.epoch = epoch();
  around.is_urgent = true;
}

// REQUIRES: the epoch's ballot is durable.
void Group::Act(Epoch epoch, const char* reason, const Around& around) {
  around.Do(Kind::kDropBacklog, id());
  Action& role = around.Do(Kind::kSetRole, id());
  role.role = Role::kActive;
  role.epoch = epoch;
  epoch_ = followed_ = epoch;
  floor_ = std::max(floor_, epoch);
  active_device_ = around.settings.self;
  sent_before_ = around.sent_stamp;
  is_connected_ = true;
  empty_since_ = 0;
  shadow_ = {};
  hand_over_ = {};
  given_by_ = 0;
  has_failed_to_switch_ = false;
  Enter(State::kStandalone, reason, around);
  if (Mutated(Mutation::kNoAnnounce)) return;
  around.Do(Kind::kAnnounce, id());
}

void Group::Follow(Epoch epoch, bool is_warm, const Around& around) {
  floor_ = std::max(floor_, epoch);
  active_device_ = epoch.device();
  is_connected_ = true;
  empty_since_ = 0;
  if (followed_ == epoch) return;
  followed_ = epoch;
  shadow_of_ = 0;
  if (shadow_.epoch != epoch) shadow_ = {};
  Action& follow = around.Do(Kind::kFollow, id());
  follow.epoch = epoch;
  follow.is_warm = is_warm || Mutated(Mutation::kAlwaysWarm);
}

// None: it has to become durable first.
Epoch Group::Mint(const Around& around) {
  if (!around.ballots.MayUse(clock_ + 1) && !Mutated(Mutation::kUndurableEpoch)) return {};
  ++clock_;
  around.ballots.Saw(clock_);
  return Epoch::Promoted(clock_, around.settings.self);
}

void Group::Answer(bool is_done, const char* reason, const Around& around) {
  wanted_target_ = 0;
  if (answer_ == 0) return;
  Action& answer = around.Do(Kind::kAnswer, id());
  answer.ticket = answer_;
  answer.is_done = is_done;
  answer.reason = reason;
  answer_ = 0;
}

void Group::Say(const Around& around, GroupSays& says) const {
  says.name_hash = settings_.name_hash;
  says.state = state_;
  says.acts = acts();
  says.epoch = acts() ? epoch_ : floor_;
  says.follows = !says.acts && claim_.by != nullptr && claim_.epoch == floor_;
  says.eligible = IsEligible(around);
  says.in_sync = !says.acts && RestState(around) == State::kStandby;
  says.session = says.in_sync ? shadow_.session : 0;
  says.order = OrderOf(settings_, around.settings.self);
  says.score = score_ + (says.acts ? settings_.active_bonus : 0);
  says.next_active = next_active_;
  says.mirror_to = mirror_to_;
  says.given_by = says.acts ? given_by_ : 0;
  if (hand_over_.target == 0) return;
  says.hand_over = hand_over_;
  if (hand_over_.epoch.is_none()) return;
  says.hand_over.holds = holds_until_ > around.now ? holds_until_ - around.now : 0;
}

Nanos Group::NextDeadline(const Around& around) const {
  Nanos next = UINT64_MAX;
  const auto until = [&](Nanos deadline) { next = std::min(next, deadline); };
  if (wanted_target_ != 0) until(wanted_until_);
  if (state_ == State::kSwitchingOut || state_ == State::kGranted) until(deadline_);
  if (better_since_ != 0)
    until(better_since_ + std::min(settings_.failback_hold, settings_.move_hold));
  if (state_ == State::kSuspended) until(suspended_at_ + around.settings.detection());
  if (!acts() && empty_since_ != 0) {
    const Nanos turn = TurnOf(around);
    if (turn > around.now) until(turn);
  }
  if (state_ == State::kConnecting && connect_until_ > around.now) until(connect_until_);
  if (abstain_until_ > around.now) until(abstain_until_);
  if (around.settings.witness) {
    until(around.now + around.settings.interval);
    if (acts()) until(ActiveUntil(around.settings, around.detector, around.fence) + 1);
  }
  return next;
}

}  // namespace tandem::ha
