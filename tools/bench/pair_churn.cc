// SPDX-License-Identifier: Apache-2.0
//
// Connections come and go, very many of them, on a wire that loses one frame in ten: neither device's
// memory grows, and both have the same flows when it is over. Time is the device's own; nothing of the
// machine's is measured but memory.
#include <netinet/in.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "tools/bench/pair_connections.h"
#include "tools/bench/pair_lockstep.h"
#include "tools/bench/pair_scenarios.h"

namespace tandem::bench {
namespace {

using flow::FlowHot4;
using Table = flow::FlowTable<FlowHot4>;

constexpr uint32_t kCapacity = 1U << 17;
constexpr uint32_t kEstablished = kMembers * 8;
constexpr Nanos kGap = 5'000;  // between two connections
constexpr Nanos kStep = 10 * kGap;
constexpr unsigned kLossPercent = 10;
constexpr Nanos kGreetPause = 10 * kSecond;
constexpr unsigned kSamples = 40;
// Buffers of the allocator and of the process come and go.
constexpr uint64_t kGrowthMax = 1U << 20;

uint64_t ResidentBytes() {
  uint64_t total = 0;
  uint64_t resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

unsigned long long Number(uint64_t value) {
  return value;
}

PairDeviceOptions Of(uint8_t unit_id) {
  return {.protocol = IPPROTO_TCP, .capacity = kCapacity, .unit_id = unit_id};
}

Table& TableOf(PairDevice& device) {
  return device.mirror().tables().flows4;
}

// Mirrored flows that only one has, or has otherwise. Those that are not established yet are not mirrored.
uint32_t Differences(Lockstep& pair) {
  Table& here = TableOf(pair.active());
  Table& there = TableOf(pair.standby());
  uint32_t differences = 0;
  uint32_t mirrored = 0;
  for (uint32_t slot = 0; slot < here.capacity(); ++slot) {
    if (!here.IsLive(slot)) continue;
    const FlowHot4& hot = here.hot(slot);
    if ((hot.common.flags & flow::kMirrored) == 0) continue;
    ++mirrored;
    const flow::FlowRef found = there.FindOne(hot.client, hot.common.protocol);
    differences += !found || there.register_of(found.slot) != here.register_of(slot) ||
                   there.hot(found.slot).common.state != hot.common.state;
  }
  return there.size() == mirrored ? differences : differences + 1;
}

bool IsInSync(Lockstep& pair) {
  const mirror::SenderCounters& sender = pair.active().mirror().sender(kGroup).counters();
  return pair.standby().unit().mirroring()->InSync(kGroup) && sender.dirty.Get() == 0 &&
         sender.in_flight.Get() == 0;
}

// How much there is at a moment in the middle of it all; what must not grow.
struct Sample {
  uint64_t resident = 0;
  uint32_t slots = 0;   // that were ever used, of both tables
  uint32_t shadow = 0;  // flows
};

Sample Take(Lockstep& pair, uint64_t begun) {
  const mirror::SenderCounters& sender = pair.active().mirror().sender(kGroup).counters();
  Table& here = TableOf(pair.active());
  Table& there = TableOf(pair.standby());
  const Sample sample{ResidentBytes(), here.pages().SlotsTouched() + there.pages().SlotsTouched(),
                      there.size()};
  std::printf(
      "%11llu connections  rss %6.1f MiB  flows %6u  shadow %6u  slots used %6u  dirty %5llu  "
      "frames lost %llu\n",
      Number(begun), static_cast<double>(sample.resident) / (1U << 20), here.size(), sample.shadow,
      sample.slots, Number(sender.dirty.Get()), Number(sender.lost_frames.Get()));
  return sample;
}

bool HasGrown(const Sample& sample, const Sample& before) {
  return sample.resident > before.resident + kGrowthMax || sample.slots > before.slots ||
         sample.shadow > 2 * before.shadow;
}

}  // namespace

bool Churn(uint64_t connections) {
  Lockstep pair(Of(1), Of(2));
  pair.active().Establish(kEstablished, pair.clock());
  for (int i = 0; i < 300'000 && !IsInSync(pair); ++i)
    pair.Step(100'000);
  std::printf("two devices of %u flows, %u %% of frames lost each way\n", kCapacity, kLossPercent);
  pair.SetLoss(kLossPercent);
  Connections generator(pair.active(), kEstablished, kGap);
  Sample before;
  bool is_flat = true;
  Nanos greeted = pair.now();
  for (unsigned i = 1; i <= kSamples; ++i) {
    while (generator.begun() < connections / kSamples * i) {
      if (pair.now() - greeted > kGreetPause) {
        pair.active().Greet(pair.clock());
        greeted = pair.now();
      }
      pair.Step(kStep, generator.Due(pair.now(), [](uint32_t) {}));
    }
    const Sample sample = Take(pair, generator.begun());
    if (i == 2) before = sample;  // all that is used at all has been used by then
    if (i > 2 && HasGrown(sample, before)) is_flat = false;
  }
  pair.SetLoss(0);
  for (int i = 0; i < 300'000 && (i < 1000 || !IsInSync(pair)); ++i)
    pair.Step(100'000);
  const uint32_t differences = Differences(pair);
  const uint64_t created = pair.active().unit().counters(0).flows_created.Get();
  const uint64_t mismatches =
      pair.active().mirror().sender(kGroup).counters().audit_mismatches.Get();
  const bool is_in_sync = IsInSync(pair);
  std::printf("%llu flows created; %s; %u flows differ, %llu digests did; memory %s\n",
              Number(created), is_in_sync ? "in sync" : "NOT IN SYNC", differences,
              Number(mismatches), is_flat ? "flat" : "GREW");
  return is_in_sync && is_flat && differences == 0 && mismatches == 0 &&
         created >= generator.begun();
}

}  // namespace tandem::bench
