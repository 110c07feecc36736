// SPDX-License-Identifier: Apache-2.0
//
// All chance of a simulation: one seeded generator, asked by everybody in an order that the seed
// alone decides.
#pragma once

#include <cstdint>

#include "dataplane/base/prng.h"
#include "dataplane/base/time.h"

namespace tandem::sim {

class Chance {
 public:
  explicit Chance(uint64_t seed) : prng_(seed + 1) {
    for (int i = 0; i < 8; ++i)  // small seeds begin alike
      prng_.Next();
  }

  uint64_t Next() { return prng_.Next(); }
  uint32_t Below(uint32_t bound) { return prng_.Below(bound); }
  uint32_t Between(uint32_t low, uint32_t high) { return low + Below(high - low + 1); }
  bool OneIn(uint32_t n) { return Below(n) == 0; }
  bool Percent(uint32_t percent) { return Below(100) < percent; }
  Nanos Span(Nanos low, Nanos high) { return low + prng_.Next() % (high - low + 1); }

 private:
  Prng prng_;
};

}  // namespace tandem::sim
