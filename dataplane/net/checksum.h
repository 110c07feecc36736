// SPDX-License-Identifier: Apache-2.0
//
// The Internet checksum (RFC 1071), full and incremental (RFC 1624). All values are as they stand in
// the packet, that is in network byte order; the arithmetic does not care.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "dataplane/net/flow_key.h"

namespace tandem::net {

// Unfolded one's complement sum of `length` bytes, on top of `sum`; an odd last byte is padded.
uint64_t ChecksumAdd(const uint8_t* bytes, size_t length, uint64_t sum = 0) noexcept;

// Adds the halves of a word to each other, both ways round: what carries out of the lower one comes into
// the upper one, which is then their one's complement sum.
constexpr uint16_t ChecksumFold(uint64_t sum) {
  sum += std::rotl(sum, 32);
  auto half = static_cast<uint32_t>(sum >> 32);
  half += std::rotl(half, 16);
  return static_cast<uint16_t>(half >> 16);
}

// Accumulates old and new values of the fields a rewrite changes, then applies them to as many
// checksums as cover those fields.
class ChecksumDelta {
 public:
  constexpr void Change16(uint16_t before, uint16_t after) {
    sum_ += static_cast<uint16_t>(~before);
    sum_ += after;
  }
  constexpr void Change32(uint32_t before, uint32_t after) {
    Change16(static_cast<uint16_t>(before), static_cast<uint16_t>(after));
    Change16(static_cast<uint16_t>(before >> 16), static_cast<uint16_t>(after >> 16));
  }
  void Change128(const Ipv6Bytes& before, const Ipv6Bytes& after) {
    for (size_t i = 0; i < 16; i += 4) {
      uint32_t old_word = 0;
      uint32_t new_word = 0;
      std::memcpy(&old_word, before.bytes + i, 4);
      std::memcpy(&new_word, after.bytes + i, 4);
      Change32(old_word, new_word);
    }
  }
  // RFC 1624 equation 3: HC' = ~(~HC + ~m + m').
  constexpr uint16_t Apply(uint16_t checksum) const {
    return static_cast<uint16_t>(~ChecksumFold(sum_ + static_cast<uint16_t>(~checksum)));
  }

 private:
  uint64_t sum_ = 0;
};

}  // namespace tandem::net
