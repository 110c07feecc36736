// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/seeds.h"

#include <cstdio>
#include <cstdlib>
#include <random>

#include "dataplane/base/mutation.h"

namespace tandem::sim {
namespace {

// Before main, so that every test of the program makes it.
[[maybe_unused]] const bool made = [] {
  const char* name = std::getenv("TANDEM_MUTATION");
  if (name != nullptr && !MakeMutation(name)) {
    std::fprintf(stderr, "no mutation %s in this build\n", name);
    std::exit(64);  // mutations.py tells it from a violation
  }
  return true;
}();

}  // namespace

bool MakeMutation([[maybe_unused]] std::string_view name) {
#ifdef TANDEM_MUTATIONS
#define TANDEM_MUTATION_MAKE(mutation, what) \
  if (name == #mutation) {                   \
    made_mutation = Mutation::mutation;      \
    return true;                             \
  }
  TANDEM_MUTATIONS_LIST(TANDEM_MUTATION_MAKE)
#undef TANDEM_MUTATION_MAKE
#endif
  return false;
}

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
