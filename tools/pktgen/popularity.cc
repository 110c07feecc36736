// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/popularity.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace tandem::pktgen {
namespace {

// Each flow's share times the number of flows, so that 1 is a column's height.
std::vector<double> ZipfHeights(uint32_t flows, double exponent) {
  std::vector<double> heights(flows);
  double sum = 0;
  for (uint32_t flow = flows; flow-- > 0;) {  // the small ones first, for the sum's sake
    heights[flow] = std::pow(static_cast<double>(flow) + 1, -exponent);
    sum += heights[flow];
  }
  for (double& height : heights) {
    height *= static_cast<double>(flows) / sum;
  }
  return heights;
}

}  // namespace

Popularity::Popularity(uint32_t flows, double exponent) : flows_(flows) {
  if (exponent == 0) return;
  columns_.resize(flows);
  std::vector<double> heights = ZipfHeights(flows, exponent);
  // The heights fall with the rank, so the high columns are the first `split` ones: no lists of high
  // and low columns are needed, only two places in one.
  uint32_t high = 0;
  const auto split = static_cast<uint32_t>(
      std::partition_point(heights.begin(), heights.end(), [](double h) { return h >= 1; }) -
      heights.begin());
  uint32_t low = split;
  uint32_t filling = split;  // a column to be filled up: from the low ones, or a high one used up
  while (filling < flows && high < split) {
    constexpr double kFull = 4294967296.0;
    const double share = std::clamp(heights[filling] * kFull, 1.0, kFull);
    columns_[filling] = {static_cast<uint32_t>(share - 1), high};
    heights[high] -= 1 - heights[filling];
    const bool is_used_up = heights[high] < 1;
    if (filling == low) ++low;
    filling = is_used_up ? high++ : low;
  }
}

}  // namespace tandem::pktgen
