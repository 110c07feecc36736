// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/mirror/stream_check.h"

#include <catch2/catch.hpp>

namespace tandem::mirror::test {

void CheckEqual(StreamRig& rig, uint64_t mismatches) {
  rig.Run(kMillisecond);  // levels are brought up to date now and then
  REQUIRE(rig.RunUntil([&rig] { return rig.IsQuiet(); }));
  REQUIRE(rig.RunUntilInSync());
  CHECK(rig.Difference() == "");
  CHECK(rig.Impossible() == "");
  CHECK(rig.sender.counters().audit_mismatches.Get() == mismatches);
  CHECK(rig.receiver.counters().audit_mismatches.Get() == mismatches);
}

}  // namespace tandem::mirror::test
