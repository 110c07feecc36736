// SPDX-License-Identifier: Apache-2.0
//
// A MAC address in a register, for the packet path: six bytes in an array are loaded, compared and stored
// in two pieces each.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "dataplane/base/ip_address.h"

namespace tandem {

// The bytes as they stand in a frame, the first one lowest; the upper 16 bits are 0.
using MacWord = uint64_t;
inline constexpr MacWord kMacWordMask = 0xffffffffffff;
inline constexpr MacWord kNoMac = UINT64_MAX;

static_assert(std::endian::native == std::endian::little, "the first byte is the lowest");

inline MacWord WordOf(const MacAddress& mac) {
  uint32_t low = 0;
  uint16_t high = 0;
  std::memcpy(&low, mac.data(), sizeof(low));
  std::memcpy(&high, mac.data() + sizeof(low), sizeof(high));
  return low | uint64_t{high} << 32;
}

inline MacAddress MacOf(MacWord word) {
  MacAddress mac;
  std::memcpy(mac.data(), &word, mac.size());
  return mac;
}

// Of a frame: destination and source. REQUIRES: 12 bytes at `frame`.
inline MacWord LoadDestination(const uint8_t* frame) {
  uint64_t word = 0;
  std::memcpy(&word, frame, sizeof(word));
  return word & kMacWordMask;
}
inline void StoreMacs(uint8_t* frame, MacWord destination, MacWord source) {
  const uint64_t start = destination | source << 48;
  const auto rest = static_cast<uint32_t>(source >> 16);
  std::memcpy(frame, &start, sizeof(start));
  std::memcpy(frame + sizeof(start), &rest, sizeof(rest));
}

}  // namespace tandem
