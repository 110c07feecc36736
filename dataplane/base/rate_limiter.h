// SPDX-License-Identifier: Apache-2.0
//
// A token bucket for answers to strangers (RST, ICMP errors; tm.maxrejectrate), so that a flood is not
// echoed. Holds one second's worth.
#pragma once

#include <algorithm>
#include <cstdint>

#include "dataplane/base/time.h"

namespace tandem {

class RateLimiter {
 public:
  // `per_second` may change from call to call.
  [[nodiscard]] bool Allow(Nanos now, uint32_t per_second) noexcept {
    const Nanos full = kSecond * per_second;
    // One token is kSecond units, so that no rate loses fractions between calls.
    const Nanos elapsed = std::min(now - last_, kSecond);
    credit_ = std::min(full, credit_ + elapsed * per_second);
    last_ = now;
    if (credit_ < kSecond) return false;
    credit_ -= kSecond;
    return true;
  }

 private:
  Nanos last_ = 0;
  Nanos credit_ = 0;
};

}  // namespace tandem
