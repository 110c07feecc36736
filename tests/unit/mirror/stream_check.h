// SPDX-License-Identifier: Apache-2.0
//
// What must hold of a stream's two ends.
#pragma once

#include <cstdint>

#include "tests/unit/mirror/stream_rig.h"

namespace tandem::mirror::test {

// Whatever happened before: in sync soon, and equal.
void CheckEqual(StreamRig& rig, uint64_t mismatches = 0);

}  // namespace tandem::mirror::test
