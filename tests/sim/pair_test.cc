// SPDX-License-Identifier: Apache-2.0
//
// The whole world under every fault: fixed seeds and fresh ones.
#include <catch2/catch.hpp>

#include "tests/sim/pair_world.h"
#include "tests/sim/seeds.h"

namespace tandem::sim {

TEST_CASE("whole world: seeds") {
  for (const uint64_t seed : SeedsOfRun(16)) {
    Journal journal;
    INFO("seed " << seed);
    try {
      PairWorld world(PairOptions::Random(seed), journal);
      for (int part = 0; part < 2; ++part) {
        world.Run(4'000);
        world.Rest();
      }
      world.Finish();
    } catch (const Violation& violation) {
      FAIL(violation.what() << "\n" << journal.Text());
    }
  }
}

}  // namespace tandem::sim
