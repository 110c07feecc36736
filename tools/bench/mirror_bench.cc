// SPDX-License-Identifier: Apache-2.0
//
// What mirroring costs the packet path: ns a delta to put it into a frame and to get it out again, and
// the bytes it takes. Frames of 1400 bytes; live flows 100 000.
//
//   mirror_bench --benchmark_filter=Encode
#include <benchmark/benchmark.h>

#include <array>
#include <vector>

#include "dataplane/base/limits.h"
#include "dataplane/mirror/flow_batch.h"
#include "tools/bench/mirror_mix.h"

namespace tandem::bench {
namespace {

using flow::FlowHot4;
using flow::FlowHot6;
using mirror::BatchError;
using mirror::FlowBatchReader;
using mirror::FlowBatchWriter;

constexpr uint32_t kLiveFlows = 100'000;
constexpr size_t kDeltas = 20'000;
constexpr size_t kBodySize = 1400;
constexpr MixShares kMixed{40, 30};
constexpr MixShares kCreatesOnly{100, 0};

template <class Hot>
struct Work {
  explicit Work(MixShares shares) : mix(1, kLiveFlows, shares) {
    for (size_t i = 0; i < kDeltas; ++i)
      deltas.push_back(mix.Next());
    batches = MakeBatches(deltas, mix.dictionary(), kBodySize);
    for (const auto& batch : batches)
      bytes += batch.size();
  }

  MirrorMix<Hot> mix;
  std::vector<Delta<Hot>> deltas;
  std::vector<std::vector<uint8_t>> batches;
  size_t bytes = 0;
};

template <class Hot>
void Report(benchmark::State& state, const Work<Hot>& work) {
  const auto deltas = static_cast<double>(work.deltas.size());
  state.counters["ns_per_delta"] = benchmark::Counter(
      deltas, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["bytes_per_delta"] = static_cast<double>(work.bytes) / deltas;
}

template <class Hot, MixShares kShares>
void Encode(benchmark::State& state) {
  const Work<Hot> work(kShares);
  FlowBatchWriter writer;
  std::array<uint8_t, kBodySize> body;
  size_t bytes = 0;
  for (auto _ : state) {
    bytes = 0;
    writer.Begin(kBodySize, work.mix.dictionary());
    for (size_t i = 0; i < work.deltas.size();) {
      if (AddTo(writer, work.deltas[i])) {
        ++i;
        continue;
      }
      bytes += writer.Finish(body.data());
      writer.Begin(kBodySize, work.mix.dictionary());
    }
    bytes += writer.Finish(body.data());
  }
  if (bytes != work.bytes) state.SkipWithError("other bytes");
  Report(state, work);
}

template <class Hot, MixShares kShares>
void Decode(benchmark::State& state) {
  const Work<Hot> work(kShares);
  FlowBatchReader reader;
  size_t rows = 0;
  for (auto _ : state) {
    rows = 0;
    for (const auto& batch : work.batches) {
      const BatchError error =
          reader.Read(batch, work.mix.dictionary(), kFlowsPerWorkerMax, kFlowsPerWorkerMax);
      if (error != BatchError::kNone) state.SkipWithError("refused");
      rows += reader.creates<Hot>().size() + reader.updates(Hot::kIsIpv6).size() +
              reader.closes(Hot::kIsIpv6).size();
    }
  }
  if (rows != work.deltas.size()) state.SkipWithError("other rows");
  Report(state, work);
}

BENCHMARK_TEMPLATE(Encode, FlowHot4, kCreatesOnly)->Name("Encode/Ipv4/create");
BENCHMARK_TEMPLATE(Encode, FlowHot4, kMixed)->Name("Encode/Ipv4/mixed");
BENCHMARK_TEMPLATE(Encode, FlowHot6, kCreatesOnly)->Name("Encode/Ipv6/create");
BENCHMARK_TEMPLATE(Encode, FlowHot6, kMixed)->Name("Encode/Ipv6/mixed");
BENCHMARK_TEMPLATE(Decode, FlowHot4, kCreatesOnly)->Name("Decode/Ipv4/create");
BENCHMARK_TEMPLATE(Decode, FlowHot4, kMixed)->Name("Decode/Ipv4/mixed");
BENCHMARK_TEMPLATE(Decode, FlowHot6, kCreatesOnly)->Name("Decode/Ipv6/create");
BENCHMARK_TEMPLATE(Decode, FlowHot6, kMixed)->Name("Decode/Ipv6/mixed");

}  // namespace
}  // namespace tandem::bench

BENCHMARK_MAIN();
