// SPDX-License-Identifier: Apache-2.0
#include "dataplane/flow/bit_tree.h"

#include <catch2/catch.hpp>
#include <set>
#include <vector>

#include "dataplane/base/prng.h"
#include "tests/unit/flow/aligned_memory.h"

using tandem::Prng;
using tandem::flow::BitTree;

TEST_CASE("bit tree: agrees with a std::set at every size", "[flow]") {
  const uint64_t seed = tandem::flow::FreshSeed();
  INFO("seed " << seed);
  Prng prng(seed);
  for (const uint32_t size : {1U, 63U, 64U, 65U, 4096U, 4097U, BitTree::kSizeMax}) {
    std::vector<uint64_t> words(BitTree::WordsNeeded(size));
    BitTree tree(words.data());
    std::set<uint32_t> model;
    for (int i = 0; i < 20000; ++i) {
      // Mostly few members, so that the search has to climb.
      const uint32_t member = prng.Below(size);
      if (prng.Below(3) == 0) {
        tree.Set(member);
        model.insert(member);
      } else if (!model.empty()) {
        const uint32_t gone = prng.Below(2) == 0 ? *model.begin() : *model.rbegin();
        tree.Clear(gone);
        model.erase(gone);
      }
      const uint32_t from = prng.Below(size);
      const auto expected = model.lower_bound(from);
      REQUIRE(tree.FirstFrom(from) == (expected == model.end() ? BitTree::kNone : *expected));
      REQUIRE(tree.Test(member) == model.contains(member));
    }
  }
}
