// SPDX-License-Identifier: Apache-2.0
//
// Looks at this device, every few milliseconds, for what would make it unfit (ha/health.h), and tells the
// takeover machine: a traffic group moves though the device, and its heartbeats, live.
//
// Thread safety: Turn by the mirror thread, before Takeover::Turn; Configure and faults by control.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "dataplane/base/one_at_a_time.h"
#include "dataplane/ha/health.h"
#include "dataplane/pipeline/counters.h"
#include "dataplane/unit/takeover.h"

namespace tandem::unit {

// What it looks at; outlives it.
struct WatchedDevice {
  std::vector<const pipeline::WorkerCounters*> workers;
};

class Watchdog {
 public:
  static constexpr Nanos kLookEvery = 5 * kMillisecond;

  Watchdog(WatchedDevice device, const ha::HealthSettings& settings, Takeover& takeover);

  // ---- mirror thread
  void Turn(Nanos now);

  // ---- control
  // From the next look on.
  void Configure(ha::HealthSettings settings);
  // A consistent copy, as of the last look.
  std::vector<ha::Fault> faults() const;

 private:
  void TakeSettings();
  void TellFaults(Nanos now);
  void Publish();

  WatchedDevice device_;
  Takeover& takeover_;
  ha::Health health_;
  Nanos looked_at_ = 0;
  std::vector<uint64_t> turns_;  // by worker

  OneAtATime at_settings_;
  ha::HealthSettings settings_;
  std::atomic<bool> has_settings_{false};
  mutable OneAtATime at_faults_;
  std::vector<ha::Fault> faults_;
};

}  // namespace tandem::unit
