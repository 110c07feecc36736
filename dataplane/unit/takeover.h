// SPDX-License-Identifier: Apache-2.0
//
// Drives the takeover machine (dataplane/ha): brings it what the mirror hears and knows, performs what it
// decides on the roles, the mirror's sessions and the announcements of this device, and hands the rest
// (facts for the disk, transitions, answers) to control.
//
// One turn, between the two steps of the endpoint's:
//
//   control's events, how far the shadows are, what is drained, the witness, the time  ->  Device::Step
//   actions: roles and fence first, as the workers have to know them before anything is sent
//   heartbeats, when they are due
//
// The machine decides for the groups of its settings alone; roles of others are the configuration's.
//
// Thread safety: Turn and OnHeartbeat by the mirror thread; Post, Take and status by control.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "dataplane/base/counter.h"
#include "dataplane/base/one_at_a_time.h"
#include "dataplane/config/roles.h"
#include "dataplane/ha/device.h"
#include "dataplane/mirror/link.h"
#include "dataplane/neighbour/announcer.h"
#include "dataplane/pipeline/hand_over.h"
#include "dataplane/unit/mirroring.h"
#include "dataplane/witness/link.h"

namespace tandem::unit {

struct TakeoverOptions {
  ha::Settings settings;
  // As the facts file says (ha/epoch_store.h).
  uint32_t ballot = 0;
  bool forced_offline = false;
  uint64_t incarnation = 0;  // random, not 0
  // The way to the witness; outlives the machine. REQUIRES: there is one if settings.witness.
  witness::Path* witness = nullptr;
  mirror::PresharedKey witness_key{};
};

// For people. A copy: see Takeover::status.
struct TakeoverStatus {
  struct Group {
    config::TrafficGroupId id = 0;
    ha::State state = ha::State::kOffline;
    Nanos since = 0;
    const char* reason = "";
    ha::Epoch epoch;
    ha::DeviceId active = 0;       // 0: nobody that this device knows of
    ha::DeviceId next_active = 0;  // as the active device says
    const char* fault = nullptr;
    bool has_score = false;
    uint32_t score = 0;     // of this device, without the bonus
    Nanos lease_until = 0;  // of the witness; over, or never held, when that is not ahead
  };
  struct Peer {
    ha::DeviceId device = 0;
    bool is_alive = false;
    bool said_goodbye = false;
    uint32_t paths = 0;     // bit i: heard on path i
    uint32_t heard_on = 0;  // bit i: it hears this device there
    Nanos heard_at = 0;     // 0: never
    Nanos round_trip = 0;
    Nanos detection = 0;
    std::vector<std::pair<uint64_t, ha::State>> groups;  // by name hash
  };
  ha::DeviceId self = 0;
  bool forced_offline = false;
  uint64_t incarnation = 0;
  uint64_t stalls = 0;
  std::vector<Group> groups;
  std::vector<Peer> peers;
  std::optional<witness::LinkStatus> witness;  // where there is one
};

class Takeover {
 public:
  // All that is referred to outlives this.
  Takeover(const TakeoverOptions& options, Nanos now, config::Roles& roles, Mirroring& mirroring,
           neighbour::Announcer& announcer, pipeline::Successors& successors);
  ~Takeover();

  // ---- mirror thread
  void OnHeartbeat(std::string_view bytes, unsigned path, Nanos now);
  void Turn(Nanos now, mirror::FrameSink& sink);
  // What else the machine has to know, at once.
  void Step(const ha::Event& event, Nanos now);
  std::span<const ha::Group> groups() const { return device_->groups(); }

  // ---- control
  // In order; each is looked at in the next turn.
  void Post(ha::Event event);
  // The pre-shared key is another one.
  void SetWitnessKey(const mirror::PresharedKey& key);
  // What there is for control to do since the last call, in order.
  ha::Actions Take();
  // A consistent copy, some milliseconds old at most.
  std::shared_ptr<const TakeoverStatus> status() const;
  const Counter& bad_heartbeats() const { return bad_heartbeats_; }

 private:
  static constexpr Nanos kPublishEvery = 20 * kMillisecond;
  static constexpr Nanos kLookEvery = 200'000;  // at the mirror

  // What the machine was told of a group last, and what the mirror is to be told.
  struct Told {
    bool in_sync = false;
    uint32_t session = 0;
    ha::Epoch epoch;
    ha::Epoch duty;  // to write in, or to follow
    bool is_decided = false;
  };

  void TakeEvents(Nanos now);
  void SayShadows(Nanos now);
  void SayDrained(Nanos now);
  void HearWitness(Nanos now);
  void AskWitness(const ha::Action& action);
  void Perform();
  void Perform(const ha::Action& action);
  void SetFence();
  void SetDuties();
  void SendHeartbeats(Nanos now, mirror::FrameSink& sink);
  void HandOver();
  void Publish(Nanos now);

  config::Roles& roles_;
  Mirroring& mirroring_;
  neighbour::Announcer& announcer_;
  pipeline::Successors& successors_;
  std::unique_ptr<witness::Link> witness_;  // nullptr: there is none
  std::unique_ptr<ha::Device> device_;
  std::vector<Told> told_;  // by group
  ha::Actions actions_;
  ha::Actions for_control_;  // not handed over yet
  std::vector<uint8_t> body_;
  Nanos looked_at_ = 0;
  bool duties_changed_ = true;
  Nanos published_at_ = 0;
  bool status_changed_ = true;
  Counter bad_heartbeats_;

  OneAtATime at_events_;
  std::vector<ha::Event> events_;
  std::optional<mirror::PresharedKey> witness_key_;
  std::atomic<bool> has_events_{false};
  OneAtATime at_actions_;
  ha::Actions handed_over_;
  mutable OneAtATime at_status_;
  std::shared_ptr<const TakeoverStatus> status_;
};

}  // namespace tandem::unit
