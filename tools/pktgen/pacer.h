// SPDX-License-Identifier: Apache-2.0
//
// Open-loop rate control: how many may go now, so that the n-th goes n / rate after the beginning,
// whatever comes back. Computed from the beginning, so that nothing drifts.
//
// A generator that was held up catches up by `burst` at most; what is beyond is given up and shows as the
// difference between due() and granted().
#pragma once

#include <algorithm>
#include <cstdint>

#include "dataplane/base/hash.h"
#include "dataplane/base/time.h"

namespace tandem::pktgen {

class Pacer {
 public:
  // 0 a second: as many as one can.
  Pacer(uint64_t per_second, uint64_t burst) : per_second_(per_second), burst_(burst) {}

  void Start(Nanos now) {
    began_ = now;
    due_ = granted_ = given_up_ = 0;
  }

  // At most `wanted`, which is granted thereby.
  uint64_t Take(Nanos now, uint64_t wanted) {
    if (per_second_ == 0) {
      due_ += wanted;
      granted_ += wanted;
      return wanted;
    }
    due_ = static_cast<uint64_t>(static_cast<Uint128>(now - began_) * per_second_ / kSecond);
    const uint64_t open = due_ - granted_ - given_up_;
    if (open > burst_) given_up_ += open - burst_;
    const uint64_t count = std::min({open, burst_, wanted});
    granted_ += count;
    return count;
  }

  // What Take granted and the caller had no use for.
  void GiveBack(uint64_t count) {
    granted_ -= count;
    per_second_ == 0 ? due_ -= count : given_up_ += count;
  }

  bool is_limited() const { return per_second_ != 0; }
  uint64_t due() const { return due_; }
  uint64_t granted() const { return granted_; }

 private:
  uint64_t per_second_;
  uint64_t burst_;
  Nanos began_ = 0;
  uint64_t due_ = 0;
  uint64_t granted_ = 0;
  uint64_t given_up_ = 0;
};

}  // namespace tandem::pktgen
