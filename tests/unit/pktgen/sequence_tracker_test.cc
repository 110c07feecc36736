// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/sequence_tracker.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <vector>

#include "dataplane/base/prng.h"

namespace tandem::pktgen {
namespace {

TEST_CASE("sequence tracker: agrees with a set of all that came", "[pktgen]") {
  const uint64_t seed = GENERATE(1U, 2U, 3U, 4U);
  Prng prng(seed);
  SequenceTracker tracker;
  std::set<uint32_t> seen;
  uint32_t latest = 0;
  for (int i = 0; i < 100000; ++i) {
    const uint32_t sequence = latest + prng.Below(8) - std::min<uint32_t>(latest, prng.Below(90));
    const Order order = tracker.Note(sequence);
    const uint32_t next = seen.empty() ? 0 : *seen.rbegin() + 1;
    if (sequence >= next) {
      CHECK(order == (sequence == next ? Order::kNext : Order::kGap));
    } else if (next - 1 - sequence >= SequenceTracker::kWindow) {
      CHECK(order == Order::kStale);
      continue;
    } else {
      CHECK(order == (seen.count(sequence) != 0 ? Order::kDuplicate : Order::kReordered));
    }
    seen.insert(sequence);
    latest = *seen.rbegin();
  }
  CHECK(tracker.distinct() == seen.size());
}

TEST_CASE("sequence tracker: wide gaps clear the window", "[pktgen]") {
  for (const uint32_t gap : {1U, 62U, 63U, 64U, 65U, 1000U}) {
    SequenceTracker tracker;
    CHECK(tracker.Note(0) == Order::kNext);
    CHECK(tracker.Note(gap + 1) == Order::kGap);
    CHECK(tracker.Note(gap + 1) == Order::kDuplicate);
    CHECK(tracker.Note(gap) == Order::kReordered);
    CHECK(tracker.Note(0) == (gap + 1 < 64 ? Order::kDuplicate : Order::kStale));
  }
}

}  // namespace
}  // namespace tandem::pktgen
