// SPDX-License-Identifier: Apache-2.0
//
// What frames cost: ns a delta to put it into a body and to get it out again, the same with the seal (the
// worker does the one, the mirror lcore the other), and the bytes it takes. Bodies of 1400 bytes, once of
// 8900; live flows 100 000.
//
//   mirror_bench --benchmark_filter=Encode
#include <benchmark/benchmark.h>

#include <array>
#include <vector>

#include "dataplane/base/limits.h"
#include "dataplane/mirror/flow_batch.h"
#include "dataplane/mirror/seal.h"
#include "tools/bench/mirror_mix.h"

namespace tandem::bench {
namespace {

using flow::FlowHot4;
using flow::FlowHot6;
using mirror::BatchError;
using mirror::FlowBatchReader;
using mirror::FlowBatchWriter;
using mirror::kHeaderSize;
using mirror::kTagSize;

constexpr uint32_t kLiveFlows = 100'000;
constexpr size_t kDeltas = 20'000;
constexpr size_t kBodySize = 1400;
constexpr size_t kJumboBodySize = 8900;
constexpr MixShares kMixed{40, 30};
constexpr MixShares kCreatesOnly{100, 0};

template <class Hot>
struct Work {
  explicit Work(MixShares shares, size_t body_size = kBodySize) : mix(1, kLiveFlows, shares) {
    for (size_t i = 0; i < kDeltas; ++i)
      deltas.push_back(mix.Next());
    batches = MakeBatches(deltas, mix.dictionary(), body_size);
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
  state.counters["time_per_delta"] = benchmark::Counter(
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

mirror::StreamKey AnyKey() {
  mirror::StreamKey key;
  key.key.fill(7);
  return key;
}

// Room for a frame with its body at its place.
using Frame = std::array<uint8_t, kHeaderSize + kJumboBodySize + kTagSize>;

template <class Hot, size_t kSize>
void EncodeAndSeal(benchmark::State& state) {
  const Work<Hot> work(kMixed, kSize);
  FlowBatchWriter writer;
  mirror::Sealer sealer;
  sealer.SetKey(AnyKey());
  Frame frame{};
  uint64_t sequence = 0;
  const auto finish = [&] {
    uint8_t* const body = frame.data() + kHeaderSize;
    const size_t size = writer.Finish(body);
    if (!sealer.Seal(std::span(frame).first(kHeaderSize + size + kTagSize), ++sequence,
                     {body, size})) {
      state.SkipWithError("not sealed");
    }
    writer.Begin(kSize, work.mix.dictionary());
  };
  for (auto _ : state) {
    writer.Begin(kSize, work.mix.dictionary());
    for (size_t i = 0; i < work.deltas.size();) {
      if (AddTo(writer, work.deltas[i])) {
        ++i;
      } else {
        finish();
      }
    }
    finish();
  }
  Report(state, work);
}

template <class Hot, size_t kSize>
void OpenAndDecode(benchmark::State& state) {
  const Work<Hot> work(kMixed, kSize);
  mirror::Sealer sealer;
  sealer.SetKey(AnyKey());
  std::vector<std::vector<uint8_t>> frames;
  for (const auto& batch : work.batches) {
    frames.emplace_back(kHeaderSize + batch.size() + kTagSize);
    if (!sealer.Seal(frames.back(), frames.size(), batch)) state.SkipWithError("not sealed");
  }
  mirror::Opener opener;
  opener.SetKey(AnyKey());
  FlowBatchReader reader;
  std::array<uint8_t, kJumboBodySize> body;
  size_t rows = 0;
  for (auto _ : state) {
    rows = 0;
    opener.ResetWindow();
    for (size_t i = 0; i < frames.size(); ++i) {
      const size_t size = frames[i].size() - kHeaderSize - kTagSize;
      if (opener.Open(frames[i], i + 1, body) != mirror::Opener::Result::kOpened ||
          reader.Read(std::span(body).first(size), work.mix.dictionary(), kFlowsPerWorkerMax,
                      kFlowsPerWorkerMax) != BatchError::kNone) {
        state.SkipWithError("refused");
      }
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
BENCHMARK_TEMPLATE(EncodeAndSeal, FlowHot4, kBodySize)->Name("EncodeAndSeal/Ipv4/mixed/1500");
BENCHMARK_TEMPLATE(EncodeAndSeal, FlowHot4, kJumboBodySize)->Name("EncodeAndSeal/Ipv4/mixed/9000");
BENCHMARK_TEMPLATE(OpenAndDecode, FlowHot4, kBodySize)->Name("OpenAndDecode/Ipv4/mixed/1500");
BENCHMARK_TEMPLATE(OpenAndDecode, FlowHot4, kJumboBodySize)->Name("OpenAndDecode/Ipv4/mixed/9000");

}  // namespace
}  // namespace tandem::bench

BENCHMARK_MAIN();
