// SPDX-License-Identifier: Apache-2.0
//
// What a standby pays for a shadow: ns a delta from an opened frame to tables that find the flow by
// both keys. A table full of flows; a sample applies 4096 deltas in frames of one size, whose slots are
// anywhere in it. What is reported is the median sample, which a busy machine disturbs least. `mixed`
// is 35 % creates, 30 % updates and 35 % closes.
//
//   mirror_apply_bench --benchmark_filter=mixed
#include <benchmark/benchmark.h>
#include <x86intrin.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/mirror/flow_receiver.h"
#include "tools/bench/cycles.h"
#include "tools/bench/huge_memory.h"
#include "tools/bench/mirror_mix.h"

namespace tandem::bench {
namespace {

using flow::FlowHot4;
using flow::FlowHot6;
using mirror::FrameSlot;

constexpr size_t kDeltas = 4096;  // a sample
constexpr config::TrafficGroupId kGroup = 1;
constexpr MixShares kCreates{100, 0};
constexpr MixShares kUpdates{0, 100};
constexpr MixShares kCloses{0, 0};
constexpr MixShares kMixed{35, 30};

// Everything has the same number at both ends.
std::unique_ptr<mirror::Translation> MakeIdentity(const config::Dictionary& dictionary) {
  auto translation = std::make_unique<mirror::Translation>();
  translation->peer = std::make_shared<config::Dictionary>(dictionary);
  for (uint16_t number = 0; number <= 1000; ++number) {
    translation->virtuals.push_back(number);
    translation->members.push_back(number);
    translation->interfaces.push_back(number);
  }
  return translation;
}

// A shadow that has `capacity` flows but for room to begin a sample's worth.
template <class Hot>
class Shadow {
 public:
  explicit Shadow(uint32_t capacity)
      : memory4_(flow::FlowTable<FlowHot4>::BytesNeeded(Hot::kIsIpv6 ? 1 : capacity)),
        memory6_(flow::FlowTable<FlowHot6>::BytesNeeded(Hot::kIsIpv6 ? capacity : 1)),
        flows4_(memory4_.bytes(), Hot::kIsIpv6 ? 1 : capacity, 1),
        flows6_(memory6_.bytes(), Hot::kIsIpv6 ? capacity : 1, 2),
        receiver_(kGroup, 0, {flows4_, flows6_}, live_, share_),
        mix_(1, 0, kCreates),
        translation_(MakeIdentity(mix_.dictionary())) {
    receiver_.Open({.session = 1, .epoch = 1, .wire_group = 1}, now_);
    for (uint32_t flows = 0; flows + 2 * kDeltas <= capacity; flows += kDeltas)
      Apply(Next(kCreates), 1400);
  }

  std::vector<Delta<Hot>> Next(MixShares shares) {
    mix_.SetShares(shares);
    std::vector<Delta<Hot>> deltas;
    for (size_t i = 0; i < kDeltas; ++i)
      deltas.push_back(mix_.Next());
    return deltas;
  }

  // Nanoseconds of this thread's CPU that it took, of the receiver alone.
  Nanos Apply(const std::vector<Delta<Hot>>& deltas, size_t body_size) {
    const auto batches = MakeBatches(deltas, mix_.dictionary(), body_size);
    if (frames_.size() < batches.size()) frames_.resize(batches.size());
    for (size_t i = 0; i < batches.size(); ++i) {
      std::copy(batches[i].begin(), batches[i].end(), frames_[i].body.begin());
      frames_[i].body_size = static_cast<uint16_t>(batches[i].size());
      frames_[i].header = {.type = mirror::FrameType::kFlows,
                           .group = 1,
                           .flags = static_cast<uint16_t>(mirror::StreamState::kSyncing),
                           .epoch = 1,
                           .session = 1,
                           .sequence = ++sequence_,
                           .floor = sequence_};
    }
    const Nanos begin = CpuTime();
    for (size_t i = 0; i < batches.size(); ++i)
      receiver_.Apply(frames_[i], *translation_, snapshot_, now_ += 10'000);
    return CpuTime() - begin;
  }

  // Frames that were not applied whole.
  uint64_t refused() const {
    const mirror::ReceiverCounters& counters = receiver_.counters();
    return counters.early_updates.Get() + counters.no_room.Get() + counters.blocked.Get() +
           counters.refused.Get() + counters.not_translatable.Get();
  }

 private:
  HugeMemory memory4_;
  HugeMemory memory6_;
  flow::FlowTable<FlowHot4> flows4_;
  flow::FlowTable<FlowHot6> flows6_;
  config::LiveTotals live_totals_{1};
  config::LiveCounts live_{live_totals_, 0};
  config::Snapshot snapshot_;
  Nanos now_ = kSecond;
  mirror::ReceiverShare share_;
  mirror::FlowReceiver receiver_;
  MirrorMix<Hot> mix_;
  std::unique_ptr<mirror::Translation> translation_;
  std::vector<FrameSlot> frames_;
  uint64_t sequence_ = 0;
};

// Kept from one benchmark to the next of its size.
template <class Hot>
Shadow<Hot>& ShadowOf(uint32_t capacity) {
  static std::unique_ptr<Shadow<Hot>> kept;
  static uint32_t kept_for = 0;
  if (kept_for != capacity) {
    kept.reset();
    kept = std::make_unique<Shadow<Hot>>(capacity);
    kept_for = capacity;
  }
  return *kept;
}

struct Kind {
  const char* name;
  MixShares before;  // not counted, to make room or flows for what is
  bool has_before;
  MixShares counted;
  MixShares after;  // as `before`
  bool has_after;
};
constexpr Kind kKinds[] = {{"create", kCloses, true, kCreates, {}, false},
                           {"update", {}, false, kUpdates, {}, false},
                           {"close", {}, false, kCloses, kCreates, true},
                           {"mixed", {}, false, kMixed, {}, false}};

template <class Hot>
void Apply(benchmark::State& state, const Kind& kind, size_t body_size) {
  Shadow<Hot>& shadow = ShadowOf<Hot>(static_cast<uint32_t>(state.range(0)));
  std::vector<double> nanos;
  for (auto _ : state) {
    if (kind.has_before) shadow.Apply(shadow.Next(kind.before), body_size);
    const std::vector<Delta<Hot>> deltas = shadow.Next(kind.counted);
    nanos.push_back(static_cast<double>(shadow.Apply(deltas, body_size)));
    state.SetIterationTime(nanos.back() * 1e-9);
    if (kind.has_after) shadow.Apply(shadow.Next(kind.after), body_size);
  }
  if (shadow.refused() != 0) state.SkipWithError("not all applied");
  const auto middle = nanos.begin() + static_cast<std::ptrdiff_t>(nanos.size() / 2);
  std::nth_element(nanos.begin(), middle, nanos.end());
  state.counters["ns_per_delta"] = *middle / kDeltas;
  state.counters["deltas_per_s"] = kDeltas / *middle * 1e9;
}

template <class Hot>
void Register(const char* family, uint32_t capacity, size_t body_size) {
  for (const Kind& kind : kKinds) {
    const std::string name =
        std::string("Apply/") + family + "/" + kind.name + "/" + std::to_string(body_size);
    benchmark::RegisterBenchmark(name.c_str(), Apply<Hot>, kind, body_size)
        ->Arg(capacity)
        ->UseManualTime()
        ->MinTime(0.2)
        ->Unit(benchmark::kMicrosecond);
  }
}

}  // namespace
}  // namespace tandem::bench

int main(int argc, char** argv) {
  using namespace tandem::bench;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  for (const size_t body_size : {size_t{1400}, size_t{8900}})
    Register<tandem::flow::FlowHot4>("Ipv4", 1U << 20, body_size);
  Register<tandem::flow::FlowHot4>("Ipv4", 4U << 20, 1400);
  Register<tandem::flow::FlowHot6>("Ipv6", 1U << 20, 1400);
  benchmark::RunSpecifiedBenchmarks();
  const std::string_view kind = HugeMemory::Kind();
  std::printf("memory: %.*s\n", static_cast<int>(kind.size()), kind.data());
}
