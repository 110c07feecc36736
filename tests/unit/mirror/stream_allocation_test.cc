// SPDX-License-Identifier: Apache-2.0
//
// The two ends of a flow stream allocate nothing once they are made: not for the first pass, live
// changes, losses, sweeping, digests or repair.
#include <catch2/catch.hpp>

#include "tests/support/allocation_guard.h"
#include "tests/unit/mirror/stream_rig.h"

namespace tandem::mirror::test {

TEST_CASE("row 32: a stream allocates nothing, whatever it has to repeat", "[mirror]") {
  StreamRig rig({.seed = 3});
  rig.around_call = &tandem::test::GuardAllocations;
  rig.to_reader = {.loss = 0.1, .duplicates = 0.05, .delay = 50'000, .jitter = 200'000};
  rig.to_writer = rig.to_reader;
  const unsigned before = tandem::test::Allocations();
  for (int session = 0; session < 3; ++session) {
    rig.Open();
    for (int i = 0; i < 300; ++i) {
      for (int k = 0; k < 30; ++k)
        rig.Churn(6000);
      rig.Run(50'000);
    }
    REQUIRE(rig.RunUntilInSync());
    flow::FlowTable<flow::FlowHot4>& shadow = rig.reader.flows4;
    const uint32_t slot = shadow.pages().SlotAt(kGroup, 3);
    shadow.hot(slot).common.client_mac[0] ^= 4;
    rig.Run(70 * kSecond, 200'000);
  }
  CHECK(rig.sender.counters().audit_mismatches.Get() > 0);
  rig.CloseAll();
  REQUIRE(rig.RunUntilInSync());
  rig.Run(3 * kSecond, 100'000);
  CHECK(rig.Difference() == "");
  CHECK(tandem::test::Allocations() == before);
}

}  // namespace tandem::mirror::test
