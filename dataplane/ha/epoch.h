// SPDX-License-Identifier: Apache-2.0
//
// The number of a turn of being active for a traffic group: ballot, device, and whether the turn was
// handed over. Compared as one number; the higher one is right. README.md has the rules of minting.
//
//   Epoch ours = Epoch::Promoted(seen.ballot() + 1, self);   // taken
//   Epoch next = Epoch::Planned(ours.ballot() + 1, target);  // given
//
// On the wire and in mirroring frames it is bits().
#pragma once

#include <compare>
#include <cstdint>

namespace tandem::ha {

// Of a device in its group; 0: none.
using DeviceId = uint8_t;

inline constexpr uint32_t kBallotMax = (1U << 23) - 1;

class Epoch {
 public:
  constexpr Epoch() = default;
  static constexpr Epoch FromBits(uint32_t bits) { return Epoch(bits); }
  // REQUIRES: ballot <= kBallotMax.
  static constexpr Epoch Promoted(uint32_t ballot, DeviceId device) {
    return Epoch(ballot << 9 | uint32_t{device} << 1);
  }
  static constexpr Epoch Planned(uint32_t ballot, DeviceId target) {
    return Epoch(ballot << 9 | uint32_t{target} << 1 | 1);
  }

  constexpr uint32_t bits() const { return bits_; }
  constexpr uint32_t ballot() const { return bits_ >> 9; }
  // Whose turn it is.
  constexpr DeviceId device() const { return static_cast<DeviceId>(bits_ >> 1); }
  constexpr bool is_planned() const { return (bits_ & 1) != 0; }
  constexpr bool is_none() const { return bits_ == 0; }
  // None, or one that somebody may have minted.
  constexpr bool is_sound() const { return is_none() || (ballot() > 0 && device() > 0); }

  friend constexpr auto operator<=>(Epoch, Epoch) = default;

 private:
  explicit constexpr Epoch(uint32_t bits) : bits_(bits) {}

  uint32_t bits_ = 0;
};

}  // namespace tandem::ha
