// SPDX-License-Identifier: Apache-2.0
//
// The small world under every fault: fixed seeds, fresh ones, and scenes of its own.
#include <catch2/catch.hpp>

#include "tests/sim/seeds.h"
#include "tests/sim/stream_world.h"

namespace tandem::sim {
namespace {

void RunSeed(uint64_t seed, unsigned steps, Journal& journal) {
  StreamWorld world(StreamOptions::Random(seed), journal);
  for (int part = 0; part < 3; ++part) {
    world.Run(steps / 3);
    world.Settle();
  }
  world.Empty();
}

}  // namespace

TEST_CASE("small world: seeds") {
  for (const uint64_t seed : SeedsOfRun(40)) {
    Journal journal;
    INFO("seed " << seed);
    try {
      RunSeed(seed, 15'000, journal);
    } catch (const Violation& violation) {
      FAIL(violation.what() << "\n" << journal.Text());
    }
  }
}

// The last proof of a session's first pass comes after a pause of the writer, in which what it had not told
// yet grew old.
TEST_CASE("small world: a proof that comes late") {
  Journal journal;
  CHECK_NOTHROW(RunSeed(1310303929, 15'000, journal));
}

}  // namespace tandem::sim
