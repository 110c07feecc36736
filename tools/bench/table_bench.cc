// SPDX-License-Identifier: Apache-2.0
//
// The flow table alone, beside the floor of memory in the same run: ns per operation in bursts of
// 32, over tables that are full with as many flows as the argument says. RteHash is DPDK's own table
// of the same keys: its lookup alone, and with the flow's line written as FindHit does.
//
//   table_bench --benchmark_filter=Ipv4
#include <benchmark/benchmark.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <memory>

#include "dataplane/base/prng.h"
#include "dataplane/flow/table.h"
#include "tools/bench/floor.h"
#include "tools/bench/huge_memory.h"
#include "tools/bench/rte_hash_flows.h"

namespace tandem::bench {
namespace {

using flow::FlowHot4;
using flow::FlowHot6;
using flow::FlowTable;
using flow::Lookup;

constexpr uint8_t kTcp = 6;

// Both keys of flow n: 2n and 2n + 1.
template <class Key>
void MakeKey(uint64_t number, Key& key);

template <>
void MakeKey(uint64_t number, net::FlowKey4& key) {
  key = {static_cast<uint32_t>(number >> 12), 0x0a000001, static_cast<uint16_t>(number & 0xfff),
         80};
}

template <>
void MakeKey(uint64_t number, net::FlowKey6& key) {
  key = {};
  std::memcpy(key.source.bytes + 8, &number, sizeof(number));
  key.destination_port = 80;
}

// What costs long to build is kept from one run of a benchmark to the next of the same size.
template <class T>
T& Kept(uint32_t size) {
  static std::unique_ptr<T> kept;
  static uint32_t kept_size = 0;
  if (kept_size != size) {
    kept.reset();
    kept = std::make_unique<T>(size);
    kept_size = size;
  }
  return *kept;
}

template <class Hot>
struct FullTable {
  using Key = typename Hot::Key;

  explicit FullTable(uint32_t size)
      : memory(FlowTable<Hot>::BytesNeeded(size)), flows(memory.bytes(), size, 42) {
    for (; next < size; ++next)
      Insert();
  }

  uint32_t Insert() {
    Key client;
    Key server;
    MakeKey(2 * next, client);
    MakeKey(2 * next + 1, server);
    return flows.Insert(1, client, server, kTcp, false).slot;
  }

  HugeMemory memory;
  FlowTable<Hot> flows;
  uint64_t next = 0;
};

void Report(benchmark::State& state, size_t operations_per_iteration) {
  const double operations =
      static_cast<double>(state.iterations()) * static_cast<double>(operations_per_iteration);
  state.counters["per_op"] =
      benchmark::Counter(operations, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void BM_FloorRead(benchmark::State& state) {
  auto& floor = Kept<Floor>(static_cast<uint32_t>(state.range(0)));
  Prng prng(1);
  for (auto _ : state)
    floor.ReadBurst(prng);
  benchmark::DoNotOptimize(floor.sum());
  Report(state, kBurst);
}

void BM_FloorWrite(benchmark::State& state) {
  auto& floor = Kept<Floor>(static_cast<uint32_t>(state.range(0)));
  Prng prng(1);
  for (auto _ : state)
    floor.WriteBurst(prng);
  benchmark::DoNotOptimize(floor.sum());
  Report(state, kBurst);
}

// Bursts of random keys, all of them present (`first` 0) or all absent (`first` behind the last).
// What is found is written to, as an established packet does.
template <class Hot>
void FindBursts(benchmark::State& state, bool present) {
  const auto size = static_cast<uint32_t>(state.range(0));
  auto& table = Kept<FullTable<Hot>>(size);
  std::array<typename Hot::Key, kBurst> keys;
  std::array<Lookup<Hot>, kBurst> lookups;
  for (size_t i = 0; i < kBurst; ++i)
    lookups[i] = {.key = &keys[i], .protocol = kTcp};
  const uint64_t first = present ? 2 * (table.next - size) : uint64_t{1} << 40;
  Prng prng(1);
  bool is_right = true;
  for (auto _ : state) {
    for (auto& key : keys)
      MakeKey(first + prng.Below(2 * size), key);
    table.flows.Find(lookups);
    for (const auto& lookup : lookups) {
      is_right &= bool{lookup.found} == present;
      if (lookup.found) ++table.flows.hot(lookup.found.slot).common.last_seen;
    }
  }
  if (!is_right) state.SkipWithError("wrong answer");
  Report(state, kBurst);
}

template <class Hot>
void BM_FindHit(benchmark::State& state) {
  FindBursts<Hot>(state, true);
}

template <class Hot>
void BM_FindMiss(benchmark::State& state) {
  FindBursts<Hot>(state, false);
}

// One flow out, one flow in, the table full before and after.
template <class Hot>
void BM_Replace(benchmark::State& state) {
  const auto size = static_cast<uint32_t>(state.range(0));
  auto& table = Kept<FullTable<Hot>>(size);
  // Whoever asks for hits after this finds the newest flows only if the oldest went first; so go in
  // order of age, which is in order of slot.
  uint32_t slot = static_cast<uint32_t>(table.next % size);
  for (auto _ : state) {
    table.flows.Erase(slot);
    if (table.Insert() != slot) state.SkipWithError("another slot");
    ++table.next;
    if (++slot == size) slot = 0;
  }
  Report(state, 1);
}

struct FullRteHash {
  explicit FullRteHash(uint32_t size) : memory(size * sizeof(Line)), flows(size) {
    for (uint32_t slot = 0; slot < size; ++slot) {
      for (uint64_t side = 0; side < 2; ++side)
        flows.Insert(KeyOf(2 * uint64_t{slot} + side), slot);
    }
  }
  static RteHashFlows::Key KeyOf(uint64_t number) {
    RteHashFlows::Key key;
    MakeKey(number, key.tuple);
    key.protocol = kTcp;
    return key;
  }

  struct alignas(64) Line {
    uint64_t last_seen;
  };
  Line& line(uint64_t slot) { return reinterpret_cast<Line*>(memory.bytes().data())[slot]; }

  HugeMemory memory;
  RteHashFlows flows;
};

void BM_RteHash(benchmark::State& state, bool writes) {
  const auto size = static_cast<uint32_t>(state.range(0));
  auto& table = Kept<FullRteHash>(size);
  std::array<RteHashFlows::Key, kBurst> keys;
  std::array<uint64_t, kBurst> slots;
  Prng prng(1);
  bool is_right = true;
  for (auto _ : state) {
    for (auto& key : keys)
      key = FullRteHash::KeyOf(prng.Below(2 * size));
    is_right &= table.flows.Find(keys, slots) == (uint64_t{1} << kBurst) - 1;
    if (!writes) continue;
    for (const uint64_t slot : slots)
      ++table.line(slot).last_seen;
  }
  benchmark::DoNotOptimize(slots);
  if (!is_right) state.SkipWithError("wrong answer");
  Report(state, kBurst);
}

void Sizes(benchmark::internal::Benchmark* bench) {
  for (const int64_t flows : {1, 1000, 100'000, 1'000'000, 4'000'000})
    bench->Arg(flows);
}

BENCHMARK(BM_FloorRead)->Apply(Sizes);
BENCHMARK(BM_FloorWrite)->Apply(Sizes);
BENCHMARK_TEMPLATE(BM_FindHit, FlowHot4)->Name("BM_FindHit/Ipv4")->Apply(Sizes);
BENCHMARK_TEMPLATE(BM_FindMiss, FlowHot4)->Name("BM_FindMiss/Ipv4")->Apply(Sizes);
BENCHMARK_TEMPLATE(BM_Replace, FlowHot4)->Name("BM_Replace/Ipv4")->Apply(Sizes);
BENCHMARK_CAPTURE(BM_RteHash, Ipv4, false)->Apply(Sizes);
BENCHMARK_CAPTURE(BM_RteHash, Ipv4_written, true)->Apply(Sizes);
BENCHMARK_TEMPLATE(BM_FindHit, FlowHot6)->Name("BM_FindHit/Ipv6")->Apply(Sizes);
BENCHMARK_TEMPLATE(BM_FindMiss, FlowHot6)->Name("BM_FindMiss/Ipv6")->Apply(Sizes);
BENCHMARK_TEMPLATE(BM_Replace, FlowHot6)->Name("BM_Replace/Ipv6")->Apply(Sizes);

}  // namespace
}  // namespace tandem::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  const std::string_view kind = tandem::bench::HugeMemory::Kind();
  std::printf("memory: %.*s\n", static_cast<int>(kind.size()), kind.data());
  return 0;
}
