// SPDX-License-Identifier: Apache-2.0
//
// A small seeded generator (xorshift64*), handed down to whoever needs chance, so that a run is
// reproduced by its seed. Not for secrets.
#pragma once

#include <cstdint>

namespace tandem {

class Prng {
 public:
  explicit constexpr Prng(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 | 1) {}

  constexpr uint64_t Next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545f4914f6cdd1d;
  }

  // Uniform enough in [0, bound); bound > 0.
  constexpr uint32_t Below(uint32_t bound) {
    return static_cast<uint32_t>((uint64_t{static_cast<uint32_t>(Next() >> 32)} * bound) >> 32);
  }

 private:
  uint64_t state_;
};

}  // namespace tandem
