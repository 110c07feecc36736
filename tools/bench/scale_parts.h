// SPDX-License-Identifier: Apache-2.0
//
// What scale_bench measures; each part prints its tables and gives them back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tools/bench/bench_table.h"

namespace tandem::bench {

// How much is done: enough to measure, or just enough to see that it works.
struct ScaleExtent {
  size_t runs;    // of each figure, of which the median counts
  size_t rounds;  // a run
  std::vector<uint32_t> flow_counts;
};

// Where packets arrive.
enum class Arrival : uint8_t {
  kOwner,  // RSS over the endpoint that both legs share: on their owner
  kAny,    // no such RSS: on a worker by chance, which hands them over
};
inline std::string NameOf(Arrival arrival) {
  return arrival == Arrival::kOwner ? "owner" : "any worker";
}

inline constexpr unsigned kWorkerCounts[] = {1, 2, 4, 8};

std::vector<Table> MeasureSpread();                              // scale_spread.cc
std::vector<Table> MeasureSimulated(const ScaleExtent& extent);  // scale_simulated.cc
std::vector<Table> MeasureParallel(const ScaleExtent& extent);   // scale_parallel.cc
std::vector<Table> MeasureHandoff(const ScaleExtent& extent);    // scale_handoff.cc
std::vector<Table> MeasureSnat(const ScaleExtent& extent);       // scale_snat.cc

// Two CPUs that this process may run on; not set: it has one.
std::optional<std::pair<size_t, size_t>> TwoCpus();
// The calling thread runs on `cpu` alone from now on.
void PinTo(size_t cpu);

}  // namespace tandem::bench
