// SPDX-License-Identifier: Apache-2.0
#include "dataplane/config/live_counts.h"

#include <atomic>
#include <barrier>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

namespace tandem::config {
namespace {

constexpr VirtualId kVirtual = kVirtualsMax;
constexpr MemberId kMember = kMembersMax;

}  // namespace

TEST_CASE("live counts: each worker's count, and what all have is the sum", "[config]") {
  LiveTotals totals(3);
  LiveCounts one(totals, 0);
  LiveCounts two(totals, 2);
  REQUIRE(one.TakeVirtual(kVirtual, 0));
  REQUIRE(two.TakeVirtual(kVirtual, 0));
  REQUIRE(two.TakeMember(kMember, 0));
  CHECK(totals.OfVirtual(kVirtual) == 2);
  CHECK(one.OfVirtual(kVirtual) == 2);
  CHECK(totals.OfMember(kMember) == 1);
  // No other object has them.
  CHECK(totals.OfVirtual(kVirtual - 1) == 0);
  CHECK(totals.OfMember(kMember - 1) == 0);
  CHECK(totals.OfMember(1) == 0);
  // By another worker than the one that took it.
  one.ReleaseMember(kMember);
  CHECK(totals.OfMember(kMember) == 0);
  one.ReleaseVirtual(kVirtual);
  two.ReleaseVirtual(kVirtual);
  CHECK(totals.OfVirtual(kVirtual) == 0);
}

TEST_CASE("live counts: a limit counts what other workers have, and what was there before it",
          "[config]") {
  LiveTotals totals(2);
  LiveCounts one(totals, 0);
  LiveCounts two(totals, 1);
  for (int i = 0; i < 3; ++i)
    REQUIRE(one.TakeMember(1, 0));
  CHECK(two.TakeMember(1, 4));
  CHECK_FALSE(two.TakeMember(1, 4));
  CHECK_FALSE(one.TakeMember(1, 2));
  CHECK(totals.OfMember(1) == 4);
  one.ReleaseMember(1);
  CHECK(two.TakeMember(1, 4));
  CHECK(totals.OfMember(1) == 4);
}

TEST_CASE("live counts: a limit is never exceeded, whoever asks at the same moment", "[config]") {
  constexpr unsigned kWorkers = 4;
  constexpr uint32_t kLimit = 3;
  LiveTotals totals(kWorkers);
  std::barrier start(kWorkers);
  std::atomic<int> open = 0;
  std::atomic<bool> was_exceeded = false;
  std::vector<std::thread> workers;
  for (unsigned worker = 0; worker < kWorkers; ++worker) {
    workers.emplace_back([&, worker] {
      LiveCounts counts(totals, worker);
      start.arrive_and_wait();
      for (int i = 0; i < 500'000; ++i) {
        if (!counts.TakeVirtual(1, kLimit)) continue;
        if (++open > static_cast<int>(kLimit)) was_exceeded = true;
        --open;
        counts.ReleaseVirtual(1);
      }
    });
  }
  for (std::thread& worker : workers)
    worker.join();
  CHECK_FALSE(was_exceeded);
  CHECK(totals.OfVirtual(1) == 0);
}

}  // namespace tandem::config
