// SPDX-License-Identifier: Apache-2.0
//
// A histogram of times, log-linear as HDR's: 128 buckets for each power of two, so that a quantile is
// within 0.8 % of the sample it stands for; below 128 ns it is exact.
//
// Limits: times of kMax and more (18 minutes) share the last bucket; the largest time is kept exactly.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "dataplane/base/time.h"

namespace tandem::pktgen {

class Histogram {
 public:
  static constexpr int kFractionBits = 7;
  static constexpr int kMagnitudeMax = 40;
  static constexpr Nanos kMax = Nanos{1} << kMagnitudeMax;

  void Add(Nanos time_ns) noexcept {
    ++buckets_[BucketOf(time_ns)];
    ++count_;
    sum_ns_ += time_ns;
    min_ns_ = std::min(min_ns_, time_ns);
    max_ns_ = std::max(max_ns_, time_ns);
  }
  void Clear() noexcept { *this = Histogram(); }

  uint64_t count() const { return count_; }
  Nanos min_ns() const { return count_ == 0 ? 0 : min_ns_; }
  Nanos max_ns() const { return max_ns_; }
  double mean_ns() const;
  // The smallest time that at least this share of the samples does not exceed: 0.5 is the median. 0
  // when there is no sample.
  Nanos Quantile(double share) const noexcept;

 private:
  static constexpr size_t kPerMagnitude = size_t{1} << kFractionBits;
  static constexpr size_t kBuckets = (kMagnitudeMax - kFractionBits + 1) * kPerMagnitude;

  static size_t BucketOf(Nanos time_ns) noexcept {
    if (time_ns >= kMax) return kBuckets - 1;
    if (time_ns < kPerMagnitude) return static_cast<size_t>(time_ns);
    const int shift = static_cast<int>(std::bit_width(time_ns)) - kFractionBits - 1;
    const auto fraction = static_cast<size_t>(time_ns >> shift) - kPerMagnitude;
    return (static_cast<size_t>(shift) + 1) * kPerMagnitude + fraction;
  }
  static Nanos MiddleOf(size_t bucket) noexcept;

  std::array<uint64_t, kBuckets> buckets_{};
  uint64_t count_ = 0;
  uint64_t sum_ns_ = 0;
  Nanos min_ns_ = ~Nanos{0};
  Nanos max_ns_ = 0;
};

}  // namespace tandem::pktgen
