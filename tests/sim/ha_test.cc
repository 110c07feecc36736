// SPDX-License-Identifier: Apache-2.0
//
// The takeover world: seeds under every fault, and scenes with one.
#include <catch2/catch.hpp>

#include "tests/sim/ha_world.h"
#include "tests/sim/seeds.h"

namespace tandem::sim {
namespace {

void RunSeed(uint64_t seed, Journal& journal) {
  HaWorld world(HaOptions::Random(seed), journal);
  for (int part = 0; part < 3; ++part) {
    world.Run(3 * kSecond);
    world.Settle();
  }
}

}  // namespace

TEST_CASE("takeover: seeds") {
  for (const uint64_t seed : SeedsOfRun(150)) {
    Journal journal;
    INFO("seed " << seed);
    try {
      RunSeed(seed, journal);
    } catch (const Violation& violation) {
      FAIL(violation.what() << "\n" << journal.Text());
    }
  }
}

}  // namespace tandem::sim
