// SPDX-License-Identifier: Apache-2.0
#include "dataplane/flow/index.h"

#include <catch2/catch.hpp>
#include <unordered_map>
#include <vector>

#include "dataplane/base/prng.h"
#include "tests/unit/flow/aligned_memory.h"

using tandem::Prng;
using tandem::flow::AlignedMemory;
using tandem::flow::Index;

namespace {

struct Built {
  explicit Built(uint32_t entries) : memory(Index::BytesNeeded(entries)), index(memory, entries) {}

  bool Has(uint64_t hash, Index::Reference wanted) const {
    return index.Find(hash, [&](Index::Reference found) { return found == wanted; }) == wanted;
  }

  AlignedMemory memory;
  Index index;
};

// A hash whose bucket and tag come from the given choices.
uint64_t MakeHash(Prng& prng, uint32_t buckets, uint32_t tags) {
  const uint64_t high = uint64_t{prng.Below(buckets)} * (UINT32_MAX / buckets);
  return high << 32 | prng.Below(tags);
}

}  // namespace

TEST_CASE("index: takes all entries that it was made for, at any size", "[flow]") {
  const uint64_t seed = tandem::flow::FreshSeed();
  INFO("seed " << seed);
  Prng prng(seed);
  for (uint32_t entries = 1; entries < 200000; entries = entries * 3 / 2 + 1) {
    Built built(entries);
    std::vector<uint64_t> hashes;
    for (uint32_t i = 0; i < entries; ++i) {
      hashes.push_back(prng.Next());
      REQUIRE(built.index.Insert(hashes.back(), i));
    }
    for (uint32_t i = 0; i < entries; ++i)
      REQUIRE(built.Has(hashes[i], i));
    // Full for ever: churn must not wear it out.
    for (uint32_t i = 0; i < 4 * entries; ++i) {
      const uint32_t at = prng.Below(entries);
      REQUIRE(built.index.Erase(hashes[at], at));
      hashes[at] = prng.Next();
      REQUIRE(built.index.Insert(hashes[at], at));
    }
    for (uint32_t i = 0; i < entries; ++i)
      REQUIRE(built.Has(hashes[i], i));
  }
}

TEST_CASE("index: agrees with a map when buckets overflow and tags collide", "[flow]") {
  const uint64_t seed = tandem::flow::FreshSeed();
  INFO("seed " << seed);
  Prng prng(seed);
  for (const uint32_t tags : {1U, 2U, 5U, 65536U}) {
    for (const uint32_t buckets : {1U, 3U, 20U}) {
      Built built(150);
      std::unordered_map<Index::Reference, uint64_t> model;
      unsigned refused = 0;
      for (int i = 0; i < 20000; ++i) {
        const Index::Reference reference = prng.Below(300);
        const auto at = model.find(reference);
        if (at != model.end()) {
          REQUIRE(built.Has(at->second, reference));
          REQUIRE(built.index.Erase(at->second, reference));
          REQUIRE_FALSE(built.index.Erase(at->second, reference));
          REQUIRE_FALSE(built.Has(at->second, reference));
          model.erase(at);
        } else if (model.size() < 150) {
          const uint64_t hash = MakeHash(prng, buckets, tags);
          if (built.index.Insert(hash, reference)) {
            model[reference] = hash;
          } else {
            ++refused;
            REQUIRE_FALSE(built.Has(hash, reference));
          }
        }
        if (i % 500 == 0) {
          for (const auto& [known, hash] : model)
            REQUIRE(built.Has(hash, known));
        }
      }
      // One hash fits two buckets at most; hashes as they come never fail.
      if (tags == 1 && buckets == 1) CHECK(refused > 0);
      if (tags == 65536 && buckets == 20) CHECK(refused == 0);
    }
  }
}
