// SPDX-License-Identifier: Apache-2.0
//
// Which seeds a run of the tests tries. The environment decides:
//   TANDEM_SIM_SEED=N      that one alone
//   TANDEM_SIM_FRESH=N     so many fresh ones after the fixed ones (2 unless said)
#pragma once

#include <cstdint>
#include <vector>

namespace tandem::sim {

// 1..fixed, sanitized half of them, then fresh ones; fresh seeds are printed.
std::vector<uint64_t> SeedsOfRun(unsigned fixed);

}  // namespace tandem::sim
