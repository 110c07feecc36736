// SPDX-License-Identifier: Apache-2.0
//
// Which seeds a run of the tests tries. The environment decides:
//   TANDEM_SIM_SEED=N      that one alone
//   TANDEM_SIM_FRESH=N     so many fresh ones after the fixed ones (2 unless said)
//   TANDEM_MUTATION=NAME   the mistake to make, in a build that can
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace tandem::sim {

// 1..fixed, then fresh ones; fresh seeds are printed.
std::vector<uint64_t> SeedsOfRun(unsigned fixed);

// False: there is none of that name, or this build makes none.
bool MakeMutation(std::string_view name);

}  // namespace tandem::sim
