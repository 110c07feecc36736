// SPDX-License-Identifier: Apache-2.0
//
// Says when which floating address is announced (gratuitous ARP, RFC 5227 section 3; unsolicited
// neighbour advertisement, RFC 4861 section 7.2.6): all of a traffic group's, five times in two
// seconds, when this device becomes active for it or somebody asks; those that are new, when the
// configuration brings them; and once in a while where the group wants that. A group that is not
// active any more says nothing more.
//
// Paced: each interface at Snapshot::announce_rate_max, kFramesPerStep a millisecond in all. A round
// that takes longer than the time to the next delays that.
//
// Thread safety: worker 0 only, but for Ask.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "dataplane/base/limits.h"
#include "dataplane/base/time.h"
#include "dataplane/config/roles.h"
#include "dataplane/config/snapshot.h"

namespace tandem::neighbour {

// An announcement to send now.
struct Notice {
  config::TrafficGroupId group = 0;
  config::Announcement what;
};

class Announcer {
 public:
  // When each round begins, after the first.
  static constexpr std::array<Nanos, 5> kRounds = {0, 50 * kMillisecond, 100 * kMillisecond,
                                                   500 * kMillisecond, 2000 * kMillisecond};
  static constexpr Nanos kStep = kMillisecond;
  static constexpr unsigned kFramesPerStep = 32;
  static constexpr unsigned kLooksPerStep = 1024;  // announcements that may be passed over
  // What an interface may send in one go.
  static constexpr Nanos kBurst = kMillisecond;

  // Any thread: the group's addresses are to be announced, if this device is active for it.
  void Ask(config::TrafficGroupId group) noexcept {
    asked_[group / 64].fetch_or(uint64_t{1} << group % 64, std::memory_order_release);
  }

  // Once a turn: takes in what changed since the last call.
  void Follow(const config::Snapshot& snapshot, const config::Roles& roles, Nanos now) noexcept {
    if (roles.changes() != roles_changes_ || snapshot.generation != generation_) {
      FollowChange(snapshot, roles, now);
    }
    for (size_t word = 0; word < asked_.size(); ++word) {
      if (asked_[word].load(std::memory_order_relaxed) != 0) FollowAsked(word, now);
    }
  }

  bool IsDue(Nanos now) const noexcept { return now >= due_; }

  // Calls `send(Notice)` for what is to be sent now; false: there is no room any more, it is tried
  // again a step later. REQUIRES: Follow before, of the same snapshot.
  template <class Send>
  void Advance(const config::Snapshot& snapshot, Nanos now, Send&& send) noexcept {
    BeginStep();
    Notice notice;
    while (Next(snapshot, now, notice) && send(notice))
      Sent(snapshot, notice, now);
    EndStep(now);
  }

 private:
  static constexpr Nanos kNever = UINT64_MAX;

  // A group's announcements under way.
  struct Run {
    bool is_active = false;
    uint8_t round = kRounds.size();  // kRounds.size(): none, but for refreshes
    size_t next = 0;                 // in the group's list
    uint64_t since = 0;              // what came before is passed over
    Nanos began = 0;
    Nanos due = kNever;  // of the round
  };

  void FollowChange(const config::Snapshot& snapshot, const config::Roles& roles,
                    Nanos now) noexcept;
  void FollowAsked(size_t word, Nanos now) noexcept;
  void Begin(Run& run, uint64_t since, Nanos now) noexcept;
  void EndRound(Run& run, Nanos refresh, Nanos now) noexcept;

  void BeginStep() noexcept;
  bool Next(const config::Snapshot& snapshot, Nanos now, Notice& notice) noexcept;
  bool MaySend(const config::Snapshot& snapshot, config::TrafficGroupId group, Run& run,
               Nanos now) noexcept;
  void Sent(const config::Snapshot& snapshot, const Notice& notice, Nanos now) noexcept;
  void EndStep(Nanos now) noexcept;
  Run& RunAt(unsigned position) noexcept {
    return runs_[1 + (first_ + position) % kTrafficGroupsMax];
  }

  std::array<Run, kTrafficGroupsMax + 1> runs_;  // by group
  // When an interface has sent what it was allowed to so far.
  std::array<Nanos, kInterfacesMax + 1> paid_until_{};
  Nanos due_ = kNever;  // of the next step
  uint32_t roles_changes_ = UINT32_MAX;
  uint64_t generation_ = 0;

  // Of the step. The next one begins behind the first group that had a turn in this.
  static constexpr unsigned kNobody = kTrafficGroupsMax;
  unsigned first_ = 0;
  unsigned position_ = 0;
  unsigned served_ = kNobody;
  unsigned frames_left_ = 0;
  unsigned looks_left_ = 0;

  std::array<std::atomic<uint64_t>, kTrafficGroupsMax / 64 + 1> asked_{};  // a bit a group
};

}  // namespace tandem::neighbour
