// SPDX-License-Identifier: Apache-2.0
//
// Which packets of a flow have come, by their sequence numbers: each once, twice, out of order, or not.
// A window of the last 64 tells late packets from repeated ones; what comes later than that is stale,
// and whether it was lost or repeated is not known.
#pragma once

#include <cstdint>

namespace tandem::pktgen {

enum class Order : uint8_t {
  kNext,
  kGap,        // later than the next: those between have not come yet
  kReordered,  // one of those between
  kDuplicate,
  kStale,
};

class SequenceTracker {
 public:
  static constexpr uint32_t kWindow = 64;

  Order Note(uint32_t sequence) noexcept {
    const uint32_t ahead = sequence - next_;
    if (ahead < kAheadMax) {
      seen_ = ahead + 1 >= kWindow ? 1 : seen_ << (ahead + 1) | 1;
      next_ = sequence + 1;
      ++distinct_;
      return ahead == 0 ? Order::kNext : Order::kGap;
    }
    const uint32_t behind = next_ - 1 - sequence;
    if (behind >= kWindow) return Order::kStale;
    const uint64_t bit = uint64_t{1} << behind;
    if ((seen_ & bit) != 0) return Order::kDuplicate;
    seen_ |= bit;
    ++distinct_;
    return Order::kReordered;
  }

  // How many have come, each counted once.
  uint32_t distinct() const { return distinct_; }

 private:
  static constexpr uint32_t kAheadMax = uint32_t{1} << 31;  // RFC 1982

  uint32_t next_ = 0;
  uint32_t distinct_ = 0;
  uint64_t seen_ = 0;  // bit i: next_ - 1 - i has come
};
static_assert(sizeof(SequenceTracker) == 16);

}  // namespace tandem::pktgen
