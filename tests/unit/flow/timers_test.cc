// SPDX-License-Identifier: Apache-2.0
#include "dataplane/flow/timers.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <vector>

#include "dataplane/base/prng.h"
#include "tests/unit/flow/aligned_memory.h"

using tandem::Prng;
using tandem::Tick;
using tandem::flow::AlignedMemory;
using tandem::flow::FlowCold;
using tandem::flow::kNoSlot;
using tandem::flow::Timers;

namespace {

constexpr uint32_t kBucketTicks = 1U << Timers::kBucketTicksShift;
constexpr uint32_t kHorizonTicks = Timers::kBuckets << Timers::kBucketTicksShift;
constexpr unsigned kUnbounded = UINT32_MAX;

struct Wheel {
  Wheel(uint32_t slots, Tick now)
      : cold(slots), memory(Timers::BytesNeeded()), timers(memory, cold.data(), now) {}

  std::vector<uint32_t> Advance(Tick now, unsigned budget = kUnbounded) {
    // Room for one more than there can be, so that it finds that nothing is left.
    std::vector<uint32_t> due(std::min<size_t>(budget, cold.size() + 1));
    due.resize(timers.TakeDue(now, due));
    return due;
  }

  std::vector<FlowCold> cold;
  AlignedMemory memory;
  Timers timers;
};

}  // namespace

TEST_CASE("timers: a slot comes up no earlier than its deadline, a bucket later at most",
          "[flow]") {
  for (const Tick start : {0U, 5U, UINT32_MAX - 20}) {
    for (uint32_t delay = 0; delay < 4 * kBucketTicks; ++delay) {
      Wheel wheel(1, start);
      wheel.timers.Arm(0, start + delay);
      uint32_t waited = 0;
      while (wheel.Advance(start + waited).empty())
        ++waited;
      CHECK(waited >= (delay > start % kBucketTicks ? delay : 0));
      CHECK(waited < delay + kBucketTicks);
    }
  }
}

TEST_CASE("timers: agree with a sorted model across the wrap of the tick", "[flow]") {
  const uint64_t seed = tandem::flow::FreshSeed();
  INFO("seed " << seed);
  Prng prng(seed);
  constexpr uint32_t kSlots = 500;
  // 64-bit time in the model; the wheel sees its lower half and starts just before the wrap.
  uint64_t now = UINT32_MAX - 3 * kHorizonTicks / 2;
  Wheel wheel(kSlots, static_cast<Tick>(now));
  std::map<uint32_t, uint64_t> deadlines;
  for (int i = 0; i < 200000; ++i) {
    const uint32_t slot = prng.Below(kSlots);
    switch (prng.Below(4)) {
      case 0:
      case 1: {  // arm or re-arm, within the horizon
        const uint64_t deadline = now + prng.Below(kHorizonTicks - 2 * kBucketTicks);
        wheel.timers.Arm(slot, static_cast<Tick>(deadline));
        deadlines[slot] = deadline;
        break;
      }
      case 2:
        wheel.timers.Disarm(slot);
        deadlines.erase(slot);
        break;
      default:
        now += prng.Below(prng.Below(50) == 0 ? kHorizonTicks / 4 : 20);
        for (const uint32_t expired : wheel.Advance(static_cast<Tick>(now))) {
          REQUIRE(deadlines.contains(expired));
          REQUIRE(deadlines[expired] <= now);
          deadlines.erase(expired);
        }
        REQUIRE(wheel.timers.LagTicks(static_cast<Tick>(now)) == 0);
        // What should have come up, did.
        for (const auto& [armed, deadline] : deadlines)
          REQUIRE(deadline + kBucketTicks > now);
        break;
    }
  }
  REQUIRE(now > UINT32_MAX);
}

TEST_CASE("timers: the budget bounds a call, and what is left comes in the next", "[flow]") {
  constexpr uint32_t kSlots = 1000;
  const Tick start = UINT32_MAX - 1000;
  Wheel wheel(kSlots, start);
  for (uint32_t slot = 0; slot < kSlots; ++slot)
    wheel.timers.Arm(slot, start + slot * 2);
  const Tick now = start + 2 * kSlots + kBucketTicks;
  std::vector<bool> seen(kSlots);
  uint32_t lag = wheel.timers.LagTicks(now);
  CHECK(lag >= 2 * kSlots);
  for (int call = 0; call < 10; ++call) {
    const auto expired = wheel.Advance(now, 100);
    REQUIRE(expired.size() == 100);
    for (const uint32_t slot : expired) {
      REQUIRE_FALSE(seen[slot]);
      seen[slot] = true;
    }
    CHECK(wheel.timers.LagTicks(now) < lag);
    lag = wheel.timers.LagTicks(now);
  }
  CHECK(lag == 0);
  CHECK(wheel.Advance(now, 100).empty());
}

TEST_CASE("timers: an overdue deadline comes up at once, also while the wheel lags", "[flow]") {
  Wheel wheel(3, 1000);
  wheel.timers.Arm(0, 900);
  CHECK(wheel.Advance(1000) == std::vector<uint32_t>{0});
  wheel.timers.Arm(0, 1100);
  wheel.timers.Arm(1, 1200);
  CHECK(wheel.Advance(5000, 1) == std::vector<uint32_t>{0});
  wheel.timers.Arm(2, 1050);  // before the cursor
  CHECK(wheel.Advance(5000).size() == 2);
}

TEST_CASE("timers: a deadline beyond the horizon comes up at the horizon", "[flow]") {
  const Tick start = UINT32_MAX - 77;
  Wheel wheel(1, start);
  wheel.timers.Arm(0, start + 10 * kHorizonTicks);
  CHECK(wheel.Advance(start + kHorizonTicks - 2 * kBucketTicks).empty());
  CHECK(wheel.Advance(start + kHorizonTicks).size() == 1);
}

TEST_CASE("timers: a slot that is armed again waits for its new deadline", "[flow]") {
  Wheel wheel(1, 0);
  wheel.timers.Arm(0, 10);
  for (Tick now = 100; now < 100 + 3 * kBucketTicks; now += kBucketTicks) {
    CHECK(wheel.Advance(now).size() == 1);
    wheel.timers.Arm(0, now + 1);
    CHECK(wheel.Advance(now).empty());
  }
}

TEST_CASE("timers: after a silence longer than the wheel everything is due", "[flow]") {
  Wheel wheel(100, 0);
  for (uint32_t slot = 0; slot < 100; ++slot)
    wheel.timers.Arm(slot, slot * 1000);
  CHECK(wheel.Advance(50 * kHorizonTicks).size() == 100);
  wheel.timers.Arm(5, 50 * kHorizonTicks + 9);
  CHECK(wheel.Advance(50 * kHorizonTicks + 8).empty());
  CHECK(wheel.Advance(50 * kHorizonTicks + 16).size() == 1);
}

TEST_CASE("timers: an earlier time than before changes nothing", "[flow]") {
  Wheel wheel(1, 100000);
  wheel.timers.Arm(0, 100008);
  CHECK(wheel.Advance(500).empty());
  CHECK(wheel.timers.LagTicks(500) == 0);
  CHECK(wheel.Advance(100016).size() == 1);
}

TEST_CASE("timers: the embryonic list keeps the order of arrival", "[flow]") {
  const uint64_t seed = tandem::flow::FreshSeed();
  INFO("seed " << seed);
  Prng prng(seed);
  constexpr uint32_t kSlots = 50;
  Wheel wheel(kSlots, 0);
  std::vector<uint32_t> model;
  for (int i = 0; i < 20000; ++i) {
    const uint32_t slot = prng.Below(kSlots);
    const auto at = std::find(model.begin(), model.end(), slot);
    if (at == model.end() && prng.Below(2) == 0) {
      wheel.timers.AddEmbryonic(slot);
      model.push_back(slot);
    } else {
      wheel.timers.RemoveEmbryonic(slot);  // no effect when not in the list
      if (at != model.end()) model.erase(at);
    }
    if (prng.Below(3) == 0) wheel.timers.Arm(slot, prng.Below(1000));
    REQUIRE(wheel.timers.OldestEmbryonic() == (model.empty() ? kNoSlot : model.front()));
  }
}

TEST_CASE("timers: the youngest embryonic slots come first, so many and no more", "[flow]") {
  Wheel wheel(10, 0);
  const auto youngest = [&](unsigned most) {
    std::vector<uint32_t> slots;
    wheel.timers.VisitYoungestEmbryonic(most, [&](uint32_t slot) { slots.push_back(slot); });
    return slots;
  };
  CHECK(youngest(5).empty());
  for (const uint32_t slot : {7U, 2U, 9U, 4U})
    wheel.timers.AddEmbryonic(slot);
  CHECK(youngest(0).empty());
  CHECK(youngest(3) == std::vector<uint32_t>{4, 9, 2});
  CHECK(youngest(4) == std::vector<uint32_t>{4, 9, 2, 7});
  CHECK(youngest(100) == std::vector<uint32_t>{4, 9, 2, 7});
  wheel.timers.RemoveEmbryonic(7);
  wheel.timers.RemoveEmbryonic(9);
  CHECK(youngest(100) == std::vector<uint32_t>{4, 2});
}
