// SPDX-License-Identifier: Apache-2.0
#include "dataplane/net/checksum.h"

namespace tandem::net {
namespace {

template <typename Word>
uint64_t LoadWord(const uint8_t* bytes) {
  Word word = 0;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

}  // namespace

// Sums 32-bit words in a 64-bit accumulator: one's complement addition is associative, so the
// carries can wait for the fold (RFC 1071 section 2). Two accumulators break the dependency.
uint64_t ChecksumAdd(const uint8_t* bytes, size_t length, uint64_t sum) noexcept {
  // Room for the 2^31 words of the longest span there can be.
  sum = (sum & 0xffffffff) + (sum >> 32);
  uint64_t other = 0;
  for (; length >= 16; length -= 16, bytes += 16) {
    sum += LoadWord<uint32_t>(bytes) + LoadWord<uint32_t>(bytes + 4);
    other += LoadWord<uint32_t>(bytes + 8) + LoadWord<uint32_t>(bytes + 12);
  }
  sum += other;
  for (; length >= 4; length -= 4, bytes += 4)
    sum += LoadWord<uint32_t>(bytes);
  if (length >= 2) {
    sum += LoadWord<uint16_t>(bytes);
    bytes += 2;
    length -= 2;
  }
  // The missing low byte counts as zero; on a little-endian machine the byte there is the low half.
  if (length == 1) sum += *bytes;
  return sum;
}

}  // namespace tandem::net
