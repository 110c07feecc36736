// SPDX-License-Identifier: Apache-2.0
#include "dataplane/unit/watchdog.h"

#include <rte_pause.h>

#include <utility>

namespace tandem::unit {

Watchdog::Watchdog(WatchedDevice device, const ha::HealthSettings& settings, Takeover& takeover)
    : device_(std::move(device)), takeover_(takeover) {
  health_.Configure(settings);
  turns_.resize(device_.workers.size());
}

void Watchdog::Turn(Nanos now) {
  if (looked_at_ != 0 && now - looked_at_ < kLookEvery) return;
  looked_at_ = now;
  TakeSettings();
  for (size_t i = 0; i < turns_.size(); ++i)
    turns_[i] = device_.workers[i]->turns.Get();
  health_.Look({.worker_turns = turns_}, now);
  TellFaults(now);
  Publish();
}

// The machine has a new group without a fault; so what it knows is compared, not what it was told.
void Watchdog::TellFaults(Nanos now) {
  for (size_t i = 0; i < takeover_.groups().size(); ++i) {
    const ha::Group& group = takeover_.groups()[i];
    const char* fault = health_.FaultOf(group.id(), group.acts());
    if (fault != group.fault()) takeover_.Step(ha::FaultSays{group.id(), fault}, now);
  }
}

void Watchdog::TakeSettings() {
  if (!has_settings_.load(std::memory_order_acquire)) return;
  // While control is at it, the next look takes them.
  const bool is_taken = at_settings_.Try([&] {
    health_.Configure(settings_);
    has_settings_.store(false, std::memory_order_relaxed);
  });
  static_cast<void>(is_taken);
}

void Watchdog::Configure(ha::HealthSettings settings) {
  while (!at_settings_.Try([&] {
    settings_ = std::move(settings);
    has_settings_.store(true, std::memory_order_release);
  })) {
    rte_pause();
  }
}

void Watchdog::Publish() {
  std::vector<ha::Fault> next = health_.faults();
  // While somebody looks at them, the next look says it.
  const bool is_shown = at_faults_.Try([&] { faults_.swap(next); });
  static_cast<void>(is_shown);
}

std::vector<ha::Fault> Watchdog::faults() const {
  std::vector<ha::Fault> copy;
  while (!at_faults_.Try([&] { copy = faults_; }))
    rte_pause();
  return copy;
}

}  // namespace tandem::unit
