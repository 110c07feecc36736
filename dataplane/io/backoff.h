// SPDX-License-Identifier: Apache-2.0
//
// How long an idle worker that polls adaptively may sleep. The first idle turns cost nothing, so
// that a request and its reply are handled without a pause; then sleeps grow to a bound well below
// the 8.4 ms of a timer bucket and below the time in which a queue of 512 packets fills at a million
// packets a second.
#pragma once

#include "dataplane/base/time.h"

namespace tandem::io {

class Backoff {
 public:
  static constexpr unsigned kIdleTurnsFree = 64;
  static constexpr Nanos kSleepMin = 5'000;
  static constexpr Nanos kSleepMax = 320'000;

  // After each turn: how long to sleep now; 0 = not at all.
  Nanos After(bool was_busy) noexcept {
    if (was_busy) {
      idle_turns_ = 0;
      sleep_ = kSleepMin;
      return 0;
    }
    if (idle_turns_ < kIdleTurnsFree) {
      ++idle_turns_;
      return 0;
    }
    const Nanos now = sleep_;
    sleep_ = sleep_ * 2 < kSleepMax ? sleep_ * 2 : kSleepMax;
    return now;
  }

 private:
  unsigned idle_turns_ = 0;
  Nanos sleep_ = kSleepMin;
};

}  // namespace tandem::io
