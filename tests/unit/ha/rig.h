// SPDX-License-Identifier: Apache-2.0
//
// One device of a group, and peers that say what a test wants them to say, every interval. The disk
// works at once unless told otherwise.
#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "dataplane/ha/device.h"

namespace tandem::ha {

inline constexpr TrafficGroupId kGroup = 1;
inline constexpr uint64_t kName = 0x77;
inline constexpr uint64_t kOurRun = 0xaaaa;
inline constexpr Nanos kDetection = 50 * kMillisecond;  // of the default settings

inline Settings RigSettings(std::vector<DeviceId> peers = {2}, DeviceId self = 1) {
  Settings settings;
  settings.self = self;
  settings.peers = std::move(peers);
  settings.groups = {{.id = kGroup, .name_hash = kName, .ha_order = {1, 2, 3}}};
  return settings;
}

struct RigPeer {
  bool speaks = false;
  bool hears_us = true;
  bool goodbye = false;
  uint64_t incarnation = 0;
  uint64_t sequence = 0;
  uint32_t ballot = 0;
  uint32_t load = 0;
  GroupSays says;
};

class Rig {
 public:
  explicit Rig(const Settings& settings = RigSettings(), uint32_t ballot = 0, bool forced = false)
      : device(settings, ballot, forced, kOurRun, now, log) {
    for (const DeviceId peer : settings.peers) {
      peers[peer].incarnation = 0xb0U + peer;
      peers[peer].says = {.name_hash = kName, .state = State::kSyncing, .eligible = true};
    }
  }

  void Give(const Event& event) {
    Actions actions;
    device.Step(event, now, actions);
    for (const Action& action : actions) {
      log.push_back(action);
      if (action.kind == Action::Kind::kPersist && disk_works)
        pending_.push_back({action.ballot, action.forced_offline});
    }
    while (!pending_.empty()) {
      const FactsDurable facts = pending_.front();
      pending_.erase(pending_.begin());
      Give(facts);
    }
  }

  // One turn after `span`: peers that are due speak, then a tick, then our heartbeats.
  void Turn(Nanos span = kMillisecond) {
    now += span;
    if (now >= speak_at_) {
      speak_at_ = now + 10 * kMillisecond;
      for (auto& [id, peer] : peers) {
        if (peer.speaks || peer.goodbye) Speak(id);
      }
    }
    Give(Tick{});
    if (!device.HeartbeatDue(now)) return;
    for (const Heartbeat& heartbeat : device.MakeHeartbeats(now))
      sent = heartbeat;
    sent_count += 1;
  }
  void Pass(Nanos span) {
    for (const Nanos end = now + span; now < end;)
      Turn();
  }
  // The process stands still.
  void Stop(Nanos span) {
    now += span;
    speak_at_ = now + 10 * kMillisecond;
  }

  void Speak(DeviceId id) { Give(HeartbeatCame{SaidBy(id, now - sent.stamp), 0}); }
  // What the peer says now; it has kept what was sent to it last for `age`.
  Heartbeat SaidBy(DeviceId id, Nanos age) {
    RigPeer& peer = peers[id];
    Heartbeat heartbeat;
    heartbeat.device = id;
    heartbeat.incarnation = peer.incarnation;
    heartbeat.sequence = ++peer.sequence;
    heartbeat.interval = 10 * kMillisecond;
    heartbeat.multiplier = 5;
    heartbeat.stamp = now + 5 * kSecond;
    heartbeat.goodbye = peer.goodbye;
    heartbeat.ballot = peer.ballot;
    heartbeat.load = peer.load;
    if (peer.hears_us && sent.sequence > 0) {
      heartbeat.heard.push_back({.device = device.settings().self,
                                 .incarnation = kOurRun,
                                 .paths = 1,
                                 .stamp = sent.stamp,
                                 .age = age});
    }
    heartbeat.groups.push_back(peer.says);
    return heartbeat;
  }

  // The peer acts in this epoch, with `next` as its next-active.
  void Acts(DeviceId id, Epoch epoch, DeviceId next) {
    peers[id].speaks = true;
    peers[id].says = {.name_hash = kName,
                      .state = State::kActive,
                      .epoch = epoch,
                      .acts = true,
                      .eligible = true,
                      .next_active = next,
                      .mirror_to = next};
  }
  // The peer is standby, in sync with what we do, or not.
  void Follows(DeviceId id, bool in_sync, uint32_t session = 5) {
    peers[id].speaks = true;
    peers[id].says = {.name_hash = kName,
                      .state = in_sync ? State::kStandby : State::kSyncing,
                      .epoch = group().epoch(),
                      .follows = true,
                      .eligible = true,
                      .in_sync = in_sync,
                      .session = session};
  }

  // Standby of peer 2, which acts; in sync in session 9.
  void BecomeStandby(Epoch epoch = Epoch::Promoted(7, 2), DeviceId next = 1) {
    Acts(2, epoch, next);
    Pass(20 * kMillisecond);
    Give(ShadowSays{kGroup, true, 9, epoch});
    Pass(20 * kMillisecond);
    REQUIRE(state() == State::kStandby);
  }
  // Active, with peer 2 as its next-active in sync.
  void BecomeActive() {
    Pass(device.settings().boot_wait + 10 * kMillisecond);
    REQUIRE(state() == State::kStandalone);
    Follows(2, true);
    Pass(20 * kMillisecond);
    REQUIRE(state() == State::kActive);
  }

  const Group& group() const { return device.groups()[0]; }
  State state() const { return group().state(); }
  bool forwards() const { return now <= device.ActiveUntil(kGroup); }
  size_t Count(Action::Kind kind) const {
    size_t count = 0;
    for (const Action& action : log)
      count += action.kind == kind ? 1 : 0;
    return count;
  }
  const Action* Last(Action::Kind kind) const {
    for (size_t i = log.size(); i > 0; --i) {
      if (log[i - 1].kind == kind) return &log[i - 1];
    }
    return nullptr;
  }
  config::Role role() const { return Last(Action::Kind::kSetRole)->role; }
  std::string answer() const {
    const Action* action = Last(Action::Kind::kAnswer);
    return action == nullptr ? "none"
                             : (action->is_done ? "done: " : "no: ") + std::string(action->reason);
  }
  const GroupSays& said() const { return sent.groups[0]; }

  Nanos now = 100 * kSecond;
  Actions log;
  Device device;
  std::map<DeviceId, RigPeer> peers;
  bool disk_works = true;
  Heartbeat sent;
  size_t sent_count = 0;

 private:
  Nanos speak_at_ = 0;
  std::vector<FactsDurable> pending_;
};

}  // namespace tandem::ha
