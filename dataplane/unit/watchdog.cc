// SPDX-License-Identifier: Apache-2.0
#include "dataplane/unit/watchdog.h"

#include <rte_pause.h>

#include <algorithm>
#include <utility>

namespace tandem::unit {

using ha::Pulse;

Watchdog::Watchdog(WatchedDevice device, const ha::HealthSettings& settings, Takeover& takeover)
    : device_(std::move(device)), takeover_(takeover) {
  Configured(settings);
}

void Watchdog::Turn(Nanos now) {
  if (looked_at_ != 0 && now - looked_at_ < kLookEvery) return;
  looked_at_ = now;
  TakeSettings();
  const std::vector<Pulse>& pulses = health_.settings().pulses;
  for (size_t i = 0; i < pulses.size(); ++i)
    numbers_[i] = NumberOf(pulses[i], numbers_[i]);
  health_.Look(numbers_, now);
  AskAround(now);
  Tell(now);
  Publish();
}

// ---- what is seen -------------------------------------------------------------------------------

uint64_t Watchdog::NumberOf(const Pulse& pulse, uint64_t before) const {
  switch (pulse.kind) {
    case Pulse::Kind::kWorker:
      return device_.workers[pulse.index]->turns.Get();
    case Pulse::Kind::kLink:
      return is_down_[pulse.index].load(std::memory_order_relaxed) ? before : before + 1;
    case Pulse::Kind::kVlan: {
      uint64_t heard_at = before;
      for (const pipeline::WorkerCounters* worker : device_.workers)
        heard_at = std::max(heard_at, worker->heard_at[pulse.index].Get());
      return heard_at;
    }
    case Pulse::Kind::kGateway: {
      const auto interface = static_cast<config::InterfaceId>(pulse.index);
      const flow::NeighbourRef ref = device_.neighbours.Find(interface, pulse.address);
      const bool is_known = ref.index != 0 && device_.neighbours.Read(ref).usable();
      return is_known ? device_.neighbours.ConfirmedAt(ref) : before;
    }
  }
  return before;
}

// ---- who is asked -------------------------------------------------------------------------------

bool Watchdog::IsToBeAsked(size_t pulse, Nanos now) const {
  const Pulse& one = health_.settings().pulses[pulse];
  Nanos every = one.ask_every;
  if (one.kind == Pulse::Kind::kVlan) {
    if (health_.SilentFor(pulse) < one.timeout / 2) return false;
    every = one.timeout / 16;
  }
  return every != 0 && (asked_at_[pulse] == 0 || now - asked_at_[pulse] >= every);
}

void Watchdog::AskAround(Nanos now) {
  const std::vector<Pulse>& pulses = health_.settings().pulses;
  for (size_t i = 0; i < pulses.size(); ++i) {
    if (!IsToBeAsked(i, now)) continue;
    asked_at_[i] = now;
    // Of a VLAN the unset address is all hosts, and its known neighbours.
    Ask(pulses[i], pulses[i].address);
    for (const IpAddress& target : pulses[i].targets)
      Ask(pulses[i], target);
  }
}

// A full ring loses a question; the next one comes.
void Watchdog::Ask(const Pulse& pulse, const IpAddress& address) noexcept {
  neighbour::Message message;
  message.kind = neighbour::Message::Kind::kProbe;
  message.interface = static_cast<config::InterfaceId>(pulse.index);
  message.address = address;
  message.may_create = pulse.kind == Pulse::Kind::kGateway;
  static_cast<void>(device_.exchange.Tell(device_.exchange.workers(), message));
}

// ---- what is told -------------------------------------------------------------------------------

// A new group knows nothing; so what the machine knows is compared, not what it was told.
void Watchdog::Tell(Nanos now) {
  for (size_t i = 0; i < takeover_.groups().size(); ++i) {
    const config::TrafficGroupId id = takeover_.groups()[i].id();
    const char* fault = health_.FaultOf(id, takeover_.groups()[i].acts());
    if (fault != takeover_.groups()[i].fault()) takeover_.Step(ha::FaultSays{id, fault}, now);
    const uint32_t score = health_.ScoreOf(id);
    if (score != takeover_.groups()[i].score()) takeover_.Step(ha::ScoreSays{id, score}, now);
  }
}

void Watchdog::Configured(ha::HealthSettings settings) {
  std::vector<uint64_t> numbers;
  std::vector<Nanos> asked_at;
  const std::vector<Pulse>& known = health_.settings().pulses;
  for (const Pulse& pulse : settings.pulses) {
    const auto before =
        std::ranges::find_if(known, [&](const Pulse& one) { return one.IsSame(pulse); });
    const auto at = static_cast<size_t>(before - known.begin());
    numbers.push_back(before == known.end() ? 0 : numbers_[at]);
    asked_at.push_back(before == known.end() ? 0 : asked_at_[at]);
  }
  numbers_ = std::move(numbers);
  asked_at_ = std::move(asked_at);
  health_.Configure(std::move(settings));
}

void Watchdog::TakeSettings() {
  if (!has_settings_.load(std::memory_order_acquire)) return;
  // While control is at it, the next look takes them.
  const bool is_taken = at_settings_.Try([&] {
    Configured(std::move(settings_));
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
  HealthStatus next{health_.faults(), health_.score_parts()};
  // While somebody looks at them, the next look says it.
  const bool is_shown = at_status_.Try([&] { std::swap(status_, next); });
  static_cast<void>(is_shown);
}

HealthStatus Watchdog::status() const {
  HealthStatus copy;
  while (!at_status_.Try([&] { copy = status_; }))
    rte_pause();
  return copy;
}

}  // namespace tandem::unit
