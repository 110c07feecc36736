// SPDX-License-Identifier: Apache-2.0
//
// The state machine of one traffic group on this device. README.md has the states, the rules and their
// reasons; this is the code to it.
//
// Theory of operation. Everything that happens is noted (On…), and then Evaluate looks at the whole
// situation and goes where the rules lead: what the peers claim now, what the mirror said last, how
// late it is. So it does not matter in which order or how often things were heard, and there is one
// place for each rule. group.cc has what holds for all states, group_acting.cc the states that act or
// did (switchover, suspension), group_waiting.cc those that may come to act.
//
// Pure. Thread safety: none; the mirror thread.
#pragma once

#include <cstdint>

#include "dataplane/base/time.h"
#include "dataplane/ha/detector.h"
#include "dataplane/ha/election.h"
#include "dataplane/ha/epoch_store.h"
#include "dataplane/ha/events.h"
#include "dataplane/ha/heartbeat.h"
#include "dataplane/ha/lease.h"
#include "dataplane/ha/settings.h"

namespace tandem::ha {

// What a group sees of the device around it, in one step.
struct Around {
  const Settings& settings;
  const Detector& detector;
  BallotReserve& ballots;
  Actions& actions;
  Nanos now = 0;
  uint64_t incarnation = 0;
  Nanos fence = 0;  // after this nobody may act
  Nanos sent_stamp =
      0;  // of the last heartbeat that went out, as peers say it back: whole microseconds
  Nanos quiet_until = 0;  // nothing is to be concluded from silence before this
  uint32_t load = 0;      // of this device
  bool& is_urgent;        // a heartbeat is to go out now
  // All that was received was looked at: only then something is concluded from what is missing, and
  // only then a device begins to act.
  bool is_tick = false;
  bool forced_offline = false;
  bool stopping = false;

  Action& Do(Action::Kind kind, TrafficGroupId group) const {
    Action& action = actions.emplace_back();
    action.kind = kind;
    action.group = group;
    return action;
  }
};

class Group {
 public:
  Group(const GroupSettings& settings, const Around& around);
  void Reconfigure(const GroupSettings& settings) { settings_ = settings; }

  // ---- what happened; Evaluate follows --------------------------------------------------------------
  void OnShadow(const ShadowSays& shadow);
  void OnDrained(uint32_t session);
  void OnLease(const LeaseAnswered& answer, const Around& around);
  void OnFault(const char* fault) { fault_ = fault; }
  void OnScore(uint32_t score) { score_ = score; }
  void OnCommand(const Command& command, const Around& around);
  // The device was not running; all that was to be done by now is late.
  void OnStall(const Around& around);
  // Peers that were silent are back: their switches may have heard another device meanwhile.
  void OnHeal(const Around& around);
  // No longer forced offline: as after a boot.
  void Reconnect(const Around& around);
  // The configuration has the group no more.
  void Leave(const Around& around);

  void Evaluate(const Around& around);

  // ---- what it is -----------------------------------------------------------------------------------
  void Say(const Around& around, GroupSays& says) const;
  // Until when workers may forward the group's traffic, unless told otherwise meanwhile; 0: not at all.
  Nanos ActiveUntil(const Settings& device, const Detector& detector, Nanos fence) const;
  Nanos NextDeadline(const Around& around) const;

  TrafficGroupId id() const { return settings_.id; }
  const GroupSettings& settings() const { return settings_; }
  State state() const { return state_; }
  bool acts() const { return Acts(state_); }
  Nanos since() const { return since_; }
  const char* reason() const { return reason_; }
  Epoch epoch() const { return acts() || state_ == State::kSuspended ? epoch_ : floor_; }
  DeviceId next_active() const { return next_active_; }
  DeviceId mirror_to() const { return mirror_to_; }
  // Whom this device takes for the active one; 0: nobody.
  DeviceId active_device() const { return active_device_; }
  // Whom the active device named its next-active; 0: nobody.
  DeviceId heir() const { return acts() ? next_active_ : heir_; }
  const char* fault() const { return fault_; }
  uint32_t score() const { return score_; }             // without the bonus
  Nanos lease_until() const { return lease_.until(); }  // of the witness

 private:
  // Somebody says that a device acts in an epoch.
  struct Claim {
    Epoch epoch;
    const PeerGroup* by = nullptr;  // itself; nullptr: another one says so
    bool is_any() const { return !epoch.is_none(); }
  };
  struct Shadow {
    bool in_sync = false;
    uint32_t session = 0;
    Epoch epoch;
  };

  // group.cc
  void Look(const Around& around);
  Claim HighestClaim(const Around& around) const;
  bool EvaluateOnce(const Around& around);
  void Enter(State to, const char* reason, const Around& around);
  void Act(Epoch epoch, const char* reason, const Around& around);
  void Follow(Epoch epoch, bool is_warm, const Around& around);
  Epoch Mint(const Around& around);
  void Answer(bool is_done, const char* reason, const Around& around);
  const PeerGroup* Of(DeviceId device, const Around& around) const;
  Candidate CandidateOf(const Peer& peer, const PeerGroup& group) const;
  Candidate Self(const Around& around) const;
  bool IsEligible(const Around& around) const;
  bool AnyEligiblePeer(const Around& around) const;
  State RestState(const Around& around) const;

  // group_acting.cc
  void EvaluateActing(const Around& around);
  void EvaluateSwitchingOut(const Around& around);
  void EvaluateGranted(const Around& around);
  void EvaluateSuspended(const Around& around);
  bool IsFenced(const Around& around) const;
  Nanos ConfirmedUntil(const Settings& device, const Detector& detector) const;
  bool Loses(const Around& around);
  bool GivesWay(const Around& around);
  void Renew(const Around& around);
  void Contest(const Around& around);
  void ChooseNextActive(const Around& around);
  bool MayTake(DeviceId device, const Around& around) const;
  bool IsInSync(DeviceId device, const Around& around) const;
  DeviceId FailbackTarget(const Around& around) const;
  void SwitchOut(DeviceId target, const char* reason, const Around& around);
  void Abort(const char* reason, const Around& around);
  void EndSwitch(const Around& around);
  void Suspend(const Around& around);
  void Resume(const Around& around);
  void Grant(const Around& around);
  void MoveIfWanted(const Around& around);
  void Release(State to, const char* reason, const Around& around);
  void KeepLease(const Around& around);

  // group_waiting.cc
  void EvaluateWaiting(const Around& around);
  void EvaluatePromoting(const Around& around);
  bool TakeGrant(const Around& around);
  bool TurnIsOver(const Around& around) const;
  bool IsPrepared(const Around& around) const;
  Nanos TurnOf(const Around& around) const;
  bool IsWorthWaiting(const Around& around) const;
  const char* WhyAtRest(State rest) const;

  GroupSettings settings_;
  State state_ = State::kConnecting;
  Nanos since_ = 0;
  const char* reason_ = "started";

  uint32_t clock_ = 0;  // highest ballot seen or minted
  Epoch epoch_;         // of our own turn, the present or the last one
  Epoch floor_;         // highest that anybody was known to act in
  Epoch followed_;      // that the mirror was told
  Epoch peers_floor_;   // of all that is said now
  Claim claim_;
  DeviceId active_device_ = 0;
  DeviceId heir_ = 0;       // next-active, as the device of floor_ said
  DeviceId shadow_of_ = 0;  // whom it mirrors to, likewise; 0: not said
  Shadow shadow_;
  const char* fault_ = nullptr;
  uint32_t score_ = 0;
  bool is_connected_ = false;  // knows the group: followed, or acted, in this run
  Nanos connect_until_ = 0;

  // Acting.
  Nanos sent_before_ = 0;  // stamp of the last heartbeat before it began to act, or was suspended
  DeviceId next_active_ = 0;
  DeviceId mirror_to_ = 0;
  bool is_contested_ = false;  // a lower epoch is claimed
  Nanos better_since_ = 0;     // failback: 0: nobody is better
  DeviceId better_ = 0;
  LeaseHolder lease_;
  DeviceId given_by_ = 0;  // this turn was; 0: taken
  Nanos grace_until_ = 0;  // witness: acts on GO, before the others can have confirmed it
  // Switchover.
  DeviceId wanted_target_ = 0;  // by command; 0: none
  Nanos wanted_until_ = 0;      // for it to get in sync
  uint32_t answer_ = 0;         // ticket; 0: nobody waits
  HandOver hand_over_;
  bool is_drained_ = false;
  bool has_failed_to_switch_ = false;  // in this turn
  Nanos deadline_ = 0;                 // of draining, of the grant
  Nanos holds_until_ = 0;
  // Suspended.
  Nanos suspended_at_ = 0;
  bool lost_lease_ = false;

  // Waiting.
  Nanos empty_since_ = 0;  // nobody acts; 0: somebody does
  bool was_booting_ = true;
  Nanos abstain_until_ = 0;
};

}  // namespace tandem::ha
