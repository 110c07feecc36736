// SPDX-License-Identifier: Apache-2.0
//
// For test programs of the mutation gate, as a source of each: a build that can make mistakes makes the
// one that the environment names (tests/sim/mutations.py).
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "dataplane/base/mutation.h"

namespace tandem::test {
namespace {

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
}  // namespace tandem::test
