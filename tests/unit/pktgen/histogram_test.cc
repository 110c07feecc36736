// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/histogram.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "dataplane/base/prng.h"

namespace tandem::pktgen {
namespace {

TEST_CASE("histogram: quantiles are within a hundredth of the sorted samples'", "[pktgen]") {
  const uint64_t seed = GENERATE(1U, 2U, 3U);
  const int bits_max = GENERATE(6, 16, 39);
  Prng prng(seed);
  Histogram histogram;
  std::vector<Nanos> samples;
  for (int i = 0; i < 20000; ++i) {
    const Nanos sample = prng.Next() >> (64 - bits_max + static_cast<int>(prng.Below(6)));
    samples.push_back(sample);
    histogram.Add(sample);
  }
  std::sort(samples.begin(), samples.end());
  for (const double share : {0.0001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
    const auto rank = static_cast<size_t>(std::ceil(share * 20000));
    const auto exact = static_cast<double>(samples[std::max<size_t>(rank, 1) - 1]);
    INFO(share);
    CHECK(std::abs(static_cast<double>(histogram.Quantile(share)) - exact) <= 0.008 * exact);
  }
  CHECK(histogram.max_ns() == samples.back());
  CHECK(histogram.min_ns() == samples.front());
  CHECK(histogram.count() == 20000);
}

TEST_CASE("histogram: empty, one sample, and times beyond the last bucket", "[pktgen]") {
  Histogram histogram;
  CHECK(histogram.Quantile(0.5) == 0);
  CHECK(histogram.min_ns() == 0);
  histogram.Add(1234567);
  CHECK(histogram.Quantile(0.5) == 1234567);
  histogram.Add(Histogram::kMax * 3);
  CHECK(histogram.max_ns() == Histogram::kMax * 3);
  CHECK(histogram.Quantile(1) == Histogram::kMax * 3);
}

}  // namespace
}  // namespace tandem::pktgen
