// SPDX-License-Identifier: Apache-2.0
//
// Looks at this device, every few milliseconds, for what would make it unfit (ha/health.h), and tells the
// takeover machine: a traffic group moves though the device, and its heartbeats, live.
//
// A worker's pulse are its turns; a link's, that io says it is up (SetLinkUp); a VLAN's, the stamps of what
// its workers receive there; a gateway's, the stamp of its neighbour entry. Who has to be asked for a
// sign of life is asked by worker 0, for ARP and neighbour discovery are its business.
//
// Thread safety: Turn by the mirror thread, before Takeover::Turn; SetLinkUp by any; the rest by control.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "dataplane/base/limits.h"
#include "dataplane/base/one_at_a_time.h"
#include "dataplane/ha/health.h"
#include "dataplane/neighbour/table.h"
#include "dataplane/pipeline/counters.h"
#include "dataplane/pipeline/exchange.h"
#include "dataplane/unit/takeover.h"

namespace tandem::unit {

// What it looks at; outlives it.
struct WatchedDevice {
  std::vector<const pipeline::WorkerCounters*> workers;
  const neighbour::Table& neighbours;
  pipeline::Exchange& exchange;
};

// For people.
struct HealthStatus {
  std::vector<ha::Fault> faults;
  std::vector<ha::ScorePart> score_parts;
};

class Watchdog {
 public:
  static constexpr Nanos kLookEvery = 5 * kMillisecond;

  Watchdog(WatchedDevice device, const ha::HealthSettings& settings, Takeover& takeover);

  // ---- mirror thread
  void Turn(Nanos now);

  // ---- any thread
  void SetLinkUp(uint16_t port, bool is_up) noexcept {
    is_down_[port].store(!is_up, std::memory_order_relaxed);
  }

  // ---- control
  // From the next look on.
  void Configure(ha::HealthSettings settings);
  // A consistent copy, as of the last look.
  HealthStatus status() const;

 private:
  void Configured(ha::HealthSettings settings);
  void TakeSettings();
  uint64_t NumberOf(const ha::Pulse& pulse, uint64_t before) const;
  void AskAround(Nanos now);
  bool IsToBeAsked(size_t pulse, Nanos now) const;
  void Ask(const ha::Pulse& pulse, const IpAddress& address) noexcept;
  void Tell(Nanos now);
  void Publish();

  WatchedDevice device_;
  Takeover& takeover_;
  std::array<std::atomic<bool>, kPortsMax> is_down_{};
  ha::Health health_;
  Nanos looked_at_ = 0;
  std::vector<uint64_t> numbers_;  // by pulse
  std::vector<Nanos> asked_at_;    // by pulse; 0: never

  OneAtATime at_settings_;
  ha::HealthSettings settings_;
  std::atomic<bool> has_settings_{false};
  mutable OneAtATime at_status_;
  HealthStatus status_;
};

}  // namespace tandem::unit
