// SPDX-License-Identifier: Apache-2.0
//
// How long a cycle of the time stamp counter is, for benchmarks.
#pragma once

#include <x86intrin.h>

#include <chrono>
#include <cstdint>

namespace tandem::bench {

inline double NanosPerCycle() {
  static const double result = [] {
    const auto begin = std::chrono::steady_clock::now();
    const uint64_t cycles_begin = __rdtsc();
    std::chrono::duration<double, std::nano> passed{};
    while (passed.count() < 20e6)
      passed = std::chrono::steady_clock::now() - begin;
    return passed.count() / static_cast<double>(__rdtsc() - cycles_begin);
  }();
  return result;
}

}  // namespace tandem::bench
