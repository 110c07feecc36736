// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/pair_lockstep.h"

#include <algorithm>
#include <array>

#include "tools/bench/cycles.h"

namespace tandem::bench {
namespace {

// What reading the clock adds to a measurement.
Nanos ClockCost() {
  static const Nanos result = [] {
    std::array<Nanos, 1001> costs;
    for (Nanos& cost : costs) {
      const Nanos begin = CpuTime();
      cost = CpuTime() - begin;
    }
    std::nth_element(costs.begin(), costs.begin() + costs.size() / 2, costs.end());
    return costs[costs.size() / 2];
  }();
  return result;
}

}  // namespace

std::span<const std::span<const uint8_t>> Wire::Receive() {
  taken_ = shown_;
  size_t count = 0;
  while (count < kReceivedMax && shown_ < sent_ && frames_[shown_ % kFrames].arrives <= now_) {
    const Frame& frame = frames_[shown_++ % kFrames];
    received_[count++] = std::span(frame.bytes).first(frame.size);
  }
  return std::span(received_).first(count);
}

Lockstep::Lockstep(const PairDeviceOptions& active, const PairDeviceOptions& standby)
    : active_(active), standby_(standby) {}

template <class Turn>
Nanos Lockstep::Measure(Part part, const Turn& turn) {
  const Nanos begin = CpuTime();
  turn();
  const Nanos took = CpuTime() - begin;
  const Nanos cost = took - std::min(took, ClockCost());
  busy_[part] += cost;
  return cost;
}

void Lockstep::Round(std::span<const net::Packet> packets, Nanos least) {
  for (Wire& wire : wires_)
    wire.SetNow(now_);
  const auto to_active = wires_[1].Receive();
  const auto to_standby = wires_[0].Receive();
  const Nanos longest = std::max(
      {least, Measure(kActive, [&] { active_.Turn(packets, now_); }),
       Measure(kActiveMirror, [&] { active_.unit().MirrorTurn(to_active, now_, wires_[0]); }),
       Measure(kStandbyMirror, [&] { standby_.unit().MirrorTurn(to_standby, now_, wires_[1]); }),
       Measure(kStandby, [&] { standby_.Turn({}, now_); })});
  now_ += longest;
}

void Lockstep::Step(Nanos span, std::span<const net::Packet> packets) {
  for (Wire& wire : wires_)
    wire.SetNow(now_);
  active_.Turn(packets, now_);
  active_.unit().MirrorTurn(wires_[1].Receive(), now_, wires_[0]);
  standby_.unit().MirrorTurn(wires_[0].Receive(), now_, wires_[1]);
  standby_.Turn({}, now_);
  now_ += span;
}

}  // namespace tandem::bench
