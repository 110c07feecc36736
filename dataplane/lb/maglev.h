// SPDX-License-Identifier: Apache-2.0
//
// Maglev lookup tables (Eisenbud et al., NSDI 2016, section 3.4), weighted by ratio. A member is
// placed by the hash of its address and port, never by its position, so every device and every
// reload builds the same table and a member that leaves moves few clients of the others.
#pragma once

#include <vector>

#include "dataplane/config/objects.h"

namespace tandem::lb {

// The table size for a pool of `members`: the smallest prime of a fixed list that is at least 100
// times the members (at most 1 % imbalance), 65537 at most beyond 655 members.
uint32_t MaglevSize(size_t members);

// Fills `pool.maglev` from the members that accept new flows; empties it when there is none or the
// pool balances otherwise. `members` is indexed by MemberId.
void FillMaglev(config::Pool& pool, const std::vector<config::Member>& members);

}  // namespace tandem::lb
