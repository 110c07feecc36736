// SPDX-License-Identifier: Apache-2.0
//
// When the floating addresses of a group are announced: on becoming active and again when a split
// heals, at once and four times more, since announcements are lost and switches forget.
#pragma once

#include <array>
#include <cstddef>

#include "dataplane/base/time.h"

namespace tandem::ha {

class AnnouncementSchedule {
 public:
  static constexpr std::array<Nanos, 5> kAfter = {0, 50 * kMillisecond, 100 * kMillisecond,
                                                  500 * kMillisecond, 2000 * kMillisecond};

  void Start(Nanos now) {
    began_ = now;
    next_ = 0;
  }
  void Stop() { next_ = kAfter.size(); }

  // Whether one is due; those missed while nobody asked are one.
  bool IsDue(Nanos now) {
    bool is_due = false;
    while (next_ < kAfter.size() && now >= began_ + kAfter[next_]) {
      is_due = true;
      ++next_;
    }
    return is_due;
  }
  Nanos next_deadline() const {
    return next_ < kAfter.size() ? began_ + kAfter[next_] : UINT64_MAX;
  }

 private:
  Nanos began_ = 0;
  size_t next_ = kAfter.size();
};

}  // namespace tandem::ha
