// SPDX-License-Identifier: Apache-2.0
#include "dataplane/ha/device.h"

#include <algorithm>
#include <utility>

#include "dataplane/base/mutation.h"
namespace tandem::ha {

using Kind = Action::Kind;

Device::Device(const Settings& settings, uint32_t ballot, bool forced_offline, uint64_t incarnation,
               Nanos now, Actions& actions)
    : settings_(settings),
      incarnation_(incarnation),
      now_(now),
      ballots_(ballot),
      detector_(settings, incarnation, now),
      sent_at_(now),
      forced_offline_(forced_offline),
      persisted_forced_(forced_offline) {
  SetFence();
  const Around around = Surroundings(actions);
  for (const GroupSettings& group : settings_.groups)
    groups_.emplace_back(group, around);
}

Around Device::Surroundings(Actions& actions) {
  return {.settings = settings_,
          .detector = detector_,
          .ballots = ballots_,
          .actions = actions,
          .now = now_,
          .incarnation = incarnation_,
          .fence = fence_,
          .sent_stamp = sent_at_ - sent_at_ % kStampUnit,
          .quiet_until = quiet_until_,
          .load = load(),
          .is_urgent = is_urgent_,
          .is_tick = is_tick_,
          .forced_offline = forced_offline_,
          .stopping = stopping_};
}

// A peer that hears nothing any more takes over a detection time after our last heartbeat; with no
// peer about, one that boots does after boot_wait. Set with each heartbeat, either way: a device that
// was stopped must not find that it has no peers.
void Device::SetFence() {
  const Nanos heard = detector_.last_heard();
  const bool has_peers = heard != 0 && now_ < heard + settings_.boot_wait;
  fence_ = sent_at_ + FenceOf(has_peers ? settings_.detection() : settings_.boot_wait);
}

Nanos Device::ActiveUntil(TrafficGroupId group) const {
  const Group* found = Find(group);
  if (found == nullptr) return 0;
  return found->ActiveUntil(settings_, detector_, fence_);
}

const Group* Device::Find(TrafficGroupId group) const {
  const auto found = std::ranges::find(groups_, group, &Group::id);
  return found == groups_.end() ? nullptr : &*found;
}

Group* Device::Mutable(TrafficGroupId group) {
  const auto found = std::ranges::find(groups_, group, &Group::id);
  return found == groups_.end() ? nullptr : &*found;
}

// The groups that it has, and those that it would get.
uint32_t Device::load() const {
  uint32_t factors = 0;
  for (const Group& group : groups_) {
    if (group.acts() || group.heir() == settings_.self) factors += group.settings().load_factor;
  }
  return LoadOf(factors, settings_.capacity);
}

// ---- a step -------------------------------------------------------------------------------------

void Device::Step(const Event& event, Nanos now, Actions& actions) {
  now_ = std::max(now_, now);
  if (has_stopped_) return;
  const bool is_stalled = detector_.IsStalled(now_);
  if (is_stalled) {
    quiet_until_ = now_ + settings_.detection();
    const Around around = Surroundings(actions);
    for (Group& group : groups_)
      group.OnStall(around);
  }
  // Before anything is believed that came while this device did not run.
  if (is_stalled || now_ > fence_) EvaluateAll(actions);
  if (!std::holds_alternative<Tick>(event)) next_tick_ = now_;
  std::visit([&](const auto& what) { On(what, actions); }, event);
  Persist(actions);
}

void Device::Evaluate(Group& group, Actions& actions) {
  group.Evaluate(Surroundings(actions));
}

void Device::EvaluateAll(Actions& actions) {
  for (Group& group : groups_)
    Evaluate(group, actions);
}

void Device::On(const Tick& /*tick*/, Actions& actions) {
  if (now_ < next_tick_) return;
  detector_.Judge(now_);
  is_tick_ = true;
  EvaluateAll(actions);
  is_tick_ = false;
  StopWhenQuiet(actions);
  FindNextTick(actions);
}

void Device::FindNextTick(Actions& actions) {
  next_tick_ = std::min(sent_at_ + settings_.interval, detector_.next_deadline());
  const Around around = Surroundings(actions);
  for (const Group& group : groups_)
    next_tick_ = std::min(next_tick_, group.NextDeadline(around));
  next_tick_ = std::max(next_tick_, now_);
}

void Device::On(const HeartbeatCame& came, Actions& actions) {
  const Peer* peer = detector_.Find(came.heartbeat.device);
  const bool was_alive = peer != nullptr && peer->is_alive;
  if (!detector_.OnHeartbeat(came.heartbeat, came.path, now_)) return;
  SetFence();
  if (std::as_const(*peer).was_back) {
    const Around around = Surroundings(actions);
    for (Group& group : groups_)
      group.OnHeal(around);
    detector_.ClearBack();
  }
  if (peer->is_alive != was_alive) {
    EvaluateAll(actions);
  } else {
    for (const GroupSays& says : came.heartbeat.groups) {
      for (Group& group : groups_) {
        if (group.settings().name_hash == says.name_hash) Evaluate(group, actions);
      }
    }
  }
}

void Device::On(const ShadowSays& shadow, Actions& actions) {
  Group* group = Mutable(shadow.group);
  if (group == nullptr) return;
  group->OnShadow(shadow);
  Evaluate(*group, actions);
}

void Device::On(const Drained& drained, Actions& actions) {
  Group* group = Mutable(drained.group);
  if (group == nullptr) return;
  group->OnDrained(drained.session);
  Evaluate(*group, actions);
}

void Device::On(const LeaseAnswered& answer, Actions& actions) {
  Group* group = Mutable(answer.group);
  if (group == nullptr) return;
  group->OnLease(answer, Surroundings(actions));
  Evaluate(*group, actions);
}

void Device::On(const FaultSays& fault, Actions& actions) {
  for (Group& group : groups_) {
    if (fault.group == 0 || fault.group == group.id()) group.OnFault(fault.fault);
  }
  is_urgent_ = true;
  EvaluateAll(actions);
}

void Device::On(const ScoreSays& score, Actions& actions) {
  Group* group = Mutable(score.group);
  if (group == nullptr) return;
  group->OnScore(score.score);
  Evaluate(*group, actions);
}

void Device::On(const Reconfigured& reconfigured, Actions& actions) {
  settings_ = reconfigured.settings;
  detector_.Reconfigure(settings_);
  const Around around = Surroundings(actions);
  for (Group& group : groups_) {
    const auto wanted = std::ranges::find(settings_.groups, group.id(), &GroupSettings::id);
    if (wanted == settings_.groups.end()) {
      group.Leave(around);
    } else {
      group.Reconfigure(*wanted);
    }
  }
  std::erase_if(groups_, [&](const Group& group) {
    return std::ranges::find(settings_.groups, group.id(), &GroupSettings::id) ==
           settings_.groups.end();
  });
  for (const GroupSettings& group : settings_.groups) {
    if (Find(group.id) == nullptr) groups_.emplace_back(group, around);
  }
  is_urgent_ = true;
  EvaluateAll(actions);
}

// ---- the operator, and the disk -----------------------------------------------------------------

void Device::On(const Command& command, Actions& actions) {
  const auto answer = [&](bool is_done, const char* reason) {
    Action& action = actions.emplace_back();
    action.kind = Kind::kAnswer;
    action.ticket = command.ticket;
    action.is_done = is_done;
    action.reason = reason;
  };
  switch (command.kind) {
    case Command::Kind::kStandby:
    case Command::Kind::kStandbyAtOnce: {
      Group* group = Mutable(command.group);
      if (group == nullptr) return answer(false, "there is no such group");
      group->OnCommand(command, Surroundings(actions));
      Evaluate(*group, actions);
      break;
    }
    case Command::Kind::kForcedOffline:
    case Command::Kind::kOnline: {
      const bool is_forced = command.kind == Command::Kind::kForcedOffline;
      if (forced_answer_ != 0) return answer(false, "an earlier command waits for the disk");
      if (is_forced == forced_offline_) return answer(true, "so it is already");
      forced_offline_ = is_forced;
      forced_answer_ = command.ticket;
      if (!is_forced) {
        const Around around = Surroundings(actions);
        for (Group& group : groups_)
          group.Reconnect(around);
      }
      EvaluateAll(actions);
      break;
    }
    case Command::Kind::kStop:
      stopping_ = true;
      stop_answer_ = command.ticket;
      EvaluateAll(actions);
      break;
  }
  is_urgent_ = true;
}

void Device::On(const FactsDurable& facts, Actions& actions) {
  ballots_.OnDurable(facts.ballot);
  if (forced_answer_ != 0 && facts.forced_offline == forced_offline_ &&
      persisted_forced_ == forced_offline_) {
    Action& action = actions.emplace_back();
    action.kind = Kind::kAnswer;
    action.ticket = std::exchange(forced_answer_, 0);
    action.is_done = true;
    action.reason = forced_offline_ ? "forced offline" : "online";
  }
  EvaluateAll(actions);
}

void Device::Persist(Actions& actions) {
  const uint32_t ballot = ballots_.Ask();
  if (ballot == 0 && persisted_forced_ == forced_offline_) return;
  persisted_forced_ = forced_offline_;
  Action& action = actions.emplace_back();
  action.kind = Kind::kPersist;
  action.ballot = std::max(ballots_.asked(), ballots_.durable());
  action.forced_offline = forced_offline_ && !Mutated(Mutation::kForcedForgotten);
}

// Every group was given up, or cannot be: goodbye.
void Device::StopWhenQuiet(Actions& actions) {
  const bool is_busy = std::ranges::any_of(
      groups_, [](const Group& group) { return group.acts() || group.state() == State::kGranted; });
  if (!stopping_ || is_busy) return;
  if (goodbyes_ == 0) is_urgent_ = true;
  if (goodbyes_ < kGoodbyes) return;
  has_stopped_ = true;
  actions.emplace_back().kind = Kind::kStopped;
  if (stop_answer_ == 0) return;
  Action& answer = actions.emplace_back();
  answer.kind = Kind::kAnswer;
  answer.ticket = stop_answer_;
  answer.is_done = true;
  answer.reason = "stopped";
}

// ---- what it says -------------------------------------------------------------------------------

std::span<const Heartbeat> Device::MakeHeartbeats(Nanos now) {
  now_ = std::max(now_, now);
  sent_at_ = now_;
  SetFence();
  is_urgent_ = false;
  const bool is_goodbye = stopping_ && std::ranges::none_of(groups_, [](const Group& group) {
                            return group.acts() || group.state() == State::kGranted;
                          });
  if (is_goodbye) ++goodbyes_;
  Actions none;
  const Around around = Surroundings(none);
  heartbeats_.clear();
  size_t done = 0;
  do {
    Heartbeat& heartbeat = heartbeats_.emplace_back();
    heartbeat.device = settings_.self;
    heartbeat.incarnation = incarnation_;
    heartbeat.sequence = ++sequence_;
    heartbeat.interval = settings_.interval;
    heartbeat.multiplier = settings_.multiplier;
    heartbeat.stamp = now_;
    heartbeat.goodbye = is_goodbye;
    heartbeat.ballot = ballots_.highest();
    heartbeat.load = load();
    detector_.Report(now_, heartbeat.heard);
    for (; done < groups_.size() && heartbeat.groups.size() < kGroupsPerHeartbeat; ++done)
      groups_[done].Say(around, heartbeat.groups.emplace_back());
  } while (done < groups_.size());
  next_tick_ = std::min(next_tick_, sent_at_ + settings_.interval);
  return heartbeats_;
}

}  // namespace tandem::ha
