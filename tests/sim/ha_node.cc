// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/ha_node.h"

#include <algorithm>
#include <utility>

namespace tandem::sim {

using ha::Action;
using Kind = ha::Action::Kind;

HaNode::HaNode(const ha::Settings& settings, Chance& chance, Journal& journal, Hooks hooks)
    : settings_(settings), chance_(chance), journal_(journal), hooks_(std::move(hooks)) {}

Nanos HaNode::Clock(Nanos now) const {
  const auto drift = static_cast<int64_t>(now / 1000) * ppm_ / 1000;
  return now + offset_ + static_cast<Nanos>(drift);
}

void HaNode::Boot(Nanos now) {
  incarnation_ = chance_.Next() | 1;
  restart_at_ = 0;
  booted_at_ = ran_since_ = now;
  paused_until_ = 0;
  workers_ = {};
  mirrors_ = {};
  journal_.Note(now, "%u boots: ballot %u%s", id(), disk_ballot_, disk_forced_ ? " offline" : "");
  ha::Actions actions;
  device_ = std::make_unique<ha::Device>(settings_, disk_ballot_, disk_forced_, incarnation_,
                                         Clock(now), actions);
  for (const Action& action : actions)
    Perform(action, now);
}

void HaNode::Crash(Nanos now, Nanos restart_at) {
  journal_.Note(now, "%u crashes", id());
  device_.reset();
  writes_.clear();  // not on disk, not there
  workers_ = {};
  restart_at_ = restart_at;
}

void HaNode::Give(const ha::Event& event, Nanos now) {
  if (!IsRunning(now)) return;
  const auto* command = std::get_if<ha::Command>(&event);
  if (command != nullptr && command->kind == ha::Command::Kind::kOnline) told_forced_ = false;
  ha::Actions actions;
  device_->Step(event, Clock(now), actions);
  size_t performed = actions.size();
  bool crashes = !actions.empty() && crash_one_in_ != 0 && chance_.OneIn(crash_one_in_);
  if (crashes) performed = chance_.Below(static_cast<uint32_t>(actions.size()) + 1);
  if (crash_after_ && *crash_after_ <= actions.size() && !actions.empty()) {
    crashes = true;
    performed = *crash_after_;
    crash_after_.reset();
  } else if (crash_after_) {
    *crash_after_ -= static_cast<unsigned>(actions.size());
  }
  for (size_t i = 0; i < performed; ++i)
    Perform(actions[i], now);
  if (crashes) Crash(now, now + chance_.Span(0, 2 * kSecond));
}

void HaNode::Perform(const Action& action, Nanos now) {
  switch (action.kind) {
    case Kind::kSetRole: {
      HaWorker& worker = workers_[action.group - 1U];
      worker.is_active = action.role == config::Role::kActive;
      worker.epoch = action.epoch;
      if (worker.is_active) worker.until = device_->ActiveUntil(action.group);
      break;
    }
    case Kind::kFollow: {
      HaMirror& mirror = mirrors_[action.group - 1U];
      const uint64_t table = action.is_warm ? mirror.table : 0;
      mirror = {.table = table, .follows = action.epoch};
      break;
    }
    case Kind::kMirrorTo:
      mirrors_[action.group - 1U].mirror_to = action.device;
      break;
    case Kind::kFreeze:
      mirrors_[action.group - 1U].drains_to = action.device;
      mirrors_[action.group - 1U].drained_at = now + chance_.Span(100'000, 4 * kMillisecond);
      break;
    case Kind::kUnfreeze:
      mirrors_[action.group - 1U].drains_to = 0;
      break;
    case Kind::kPersist: {
      const Nanos before = writes_.empty() ? now : writes_.back().done_at;
      writes_.push_back(
          {before + chance_.Span(100'000, disk_delay_max_), action.ballot, action.forced_offline});
      break;
    }
    case Kind::kTransition:
      last_transition_ = now;
      journal_.Note(now, "%u group %u: %s -> %s, epoch %u/%u%s: %s", id(), action.group,
                    NameOf(action.from), NameOf(action.to), action.epoch.ballot(),
                    action.epoch.device(), action.epoch.is_planned() ? "p" : "", action.reason);
      break;
    case Kind::kAnswer:
      journal_.Note(now, "%u answers %s: %s", id(), action.is_done ? "done" : "no", action.reason);
      if (action.is_done && device_->forced_offline()) told_forced_ = true;
      break;
    case Kind::kAskLease:
    case Kind::kReleaseLease:
      hooks_.ask_witness(*this, action);
      break;
    case Kind::kDropBacklog:
    case Kind::kAnnounce:
    case Kind::kForwardStrays:
    case Kind::kStopped:
      break;
  }
  hooks_.on_action(*this, action);
}

void HaNode::TurnDisk(Nanos now) {
  while (is_up() && !writes_.empty() && now >= writes_.front().done_at) {
    const Write write = writes_.front();
    writes_.pop_front();
    disk_ballot_ = write.ballot;
    disk_forced_ = write.forced_offline;
    Give(ha::FactsDurable{write.ballot, write.forced_offline}, now);
  }
}

void HaNode::EndTurn(Nanos now) {
  Give(ha::Tick{}, now);
  if (!is_up()) return;
  if (device_->HeartbeatDue(Clock(now))) hooks_.send(*this, device_->MakeHeartbeats(Clock(now)));
  for (unsigned group = 0; group < kHaGroups; ++group)
    workers_[group].until = device_->ActiveUntil(static_cast<ha::TrafficGroupId>(group + 1));
  if (device_->has_stopped()) Crash(now, now + chance_.Span(0, 2 * kSecond));
}

bool HaNode::ForwardsFor(unsigned group, Nanos now) const {
  const HaWorker& worker = workers_[group];
  return IsRunning(now) && worker.is_active && Clock(now) <= worker.until;
}

}  // namespace tandem::sim
