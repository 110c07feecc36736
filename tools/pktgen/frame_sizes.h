// SPDX-License-Identifier: Apache-2.0
//
// How large the next frame is: always the same, the usual Internet mix (IMIX: 64, 570 and 1518 bytes as
// 7:4:1), or any of a range. Sizes count the FCS, as RFC 2544 and everybody who quotes 64 bytes does.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tandem::pktgen {

class FrameSizes {
 public:
  static constexpr uint32_t kSmallest = 64;
  static constexpr uint32_t kFcsSize = 4;

  static FrameSizes Fixed(uint32_t size) { return {Kind::kRange, size, size}; }
  static FrameSizes Range(uint32_t low, uint32_t high) { return {Kind::kRange, low, high}; }
  static FrameSizes Imix() { return {Kind::kImix, kSmallest, 1518}; }
  // "64", "imix", "64-1518".
  static std::optional<FrameSizes> Parse(std::string_view text);

  // `random` is uniform over 64 bits; the same one gives the same size.
  uint32_t Of(uint64_t random) const noexcept {
    random >>= 32;
    if (kind_ == Kind::kRange) {
      return low_ + static_cast<uint32_t>(random * (high_ - low_ + 1) >> 32);
    }
    const uint64_t twelfth = random * 12 >> 32;
    return twelfth < 7 ? 64 : twelfth < 11 ? 570 : 1518;
  }
  uint32_t low() const { return low_; }
  uint32_t high() const { return high_; }

 private:
  enum class Kind : uint8_t { kRange, kImix };
  FrameSizes(Kind kind, uint32_t low, uint32_t high) : kind_(kind), low_(low), high_(high) {}

  Kind kind_;
  uint32_t low_;
  uint32_t high_;
};

}  // namespace tandem::pktgen
