// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/popularity.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <map>

#include "tools/pktgen/frame_sizes.h"

namespace tandem::pktgen {
namespace {

// Chi square over the ranks, the rare ones together; its mean is the degrees of freedom.
double ChiSquarePerDegree(uint32_t flows, double exponent, uint64_t seed) {
  constexpr int kDraws = 400000;
  Popularity popularity(flows, exponent);
  Prng prng(seed);
  std::vector<uint32_t> drawn(flows);
  for (int i = 0; i < kDraws; ++i)
    ++drawn[popularity.Draw(prng)];
  double sum = 0;
  for (uint32_t k = 1; k <= flows; ++k)
    sum += std::pow(k, -exponent);
  double chi_square = 0;
  int classes = 0;
  double expected = 0;
  double seen = 0;
  for (uint32_t k = 1; k <= flows; ++k) {
    expected += kDraws * std::pow(k, -exponent) / sum;
    seen += drawn[k - 1];
    if (expected < 50 && k < flows) continue;
    chi_square += (seen - expected) * (seen - expected) / expected;
    ++classes;
    expected = seen = 0;
  }
  return chi_square / std::max(classes - 1, 1);
}

TEST_CASE("popularity: flows are drawn as often as Zipf's law says", "[pktgen]") {
  const uint32_t flows = GENERATE(1U, 2U, 3U, 10U, 1000U, 200000U);
  const double exponent = GENERATE(0.0, 0.5, 1.0, 1.1, 2.0);
  INFO(flows << " flows, exponent " << exponent);
  CHECK(ChiSquarePerDegree(flows, exponent, 42) < (flows < 1000 ? 4 : 1.3));
}

TEST_CASE("popularity: millions of flows, the first one's share exact", "[pktgen]") {
  constexpr uint32_t kFlows = 4'000'000;
  Popularity popularity(kFlows, 1.0);
  Prng prng(3);
  int first = 0;
  for (int i = 0; i < 1'000'000; ++i)
    first += popularity.Draw(prng) == 0 ? 1 : 0;
  const double share = 1 / (std::log(4e6) + 0.5772156649);
  CHECK(first == Approx(share * 1e6).epsilon(0.02));
}

TEST_CASE("frame sizes: IMIX is 7:4:1, a range is even, and both are bounded", "[pktgen]") {
  Prng prng(9);
  std::map<uint32_t, int> imix;
  std::map<uint32_t, int> range;
  for (int i = 0; i < 120000; ++i) {
    ++imix[FrameSizes::Imix().Of(prng.Next())];
    ++range[FrameSizes::Range(64, 73).Of(prng.Next())];
  }
  REQUIRE(imix.size() == 3);
  CHECK(imix[64] == Approx(70000).epsilon(0.02));
  CHECK(imix[570] == Approx(40000).epsilon(0.02));
  CHECK(imix[1518] == Approx(10000).epsilon(0.04));
  REQUIRE(range.size() == 10);
  for (const auto& [size, count] : range)
    CHECK(count == Approx(12000).epsilon(0.05));
}

TEST_CASE("frame sizes: text", "[pktgen]") {
  CHECK(FrameSizes::Parse("64")->Of(~uint64_t{0}) == 64);
  CHECK(FrameSizes::Parse("64-1518")->Of(~uint64_t{0}) == 1518);
  CHECK(FrameSizes::Parse("64-1518")->Of(0) == 64);
  CHECK(FrameSizes::Parse("imix")->high() == 1518);
  for (const char* text : {"", "63", "100-99", "64-", "-64", "small", "64-70000"}) {
    INFO(text);
    CHECK_FALSE(FrameSizes::Parse(text));
  }
}

}  // namespace
}  // namespace tandem::pktgen
