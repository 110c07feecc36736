// SPDX-License-Identifier: Apache-2.0
//
// Counts allocations between two moments, for tests of what must not allocate: operator new, and malloc
// and its kin as our own objects call them. An executable that uses it has allocation_guard.cc among its
// sources and `allocation_guard_args` as link arguments, by which the linker puts it in their place.
#pragma once

namespace tandem::test {

void GuardAllocations(bool begins);
unsigned Allocations();  // so far, while guarded

}  // namespace tandem::test
