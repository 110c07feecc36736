// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/seeds.h"

#include <cstdio>
#include <cstdlib>
#include <random>

namespace tandem::sim {
std::vector<uint64_t> SeedsOfRun(unsigned fixed) {
  if (const char* only = std::getenv("TANDEM_SIM_SEED"); only != nullptr)
    return {std::strtoull(only, nullptr, 0)};
  std::vector<uint64_t> seeds;
  for (uint64_t seed = 1; seed <= fixed; ++seed)
    seeds.push_back(seed);
  const char* wanted = std::getenv("TANDEM_SIM_FRESH");
  const unsigned long fresh = wanted == nullptr ? 2 : std::strtoul(wanted, nullptr, 10);
  std::random_device random;
  for (unsigned long i = 0; i < fresh; ++i) {
    seeds.push_back(random());
    std::printf("fresh seed %llu\n", static_cast<unsigned long long>(seeds.back()));
  }
  return seeds;
}

}  // namespace tandem::sim
