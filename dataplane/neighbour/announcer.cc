// SPDX-License-Identifier: Apache-2.0
#include "dataplane/neighbour/announcer.h"

#include <algorithm>

namespace tandem::neighbour {

void Announcer::FollowChange(const config::Snapshot& snapshot, const config::Roles& roles,
                             Nanos now) noexcept {
  const bool is_other = snapshot.generation != generation_;
  for (size_t group = 1; group < runs_.size(); ++group) {
    const auto id = static_cast<config::TrafficGroupId>(group);
    const bool exists =
        group < snapshot.traffic_groups.size() && snapshot.traffic_groups[group].id != 0;
    Run& run = runs_[group];
    const bool was_active = run.is_active;
    run.is_active = exists && !roles.IsSilent(id);
    if (!run.is_active) {
      run.round = kRounds.size();
      run.due = kNever;
    } else if (!was_active) {
      Begin(run, 0, now);
    } else if (is_other) {
      run.next = 0;  // in another list
      if (snapshot.announcements.NewestOf(id) > generation_) {
        Begin(run, generation_ + 1, now);
      } else if (run.round == kRounds.size()) {
        EndRound(run, snapshot.traffic_groups[group].announce_refresh, now);
        due_ = std::min(due_, run.due);
      }
    }
  }
  roles_changes_ = roles.changes();
  generation_ = snapshot.generation;
}

void Announcer::FollowAsked(size_t word, Nanos now) noexcept {
  const uint64_t asked = asked_[word].exchange(0, std::memory_order_acquire);
  for (size_t bit = 0; bit < 64; ++bit) {
    const size_t group = word * 64 + bit;
    if ((asked >> bit & 1) != 0 && runs_[group].is_active) Begin(runs_[group], 0, now);
  }
}

void Announcer::Begin(Run& run, uint64_t since, Nanos now) noexcept {
  run.since = run.round < kRounds.size() ? std::min(run.since, since) : since;
  run.round = 0;
  run.next = 0;
  run.began = run.due = now;
  due_ = std::min(due_, now);
}

void Announcer::EndRound(Run& run, Nanos refresh, Nanos now) noexcept {
  run.next = 0;
  if (run.round < kRounds.size()) ++run.round;
  if (run.round < kRounds.size()) {
    run.due = run.began + kRounds[run.round];
  } else {
    run.since = 0;
    run.due = refresh != 0 ? now + refresh : kNever;
  }
}

void Announcer::BeginStep() noexcept {
  due_ = kNever;
  position_ = 0;
  served_ = kNobody;
  frames_left_ = kFramesPerStep;
  looks_left_ = kLooksPerStep;
}

bool Announcer::Next(const config::Snapshot& snapshot, Nanos now, Notice& notice) noexcept {
  for (; position_ < kTrafficGroupsMax && frames_left_ > 0 && looks_left_ > 0; ++position_) {
    Run& run = RunAt(position_);
    if (run.due <= now) {
      const auto group = static_cast<config::TrafficGroupId>(&run - runs_.data());
      if (MaySend(snapshot, group, run, now)) {
        notice = {group, snapshot.announcements.Of(group)[run.next]};
        return true;
      }
    }
    due_ = std::min(due_, run.due);
  }
  return false;
}

// False: nothing of the group now; its `due` says when.
bool Announcer::MaySend(const config::Snapshot& snapshot, config::TrafficGroupId group, Run& run,
                        Nanos now) noexcept {
  const auto list = snapshot.announcements.Of(group);
  for (; run.next < list.size() && looks_left_ > 0; ++run.next, --looks_left_) {
    if (list[run.next].since >= run.since) {
      return paid_until_[list[run.next].interface] <= now + kBurst;
    }
  }
  if (run.next >= list.size()) {
    EndRound(run, snapshot.traffic_groups[group].announce_refresh, now);
  }
  return false;
}

void Announcer::Sent(const config::Snapshot& snapshot, const Notice& notice, Nanos now) noexcept {
  Nanos& paid_until = paid_until_[notice.what.interface];
  paid_until = std::max(paid_until, now) + kSecond / snapshot.announce_rate_max;
  ++runs_[notice.group].next;
  --frames_left_;
  if (served_ == kNobody) served_ = position_;
}

void Announcer::EndStep(Nanos now) noexcept {
  // Those not looked at are as likely to have something to say.
  if (position_ < kTrafficGroupsMax) due_ = now;
  if (served_ != kNobody) first_ = (first_ + served_ + 1) % kTrafficGroupsMax;
  due_ = std::max(due_, now + kStep);
}

}  // namespace tandem::neighbour
