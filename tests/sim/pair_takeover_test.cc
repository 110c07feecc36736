// SPDX-License-Identifier: Apache-2.0
//
// A device that dies unasked, in scenes of their own; the seeds of pair_test.cc do it by chance.
#include <catch2/catch.hpp>

#include "tests/sim/pair_world.h"

namespace tandem::sim {

TEST_CASE("row 26: who takes over gives nobody a port that it was not told of") {
  Journal journal;
  PairOptions options;
  options.seed = 26;
  options.conversations = 150;
  options.client_ports = 12;
  options.with_faults = options.with_restarts = options.with_config = false;
  PairWorld world(options, journal);
  try {
    for (const unsigned dies : {0U, 1U}) {
      world.Settle();
      for (unsigned device = 0; device < 2; ++device)
        world.SetMirrorFaults(device, {.cut = true});
      world.Steps(1500, kMillisecond);
      world.Crash(dies);
      world.Steps(1500, kMillisecond);
    }
    world.Finish();
  } catch (const Violation& violation) {
    FAIL(violation.what() << "\n" << journal.Text());
  }
}

}  // namespace tandem::sim
