// SPDX-License-Identifier: Apache-2.0
//
// A writer and a reader of a flow stream, over links of all kinds: the shadow equals the flows.
#include <catch2/catch.hpp>

#include "tests/unit/mirror/stream_rig.h"

namespace tandem::mirror::test {
namespace {

using flow::FlowHot4;
using flow::FlowHot6;

// What must hold whatever happened before.
void CheckEqual(StreamRig& rig) {
  REQUIRE(rig.RunUntil([&rig] { return rig.IsQuiet(); }));
  REQUIRE(rig.RunUntilInSync());
  CHECK(rig.Difference().empty());
  INFO(rig.Difference());
  CHECK(rig.sender.counters().audit_mismatches.Get() == 0);
}

}  // namespace

TEST_CASE("over a good link, changes come within the flush time", "[mirror]") {
  StreamRig rig({});
  rig.Open();
  rig.Run(10 * kMillisecond);
  const uint32_t slot = rig.Create<FlowHot4>(7);
  const uint32_t six = rig.Create<FlowHot6>(8);
  rig.Run(kMillisecond);
  CHECK(rig.Difference().empty());
  rig.Change<FlowHot4>(slot);
  rig.Run(kMillisecond);
  CHECK(rig.Difference().empty());
  CHECK(rig.sender.counters().updates.Get() == 1);
  rig.Close<FlowHot4>(slot);
  rig.Close<FlowHot6>(six);
  rig.Run(kMillisecond);
  CHECK(rig.reader.flows4.size() == 0);
  CheckEqual(rig);
}

TEST_CASE("over bad links, the shadow equals the flows once they rest", "[mirror]") {
  const uint64_t seed = GENERATE(1U, 2U, 3U, 4U, 5U, 6U);
  CAPTURE(seed);
  StreamRig rig({.seed = seed});
  rig.to_reader = {.loss = 0.1, .duplicates = 0.05, .delay = 50'000, .jitter = 200'000};
  rig.to_writer = rig.to_reader;
  for (int i = 0; i < 2000; ++i)
    rig.Churn(3000);
  rig.Open();
  for (int i = 0; i < 3000; ++i) {
    for (int k = 0; k < 10; ++k)
      rig.Churn(3000);
    rig.Run(50'000);
  }
  CheckEqual(rig);
}

}  // namespace tandem::mirror::test
