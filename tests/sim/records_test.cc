// SPDX-License-Identifier: Apache-2.0
//
// The small world of persistence records: two tables and the streams between them alone, over a link that
// loses, repeats and delays, while records come, change and go.
#include "tests/sim/seeds.h"
#include "tests/unit/mirror/persist_pair.h"

namespace tandem::sim {

using mirror::PersistPair;

TEST_CASE("small world: records") {
  for (const uint64_t seed : SeedsOfRun(24)) {
    INFO("seed " << seed);
    Prng prng(seed * 7919);
    PersistPair pair(
        seed,
        {.lost = prng.Below(40), .duplicated = prng.Below(90), .delay_max = 1 + prng.Below(40)});
    // Few keys, so that each of them is often on its way.
    const uint32_t keys = 2 + prng.Below(prng.Below(3) == 0 ? 200 : 20);
    // Compared often: a copy that went wrong is right again with the record's next change.
    for (int round = 0; round < 30; ++round) {
      for (uint32_t step = 10 + prng.Below(40); step > 0; --step) {
        for (uint32_t i = prng.Below(4); i > 0; --i) {
          const uint32_t number = prng.Below(keys);
          const auto profile = static_cast<config::PersistenceId>(1 + number % 2);
          const auto member = static_cast<config::MemberId>(1 + prng.Below(50));
          if (prng.Below(4) == 0) {
            pair.Delete(number, profile);
          } else {
            pair.Use(number, member, profile, /*replace=*/true);
          }
        }
        pair.Step(prng.Below(4) * kMillisecond);
        if (prng.Below(500) == 0) pair.Reopen();
      }
      pair.Quiet();
      REQUIRE(pair.Difference() == "");
    }
  }
}

}  // namespace tandem::sim
