// SPDX-License-Identifier: Apache-2.0
#include "dataplane/flow/slot_pages.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <vector>

#include "dataplane/base/prng.h"
#include "tests/unit/flow/aligned_memory.h"

using tandem::kFlowsPerPage;
using tandem::kTrafficGroupsMax;
using tandem::Prng;
using tandem::config::TrafficGroupId;
using tandem::flow::AlignedMemory;
using tandem::flow::SlotPages;

namespace {

constexpr uint32_t kNone = UINT32_MAX;

// The contract, done slowly: pages of a group by logical number, a pool of pages by number.
class Model {
 public:
  explicit Model(uint32_t capacity) : capacity_(capacity) {
    for (uint32_t page = 0; page * kFlowsPerPage < capacity; ++page)
      pool_.insert(page);
  }

  uint32_t Allocate(TrafficGroupId group) {
    auto& pages = groups_[group];
    for (auto& [logical, page] : pages) {
      for (uint32_t slot = page * kFlowsPerPage; slot < End(page); ++slot) {
        if (used_.insert({slot, {group, logical}}).second) return slot;
      }
    }
    if (pool_.empty()) return kNone;
    const uint32_t page = *pool_.begin();
    pool_.erase(page);
    uint32_t logical = 0;
    while (pages.contains(logical))
      ++logical;
    pages[logical] = page;
    const auto slot = static_cast<uint32_t>(page * kFlowsPerPage);
    used_[slot] = {group, logical};
    return slot;
  }

  void Free(uint32_t slot) {
    const auto [group, logical] = used_.at(slot);
    used_.erase(slot);
    const auto page = static_cast<uint32_t>(slot / kFlowsPerPage);
    const auto next = used_.lower_bound(static_cast<uint32_t>(page * kFlowsPerPage));
    if (next != used_.end() && next->first < End(page)) return;
    groups_[group].erase(logical);
    pool_.insert(page);
  }

  uint32_t End(uint32_t page) const {
    return std::min(capacity_, static_cast<uint32_t>((page + 1) * kFlowsPerPage));
  }

  struct Owner {
    TrafficGroupId group = 0;
    uint32_t logical = 0;
  };
  std::map<uint32_t, Owner> used_;

 private:
  uint32_t capacity_;
  std::set<uint32_t> pool_;
  std::map<TrafficGroupId, std::map<uint32_t, uint32_t>> groups_;
};

void CheckAgainstModel(uint32_t capacity, TrafficGroupId groups, int operations, Prng& prng) {
  const AlignedMemory memory(SlotPages::BytesNeeded(capacity));
  SlotPages pages(memory, capacity);
  Model model(capacity);
  std::vector<uint32_t> used;
  uint32_t expected = kNone;  // the next slot of `expected_of`, unless one is freed before
  TrafficGroupId expected_of = 0;
  // Drift between filling and emptying, so that pages come and go.
  uint32_t fill_percent = 60;
  for (int i = 0; i < operations; ++i) {
    if (i % 1000 == 0) fill_percent = 20 + prng.Below(70);
    if (prng.Below(100) < fill_percent || used.empty()) {
      const auto group = static_cast<TrafficGroupId>(prng.Below(groups));
      const bool goes_on = expected != kNone && expected_of == group;
      const uint32_t slot = pages.Allocate(group);
      if (goes_on) REQUIRE(slot == expected);
      REQUIRE(slot == model.Allocate(group));
      expected = slot == kNone ? kNone : pages.After(slot);
      expected_of = group;
      if (slot == kNone) continue;
      used.push_back(slot);
      REQUIRE(pages.IsUsed(slot));
      REQUIRE(pages.GroupOf(slot) == group);
      REQUIRE(pages.LogicalSlot(slot) ==
              model.used_.at(slot).logical * kFlowsPerPage + slot % kFlowsPerPage);
    } else {
      expected = kNone;
      std::swap(used[prng.Below(static_cast<uint32_t>(used.size()))], used.back());
      pages.Free(used.back());
      model.Free(used.back());
      REQUIRE_FALSE(pages.IsUsed(used.back()));
      used.pop_back();
    }
    REQUIRE(pages.used() == used.size());
  }
}

}  // namespace

TEST_CASE("slot pages: agree with a model at small capacities", "[flow]") {
  const uint64_t seed = tandem::flow::FreshSeed();
  INFO("seed " << seed);
  Prng prng(seed);
  for (const uint32_t capacity : {1U, 7U, 64U, 100U}) {
    INFO("capacity " << capacity);
    CheckAgainstModel(capacity, 2, 5000, prng);
  }
}

TEST_CASE("slot pages: agree with a model when pages come and go", "[flow]") {
  const uint64_t seed = tandem::flow::FreshSeed();
  INFO("seed " << seed);
  Prng prng(seed);
  // Many more groups than pages keep the pool empty most of the time.
  CheckAgainstModel(kFlowsPerPage * 6 + 1, 40, 3000, prng);
  CheckAgainstModel(kFlowsPerPage * 64 + 17, 100, 3000, prng);
}

TEST_CASE("slot pages: every slot is given out once, a short last page included", "[flow]") {
  for (const uint32_t capacity : {1U, 4095U, 4096U, 4097U, 5000U, 3 * 4096U + 64}) {
    const AlignedMemory memory(SlotPages::BytesNeeded(capacity));
    SlotPages pages(memory, capacity);
    for (int round = 0; round < 2; ++round) {
      std::vector<bool> given(capacity);
      for (uint32_t i = 0; i < capacity; ++i) {
        const uint32_t slot = pages.Allocate(1);
        REQUIRE(slot < capacity);
        REQUIRE_FALSE(given[slot]);
        given[slot] = true;
      }
      REQUIRE(pages.Allocate(1) == kNone);
      for (uint32_t slot = 0; slot < capacity; ++slot)
        pages.Free(slot);
      REQUIRE(pages.used() == 0);
    }
  }
}

TEST_CASE("slot pages: an emptied page serves another group", "[flow]") {
  const auto capacity = static_cast<uint32_t>(2 * kFlowsPerPage);
  const AlignedMemory memory(SlotPages::BytesNeeded(capacity));
  SlotPages pages(memory, capacity);
  const uint32_t first = pages.Allocate(1);
  const uint32_t second = pages.Allocate(kTrafficGroupsMax);
  CHECK(pages.Allocate(3) == kNone);  // both pages have an owner, though nearly empty
  pages.Free(first);
  CHECK(pages.Allocate(3) == first);
  CHECK(pages.GroupOf(first) == 3);
  CHECK(pages.LogicalSlot(first) == 0);
  CHECK(pages.GroupOf(second) == kTrafficGroupsMax);
  CHECK(pages.LogicalSlot(second) == 0);
}

TEST_CASE("slot pages: a logical page is begun once, though the slot lies beyond a short page",
          "[flow]") {
  constexpr uint32_t kPage = kFlowsPerPage;
  AlignedMemory memory(SlotPages::BytesNeeded(2 * kPage + 100));
  SlotPages pages(memory, 2 * kPage + 100);
  REQUIRE(pages.AllocateAt(1, 0) == 0);
  const uint32_t others = pages.AllocateAt(2, 0);
  const uint32_t last = pages.AllocateAt(1, kPage + 50);
  REQUIRE(last == 2 * kPage + 50);
  pages.Free(others);  // a whole page is in the pool now
  CHECK(pages.AllocateAt(1, kPage + 500) == kNone);
  CHECK(pages.SlotAt(1, kPage + 50) == last);
  CHECK(pages.LogicalSlot(last) == kPage + 50);
  pages.Free(last);
  CHECK(pages.AllocateAt(1, kPage + 500) != kNone);
}
