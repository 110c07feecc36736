// SPDX-License-Identifier: Apache-2.0
//
// Whether this device itself is fit to have its traffic groups: what is seen of it, look by look, becomes
// the faults that the machine is told of (events.h, FaultSays).
//
// Time counts only as far as the caller was there to look: a look that comes late counts for kStepMax. So
// a thread, or a process, that stood still does not take its own absence for somebody else's fault.
//
// A fault of a device that acts is over with what caused it. On one that does not act it lasts kRecovery
// longer: what comes and goes moves a group once, not to and fro, and when a common fault of two devices
// ends, the one that acts is well first.
//
// Pure. Thread safety: none; the mirror thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/base/time.h"
#include "dataplane/config/ids.h"

namespace tandem::ha {

struct HealthSettings {
  // After so long without a turn a worker stands still; 0: nobody looks.
  Nanos worker_stall = 0;
};

// What is seen at one look.
struct Vitals {
  std::span<const uint64_t> worker_turns;  // so far, by worker; 0: it has not begun
};

struct Fault {
  enum class Kind : uint8_t {
    kWorkerStall,  // subject: the worker
  };
  Kind kind = Kind::kWorkerStall;
  uint32_t subject = 0;
  config::TrafficGroupId group = 0;  // 0: of all
  bool is_over = false;              // but for kRecovery
  Nanos lasts = 0;                   // so long already it is there, or is over
};

// For the operator; a literal.
const char* TextOf(Fault::Kind kind);

class Health {
 public:
  static constexpr Nanos kStepMax = 50 * kMillisecond;
  static constexpr Nanos kRecovery = 2 * kSecond;

  // Begins as if all were well.
  void Configure(const HealthSettings& settings);
  void Look(const Vitals& vitals, Nanos now);

  // nullptr: none. `acts`: this device does, for the group.
  const char* FaultOf(config::TrafficGroupId group, bool acts) const;
  std::vector<Fault> faults() const;

 private:
  // One thing that is well or is not.
  struct Watch {
    Fault::Kind kind = Fault::Kind::kWorkerStall;
    uint32_t subject = 0;
    config::TrafficGroupId group = 0;
    bool is_well = true;
    bool has_been_ill = false;
    Nanos since = 0;  // it is as it is
  };
  struct Worker {
    uint64_t turns = 0;
    Nanos turned_at = 0;
  };

  void LookAtWorkers(std::span<const uint64_t> turns);
  void Note(Watch& watch, bool is_well) const;
  bool IsFault(const Watch& watch, bool acts) const;

  HealthSettings settings_;
  Nanos looked_at_ = 0;  // 0: never
  Nanos lived_ = 0;      // all times but looked_at_ are in this
  std::vector<Worker> workers_;
  std::vector<Watch> watches_;  // of workers, in their order
};

}  // namespace tandem::ha
