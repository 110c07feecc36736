// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/histogram.h"

#include <algorithm>
#include <cmath>

namespace tandem::pktgen {

Nanos Histogram::MiddleOf(size_t bucket) noexcept {
  if (bucket < kPerMagnitude) return bucket;
  const size_t shift = bucket / kPerMagnitude - 1;
  const Nanos lowest = static_cast<Nanos>(bucket % kPerMagnitude + kPerMagnitude) << shift;
  return lowest + ((Nanos{1} << shift) >> 1);
}

double Histogram::mean_ns() const {
  return count_ == 0 ? 0 : static_cast<double>(sum_ns_) / static_cast<double>(count_);
}

Nanos Histogram::Quantile(double share) const noexcept {
  if (count_ == 0) return 0;
  const double exact_rank = std::ceil(share * static_cast<double>(count_));
  const auto rank = std::clamp<uint64_t>(static_cast<uint64_t>(exact_rank), 1, count_);
  if (rank == count_) return max_ns_;
  uint64_t below = 0;
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    below += buckets_[bucket];
    if (below >= rank) return std::clamp(MiddleOf(bucket), min_ns_, max_ns_);
  }
  return max_ns_;
}

}  // namespace tandem::pktgen
