// SPDX-License-Identifier: Apache-2.0
//
// A keyed 64-bit mix (multiply and fold) for table keys that strangers choose. Unlike a CRC it is
// not linear, so collisions cannot be prepared without the seed.
#pragma once

#include <cstdint>

namespace tandem {

__extension__ using Uint128 = unsigned __int128;

constexpr uint64_t MultiplyFold(uint64_t a, uint64_t b) {
  const Uint128 product = static_cast<Uint128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

constexpr uint64_t HashPair(uint64_t a, uint64_t b, uint64_t seed) {
  return MultiplyFold(MultiplyFold(a ^ seed, b ^ 0xa0761d6478bd642f) ^ seed, 0xe7037ed1a0b428db);
}

}  // namespace tandem
