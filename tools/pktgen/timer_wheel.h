// SPDX-License-Identifier: Apache-2.0
//
// Timers of the clients' flows: a wheel of ticks (about 1 ms), each with a list of flows. A flow is in it
// once at most; its owner keeps the deadline, and puts it back when that has moved on, so that starting,
// moving and stopping a timer cost a store.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "dataplane/base/time.h"

namespace tandem::pktgen {

class TimerWheel {
 public:
  static constexpr uint32_t kSlots = 4096;  // timers further ahead come early, and are put back

  explicit TimerWheel(uint32_t items) : next_(items, kNobody) { slots_.fill(kNobody); }

  // REQUIRES: `item` is not in the wheel.
  void Arm(uint32_t item, Tick at) noexcept {
    int32_t ahead = TicksBetween(now_, at);
    if (ahead < 1) ahead = 1;
    if (ahead >= static_cast<int32_t>(kSlots)) ahead = kSlots - 1;
    uint32_t& slot = slots_[(now_ + static_cast<Tick>(ahead)) % kSlots];
    next_[item] = slot;
    slot = item;
  }

  // Takes out those whose time has come, `budget` at most, and calls expire(item) for each, which may put
  // it back. What is left over comes at the next call.
  template <typename Expire>
  void Advance(Tick now, int budget, Expire&& expire) {
    if (!has_begun_) now_ = now;
    has_begun_ = true;
    while (budget > 0) {
      if (due_ == kNobody) {
        if (TicksBetween(now_, now) <= 0) return;
        ++now_;
        due_ = slots_[now_ % kSlots];
        slots_[now_ % kSlots] = kNobody;
        continue;
      }
      const uint32_t item = due_;
      due_ = next_[item];
      expire(item);
      --budget;
    }
  }

 private:
  static constexpr uint32_t kNobody = UINT32_MAX;

  std::vector<uint32_t> next_;
  std::array<uint32_t, kSlots> slots_;
  uint32_t due_ = kNobody;
  Tick now_ = 0;
  bool has_begun_ = false;
};

}  // namespace tandem::pktgen
