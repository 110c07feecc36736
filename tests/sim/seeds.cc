// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/seeds.h"

#include <cstdio>
#include <cstdlib>
#include <random>

namespace tandem::sim {
namespace {

// Sanitized, a seed takes several times as long; and clang makes another world of each than g++.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif

}  // namespace

std::vector<uint64_t> SeedsOfRun(unsigned fixed) {
  if (const char* only = std::getenv("TANDEM_SIM_SEED"); only != nullptr)
    return {std::strtoull(only, nullptr, 0)};
  std::vector<uint64_t> seeds;
  for (uint64_t seed = 1; seed <= (kSanitized ? fixed / 2 : fixed); ++seed)
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
