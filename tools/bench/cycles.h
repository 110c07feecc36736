// SPDX-License-Identifier: Apache-2.0
//
// Clocks of benchmarks: how long a cycle of the time stamp counter is, and the time of this thread's
// CPU, which does not go on while something else has it, but costs a system call to read.
#pragma once

#include <x86intrin.h>

#include <chrono>
#include <cstdint>
#include <ctime>

#include "dataplane/base/time.h"

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

inline Nanos CpuTime() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<Nanos>(time.tv_sec) * kSecond + static_cast<Nanos>(time.tv_nsec);
}

}  // namespace tandem::bench
