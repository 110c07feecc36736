// SPDX-License-Identifier: Apache-2.0
//
// Time as the dataplane sees it. Nothing here reads a clock: `now` is handed in by the caller, from
// a monotonic clock in production and from the scenario in tests.
#pragma once

#include <cstdint>

namespace tandem {

// Nanoseconds of a monotonic clock.
using Nanos = uint64_t;

inline constexpr Nanos kMillisecond = 1'000'000;
inline constexpr Nanos kSecond = 1'000'000'000;

// A coarse stamp of 2^20 ns (about 1.05 ms), 32 bits wide, for the flow record. It wraps after 52
// days, so stamps are only ever compared by difference (RFC 1982), below 26 days.
using Tick = uint32_t;

inline constexpr int kTickShift = 20;

constexpr Tick TickOf(Nanos now) {
  return static_cast<Tick>(now >> kTickShift);
}

// Ticks in a span of time, rounded up, so that nothing expires early.
constexpr uint32_t TicksIn(Nanos span) {
  return static_cast<uint32_t>((span + (Nanos{1} << kTickShift) - 1) >> kTickShift);
}

// How long after `earlier` the stamp `later` is; negative when it is before.
constexpr int32_t TicksBetween(Tick earlier, Tick later) {
  return static_cast<int32_t>(later - earlier);
}

constexpr Nanos NanosIn(uint32_t ticks) {
  return Nanos{ticks} << kTickShift;
}

}  // namespace tandem
