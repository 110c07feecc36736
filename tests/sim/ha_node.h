// SPDX-License-Identifier: Apache-2.0
//
// A device of the takeover world: the real ha::Device with everything around it that may go wrong. A
// clock of its own, a disk that is slow, pauses, crashes in the middle of a list of actions; workers,
// who know only the role they were told and until when; and a mirror that is no more than a number per
// group: the last write that the table has.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/ha/device.h"
#include "dataplane/ha/lease.h"
#include "tests/sim/chance.h"
#include "tests/sim/journal.h"

namespace tandem::sim {

inline constexpr unsigned kHaGroups = 2;

struct HaWorker {
  bool is_active = false;
  ha::Epoch epoch;
  Nanos until = 0;  // by the device's clock
};

// The mirror of one group, on one device.
struct HaMirror {
  uint64_t table = 0;  // its last write; 0: empty
  ha::Epoch follows;
  bool in_sync = false;
  uint32_t session = 0;
  Nanos sync_at = 0;  // 0: is not syncing
  ha::DeviceId mirror_to = 0;
  ha::DeviceId drains_to = 0;  // 0: not frozen
  Nanos drained_at = 0;
};

class HaNode {
 public:
  // What the world wants to know at once.
  struct Hooks {
    std::function<void(HaNode&, const ha::Action&)> on_action;
    std::function<void(HaNode&, std::span<const ha::Heartbeat>)> send;
    std::function<void(HaNode&, const ha::Action&)> ask_witness;
  };

  HaNode(const ha::Settings& settings, Chance& chance, Journal& journal, Hooks hooks);

  // Of the world's time. Rates differ by `ppm`.
  Nanos Clock(Nanos now) const;
  void SetClock(Nanos offset, int ppm) {
    offset_ = offset;
    ppm_ = ppm;
  }
  void JumpClock(Nanos span) { offset_ += span; }

  void Boot(Nanos now);
  void Crash(Nanos now, Nanos restart_at);
  void Pause(Nanos until) { paused_until_ = until; }
  void Wake() { paused_until_ = 0; }
  bool is_up() const { return device_ != nullptr; }
  bool IsRunning(Nanos now) const { return is_up() && now >= paused_until_; }
  Nanos restart_at() const { return restart_at_; }
  void RestartAt(Nanos at) { restart_at_ = at; }

  // Gives the device an event and performs what it wants. It may crash in the middle.
  void Give(const ha::Event& event, Nanos now);
  void EndTurn(Nanos now);
  // Facts that reached the disk.
  void TurnDisk(Nanos now);
  void SetDisk(Nanos delay_max) { disk_delay_max_ = delay_max; }
  // After so many more actions; once.
  void CrashAfter(unsigned actions) { crash_after_ = actions; }
  // One of so many lists of actions ends in a crash; 0: none.
  void SetCrashOneIn(uint32_t n) { crash_one_in_ = n; }

  // What its workers do at this moment.
  bool ForwardsFor(unsigned group, Nanos now) const;

  ha::DeviceId id() const { return settings_.self; }
  ha::Device& device() { return *device_; }
  const ha::Device& device() const { return *device_; }
  ha::Settings& settings() { return settings_; }
  const ha::Group& group(unsigned group) const { return device_->groups()[group]; }
  HaWorker& worker(unsigned group) { return workers_[group]; }
  HaMirror& mirror(unsigned group) { return mirrors_[group]; }
  bool forced_on_disk() const { return disk_forced_; }
  bool was_told_forced() const { return told_forced_; }
  uint64_t incarnation() const { return incarnation_; }
  Nanos booted_at() const { return booted_at_; }
  Nanos ran_since() const { return ran_since_; }
  void RanSince(Nanos at) { ran_since_ = at; }
  Nanos last_transition() const { return last_transition_; }

 private:
  struct Write {
    Nanos done_at = 0;
    uint32_t ballot = 0;
    bool forced_offline = false;
  };

  void Perform(const ha::Action& action, Nanos now);

  ha::Settings settings_;
  Chance& chance_;
  Journal& journal_;
  Hooks hooks_;
  std::unique_ptr<ha::Device> device_;
  uint64_t incarnation_ = 0;
  Nanos offset_ = 0;
  int ppm_ = 0;
  Nanos paused_until_ = 0;
  Nanos restart_at_ = 0;
  Nanos booted_at_ = 0;
  Nanos ran_since_ = 0;
  Nanos last_transition_ = 0;
  uint32_t crash_one_in_ = 0;
  std::optional<unsigned> crash_after_;
  Nanos disk_delay_max_ = 20 * kMillisecond;
  std::deque<Write> writes_;
  uint32_t disk_ballot_ = 0;
  bool disk_forced_ = false;
  bool told_forced_ = false;  // the operator was told that it is forced offline
  std::array<HaWorker, kHaGroups> workers_;
  std::array<HaMirror, kHaGroups> mirrors_;
};

}  // namespace tandem::sim
