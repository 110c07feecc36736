// SPDX-License-Identifier: Apache-2.0
//
// Whether this device itself is fit to have its traffic groups. What is looked at are pulses: workers,
// ports, VLANs and gateways that show now and again that they are well. Rules make faults of those that
// have been silent for too long (events.h, FaultSays), scores count those that are not (ScoreSays).
//
// Time counts only as far as the caller was there to look: a look that comes late counts for kStepMax. So
// a thread, or a process, that stood still does not take its own absence for somebody else's fault.
//
// Who does not act for a group is judged more severely than who does, so that what ails two devices alike
// moves nothing: where an answer may come late, after three quarters of the time; and a fault that is over
// lasts kRecovery longer.
//
// Pure. Thread safety: none; the mirror thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dataplane/base/ip_address.h"
#include "dataplane/base/time.h"
#include "dataplane/config/ids.h"

namespace tandem::ha {

// Something that is well as long as its number changes.
struct Pulse {
  enum class Kind : uint8_t {
    kWorker,   // turns of worker `index`
    kLink,     // changes while the link of port `index` is up
    kVlan,     // when something last came from VLAN `index`
    kGateway,  // when `address` on VLAN `index` last answered
  };
  Kind kind = Kind::kWorker;
  uint32_t index = 0;
  IpAddress address;
  Nanos timeout = 0;    // after so long a silence it is not well
  Nanos ask_every = 0;  // kGateway
  // kVlan: who is asked when it has been silent for half of the timeout, beside all hosts and those known.
  std::vector<IpAddress> targets;

  bool IsSame(const Pulse& other) const {
    return kind == other.kind && index == other.index && address == other.address;
  }
};

struct Fault {
  enum class Kind : uint8_t {
    kWorkerStall,  // subject: the worker
    kLinkDown,     // the port
    kVlanSilent,   // the VLAN
    kGatewayDown,  // the traffic group
  };
  Kind kind = Kind::kWorkerStall;
  uint32_t subject = 0;
  config::TrafficGroupId group = 0;  // 0: of all
  bool is_over = false;              // but for kRecovery
  Nanos lasts = 0;                   // so long already it is there, or is over
};

// For the operator; a literal.
const char* TextOf(Fault::Kind kind);

// A fault while fewer than `minimum` of some pulses are well.
struct Rule {
  Fault::Kind kind = Fault::Kind::kWorkerStall;
  uint32_t subject = 0;
  config::TrafficGroupId group = 0;
  std::vector<uint32_t> pulses;  // their places in HealthSettings
  uint32_t minimum = 1;
};

// A part of a group's score: what is up, of pulses, or as the configuration has it.
struct ScorePart {
  config::TrafficGroupId group = 0;
  std::string name;  // for people
  uint32_t weight = 0;
  uint32_t needed = 0;           // with fewer up it counts as nothing
  std::vector<uint32_t> pulses;  // empty: `up` of `total`
  uint32_t up = 0;
  uint32_t total = 0;
};

struct HealthSettings {
  std::vector<Pulse> pulses;
  std::vector<Rule> rules;
  std::vector<ScorePart> score_parts;
};

class Health {
 public:
  static constexpr Nanos kStepMax = 50 * kMillisecond;
  static constexpr Nanos kRecovery = 2 * kSecond;

  // What is new is well to begin with; what was there before goes on.
  void Configure(HealthSettings settings);
  const HealthSettings& settings() const { return settings_; }

  // The number of each pulse. A worker's 0: it has not begun.
  void Look(std::span<const uint64_t> numbers, Nanos now);

  Nanos SilentFor(size_t pulse) const { return lived_ - beats_[pulse].at; }
  // nullptr: none. `acts`: this device does, for the group.
  const char* FaultOf(config::TrafficGroupId group, bool acts) const;
  std::vector<Fault> faults() const;
  uint32_t ScoreOf(config::TrafficGroupId group) const;
  // The parts with `up` and `total` of now.
  std::vector<ScorePart> score_parts() const;

 private:
  struct Beat {
    uint64_t number = 0;
    Nanos at = 0;
  };
  // Of a rule, as one that acts is judged, and as one that does not.
  struct Verdict {
    bool is_well = true;
    bool has_been_ill = false;
    Nanos since = 0;  // it is as it is
  };
  struct Judged {
    Verdict acting;
    Verdict waiting;
  };

  bool IsWell(uint32_t pulse, bool acts) const;
  void Judge(const Rule& rule, bool acts, Verdict& verdict) const;
  bool IsRecovering(const Verdict& waiting) const;
  ScorePart Now(const ScorePart& part) const;

  HealthSettings settings_;
  Nanos looked_at_ = 0;         // 0: never
  Nanos lived_ = 0;             // all times but looked_at_ are in this
  std::vector<Beat> beats_;     // by pulse
  std::vector<Judged> judged_;  // by rule
};

}  // namespace tandem::ha
