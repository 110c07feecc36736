// SPDX-License-Identifier: Apache-2.0
//
// Takeover on this device: the traffic groups' state machines, what is heard of the peers, and what
// this device says to them. One object; its driver is the mirror thread, or the simulator:
//
//   for every turn:  for each heartbeat that came: device.Step(HeartbeatCame{…}, now, actions);
//                    what the mirror and control have to say, likewise;
//                    device.Step(Tick{}, now, actions);
//                    perform the actions, in order;
//                    if (device.HeartbeatDue(now)) send all of device.MakeHeartbeats(now) on all paths;
//                    tell workers ActiveUntil of each group.
//
// Pure. Thread safety: none; the mirror thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/base/time.h"
#include "dataplane/ha/detector.h"
#include "dataplane/ha/epoch_store.h"
#include "dataplane/ha/events.h"
#include "dataplane/ha/group.h"
#include "dataplane/ha/heartbeat.h"
#include "dataplane/ha/settings.h"

namespace tandem::ha {

class Device {
 public:
  // `ballot` and `forced_offline`: as the facts file says. `incarnation`: random, not 0. Every group
  // starts silent: `actions` has the roles.
  Device(const Settings& settings, uint32_t ballot, bool forced_offline, uint64_t incarnation,
         Nanos now, Actions& actions);

  // Appends to `actions`. Time that goes backwards stands still.
  void Step(const Event& event, Nanos now, Actions& actions);
  // When Tick is due though nothing else happens.
  Nanos next_tick() const { return next_tick_; }

  bool HeartbeatDue(Nanos now) const { return is_urgent_ || now >= sent_at_ + settings_.interval; }
  // Valid until the next call.
  std::span<const Heartbeat> MakeHeartbeats(Nanos now);

  // Workers forward the group's traffic up to this moment only, whatever role they were told; 0: not at
  // all.
  Nanos ActiveUntil(TrafficGroupId group) const;

  std::span<const Group> groups() const { return groups_; }
  const Group* Find(TrafficGroupId group) const;
  const Detector& detector() const { return detector_; }
  const Settings& settings() const { return settings_; }
  uint64_t incarnation() const { return incarnation_; }
  bool forced_offline() const { return forced_offline_; }
  bool has_stopped() const { return has_stopped_; }
  uint32_t load() const;

 private:
  static constexpr unsigned kGoodbyes = 3;

  Around Surroundings(Actions& actions);
  void SetFence();
  Group* Mutable(TrafficGroupId group);
  void Evaluate(Group& group, Actions& actions);
  void EvaluateAll(Actions& actions);
  void Persist(Actions& actions);
  void FindNextTick(Actions& actions);

  void On(const Tick& tick, Actions& actions);
  void On(const HeartbeatCame& came, Actions& actions);
  void On(const ShadowSays& shadow, Actions& actions);
  void On(const Drained& drained, Actions& actions);
  void On(const FactsDurable& facts, Actions& actions);
  void On(const LeaseAnswered& answer, Actions& actions);
  void On(const FaultSays& fault, Actions& actions);
  void On(const ScoreSays& score, Actions& actions);
  void On(const Command& command, Actions& actions);
  void On(const Reconfigured& reconfigured, Actions& actions);
  void StopWhenQuiet(Actions& actions);

  Settings settings_;
  uint64_t incarnation_;
  Nanos now_;
  BallotReserve ballots_;
  Detector detector_;
  std::vector<Group> groups_;
  Nanos quiet_until_ = 0;
  Nanos next_tick_ = 0;
  bool is_tick_ = false;

  bool is_urgent_ = true;
  Nanos sent_at_;
  Nanos fence_ = 0;  // nobody may act after this without another heartbeat
  uint64_t sequence_ = 0;
  std::vector<Heartbeat> heartbeats_;

  bool forced_offline_;
  bool persisted_forced_;       // what was asked for last
  uint32_t forced_answer_ = 0;  // ticket that waits for the disk
  bool stopping_ = false;
  bool has_stopped_ = false;
  uint32_t stop_answer_ = 0;
  unsigned goodbyes_ = 0;  // said
};

}  // namespace tandem::ha
