// SPDX-License-Identifier: Apache-2.0
#include "dataplane/mirror/path_mtu.h"

#include <algorithm>

namespace tandem::mirror {

PathMtu::PathMtu(uint16_t most) : most_(std::max(most, kFloor)), mtu_(std::min(most_, kBase)) {}

void PathMtu::Restart(Nanos now) {
  mtu_ = std::min(most_, kBase);
  Search(kFloor, most_, now);
}

void PathMtu::Search(uint16_t low, uint16_t high, Nanos now) {
  searching_ = true;
  confirming_ = false;
  low_ = low;
  high_ = high;
  size_ = high;
  tries_ = 0;
  sent_at_ = now;
}

void PathMtu::Confirm(Nanos now) {
  Search(kFloor, mtu_, now);
  confirming_ = true;
}

// Whether the probe that is out has been lost, and those before. Of a peer that is not heard at all
// nothing follows, nor when it was long ago that anybody looked.
bool PathMtu::IsLost(Nanos now, Nanos heard_at) const {
  if (!confirming_) return tries_ >= kTries;
  return tries_ >= kConfirmTries && heard_at > sent_at_ && now - sent_at_ < 2 * kPatience;
}

uint16_t PathMtu::Due(Nanos now, Nanos heard_at) {
  if (!searching_) {
    if (ended_at_ == 0) return 0;
    if (mtu_ < most_ && now - ended_at_ >= raise_after_) {
      raise_after_ = std::min(2 * raise_after_, kRaiseEvery);
      Search(mtu_, most_, now);
    } else if (mtu_ > kFloor && now - confirmed_at_ >= kConfirmEvery) {
      Confirm(now);
    } else {
      return 0;
    }
  }
  if (tries_ > 0 && now - sent_at_ < kPatience) return 0;
  if (IsLost(now, heard_at)) Lost(now);
  if (!searching_) return 0;
  ++tries_;
  sent_at_ = now;
  return size_;
}

void PathMtu::Lost(Nanos now) {
  confirming_ = false;
  high_ = std::max(low_, static_cast<uint16_t>(size_ - 1));
  // What was believed is not true any more: go on with what is safe until more is known.
  if (mtu_ > high_) {
    mtu_ = low_;
    raise_after_ = kRaiseSoon;
  }
  Narrow(now);
}

void PathMtu::OnAnswer(uint16_t size, Nanos now) {
  if (!searching_ || tries_ == 0 || size != size_) return;
  low_ = size;
  mtu_ = std::max(mtu_, size);
  Narrow(now);
}

void PathMtu::Narrow(Nanos now) {
  tries_ = 0;
  if (high_ - low_ < kPrecision) {
    searching_ = false;
    mtu_ = std::max(low_, std::min(mtu_, high_));
    confirmed_at_ = now;
    if (!confirming_) ended_at_ = now;
    return;
  }
  size_ = static_cast<uint16_t>((low_ + high_ + 1) / 2);
}

}  // namespace tandem::mirror
