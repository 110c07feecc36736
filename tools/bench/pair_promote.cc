// SPDX-License-Identifier: Apache-2.0
//
// Promotion alone: from the word that this device is active to the first packet that it forwards, with few
// and with many flows in the shadow. Nothing may walk them before.
#include <netinet/in.h>
#include <rte_tcp.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "dataplane/base/prng.h"
#include "tools/bench/cycles.h"
#include "tools/bench/pair_device.h"
#include "tools/bench/pair_scenarios.h"

namespace tandem::bench {
namespace {

constexpr size_t kRepeats = 101;
constexpr Nanos kTurn = 50'000;
constexpr unsigned kTurnsMax = 64;
constexpr unsigned kFlowsPerTurn = 64;  // at least, of the walk that follows a change of roles

// Until every flow is what the role makes of it.
void Settle(PairDevice& device, uint32_t flows, Nanos& now) {
  for (uint32_t i = 0; i < flows / kFlowsPerTurn + kTurnsMax; ++i)
    device.Turn({}, now += kTurn);
}

// Microseconds; negative: nothing was forwarded.
double Promote(PairDevice& device, uint32_t flow, Nanos& now) {
  FrameRing ring;
  const uint64_t before = device.forwarded();
  uint64_t cycles = 0;
  device.unit().SetRole(kGroup, config::Role::kActive);
  for (unsigned turn = 0; turn < kTurnsMax; ++turn) {
    device.traffic().MakePacket(ring, 0, flow, flow::Side::kClient, RTE_TCP_ACK_FLAG);
    cycles += device.Turn(ring.packets().first(1), now += kTurn);
    if (device.forwarded() != before) return static_cast<double>(cycles) * NanosPerCycle() / 1000;
  }
  return -1;
}

void Measure(uint32_t flows) {
  Nanos now = kSecond;
  PairDevice device({.protocol = IPPROTO_TCP, .capacity = std::max(flows * 2, 8192U)});
  device.Establish(flows, now);
  Prng prng(flows);
  std::vector<double> times;
  for (size_t i = 0; i < kRepeats; ++i) {
    device.unit().SetRole(kGroup, config::Role::kStandby);
    Settle(device, flows, now);
    device.Greet(now);
    times.push_back(Promote(device, prng.Below(flows), now));
  }
  std::sort(times.begin(), times.end());
  std::printf("promotion with %8u flows   median %7.2f us   highest %7.2f us%s\n", flows,
              times[times.size() / 2], times.back(), times.front() < 0 ? "  NOT FORWARDED" : "");
}

}  // namespace

void MeasurePromotion() {
  for (const uint32_t flows : {1'000U, 100'000U, 1'000'000U})
    Measure(flows);
}

}  // namespace tandem::bench
