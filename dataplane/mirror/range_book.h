// SPDX-License-Identifier: Apache-2.0
//
// What a writer keeps of each range of kRangeSlots slots of one family: how much of it is being spoken of,
// and whether this pass of digests has found it equal. The former goes by physical slot, as changes come:
// a range that is spoken of keeps its page, and so its place. The latter goes by logical slot, as the peer
// knows the range.
//
// Thread safety: none; one worker.
#pragma once

#include <bit>
#include <cstdint>
#include <memory>

#include "dataplane/mirror/flow_batch.h"

namespace tandem::mirror {

class RangeBook {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  explicit RangeBook(uint32_t slots_max)
      : size_((slots_max + kRangeSlots - 1) / kRangeSlots),
        pending_(std::make_unique<uint32_t[]>(size_)),
        unproved_(std::make_unique<uint64_t[]>(Words())),
        asked_(std::make_unique<uint64_t[]>(Words())) {}

  uint32_t size() const noexcept { return size_; }

  // ---- slots of a range that are dirty, and notes of it in flight -------------------------------
  // Whether it is the first of its range.
  bool Take(uint32_t slot) noexcept { return pending_[slot / kRangeSlots]++ == 0; }
  // `count` of the slot's range; whether they were the last.
  bool Release(uint32_t slot, uint32_t count) noexcept {
    return (pending_[slot / kRangeSlots] -= count) == 0;
  }
  bool IsBusy(uint32_t slot) const noexcept { return pending_[slot / kRangeSlots] != 0; }

  // ---- a pass of digests -------------------------------------------------------------------------
  // All ranges below `end` are to be proved equal anew.
  void BeginPass(uint32_t end) noexcept {
    for (uint32_t word = 0; word < Words(); ++word) {
      const uint32_t begin = word * 64;
      unproved_[word] = end >= begin + 64 ? ~uint64_t{0}
                        : end > begin     ? (uint64_t{1} << (end - begin)) - 1
                                          : 0;
    }
    unproved_count_ = end;
    cursor_ = 0;
  }
  void ForgetAsked() noexcept {
    for (uint32_t word = 0; word < Words(); ++word)
      asked_[word] = 0;
  }
  uint32_t unproved() const noexcept { return unproved_count_; }

  // The next range to ask for, round and round; kNone: there is none from here to the end, and the
  // next call begins at the start.
  uint32_t NextToAsk() noexcept {
    for (uint32_t word = cursor_ / 64; word < Words(); ++word) {
      uint64_t bits = unproved_[word] & ~asked_[word];
      if (word == cursor_ / 64) bits &= ~uint64_t{0} << (cursor_ % 64);
      if (bits == 0) continue;
      const uint32_t range = word * 64 + static_cast<uint32_t>(std::countr_zero(bits));
      cursor_ = range + 1;
      return range;
    }
    cursor_ = 0;
    return kNone;
  }
  void MarkAsked(uint32_t range) noexcept { asked_[range / 64] |= Bit(range); }
  void ClearAsked(uint32_t range) noexcept { asked_[range / 64] &= ~Bit(range); }
  bool IsAsked(uint32_t range) const noexcept { return (asked_[range / 64] & Bit(range)) != 0; }
  void MarkProved(uint32_t range) noexcept {
    if ((unproved_[range / 64] & Bit(range)) == 0) return;
    unproved_[range / 64] &= ~Bit(range);
    --unproved_count_;
  }
  void MarkUnproved(uint32_t range) noexcept {
    if ((unproved_[range / 64] & Bit(range)) != 0) return;
    unproved_[range / 64] |= Bit(range);
    ++unproved_count_;
  }

 private:
  static uint64_t Bit(uint32_t range) { return uint64_t{1} << (range % 64); }
  uint32_t Words() const noexcept { return (size_ + 63) / 64; }

  uint32_t size_;
  std::unique_ptr<uint32_t[]> pending_;
  std::unique_ptr<uint64_t[]> unproved_;
  std::unique_ptr<uint64_t[]> asked_;
  uint32_t unproved_count_ = 0;
  uint32_t cursor_ = 0;
};

}  // namespace tandem::mirror
