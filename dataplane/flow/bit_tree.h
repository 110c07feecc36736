// SPDX-License-Identifier: Apache-2.0
//
// A set of small integers over caller-owned words, with "lowest member from here on" in constant
// time: one bit a member, and above them one bit a non-empty word. Zeroed words are the empty set.
//
// Limits: members are below the size the words were reckoned for, at most kSizeMax.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace tandem::flow {

class BitTree {
 public:
  static constexpr uint32_t kSizeMax = 1U << 14;
  static constexpr uint32_t kNone = UINT32_MAX;

  static constexpr size_t WordsNeeded(uint32_t size) { return kSummaryWords + (size + 63) / 64; }

  BitTree() = default;  // a set that may not be looked at
  explicit BitTree(uint64_t* words) : summary_(words), leaves_(words + kSummaryWords) {}

  bool Test(uint32_t member) const { return (leaves_[member / 64] >> (member % 64) & 1) != 0; }

  void Set(uint32_t member) {
    leaves_[member / 64] |= uint64_t{1} << (member % 64);
    summary_[member / 4096] |= uint64_t{1} << (member / 64 % 64);
  }

  void Clear(uint32_t member) {
    uint64_t& leaf = leaves_[member / 64];
    leaf &= ~(uint64_t{1} << (member % 64));
    if (leaf == 0) summary_[member / 4096] &= ~(uint64_t{1} << (member / 64 % 64));
  }

  // Lowest member not below `from`, or kNone. REQUIRES: `from` is below the size.
  uint32_t FirstFrom(uint32_t from) const {
    const uint64_t word = leaves_[from / 64] >> (from % 64);
    if (word != 0) return from + CountTrailingZeros(word);
    const uint32_t leaf = from / 64 + 1;
    uint32_t group = leaf / 64;
    if (group >= kSummaryWords) return kNone;
    uint64_t summary = summary_[group] & (~uint64_t{0} << (leaf % 64));
    while (summary == 0) {
      if (++group == kSummaryWords) return kNone;
      summary = summary_[group];
    }
    const uint32_t found = group * 64 + CountTrailingZeros(summary);
    return found * 64 + CountTrailingZeros(leaves_[found]);
  }

 private:
  static constexpr uint32_t kSummaryWords = kSizeMax / 4096;

  static uint32_t CountTrailingZeros(uint64_t word) {
    return static_cast<uint32_t>(std::countr_zero(word));
  }

  uint64_t* summary_ = nullptr;
  uint64_t* leaves_ = nullptr;
};

}  // namespace tandem::flow
