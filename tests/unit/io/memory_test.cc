// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include <catch2/catch.hpp>

#include "dataplane/io/backoff.h"
#include "dataplane/io/clock.h"

namespace tandem::io {

TEST_CASE("memory is zeroed, aligned, and as long as was asked for") {
  Memory memory(/*hugepages_allowed=*/true);
  const std::span<std::byte> span = memory.Allocate((5 << 20) + 1, 0);
  REQUIRE(span.size() == (5 << 20) + 1);
  CHECK(reinterpret_cast<uintptr_t>(span.data()) % 64 == 0);
  CHECK(memory.bytes() == 6 << 20);
  for (size_t i = 0; i < span.size(); i += 4093) {
    REQUIRE(span[i] == std::byte{0});
  }
  span.back() = std::byte{1};
}

TEST_CASE("memory is there before it is used") {
  Memory memory(/*hugepages_allowed=*/false);
  constexpr size_t kBytes = size_t{64} << 20;
  const std::span<std::byte> span = memory.Allocate(kBytes, -1);
  REQUIRE(span.size() == kBytes);
  std::vector<unsigned char> resident(kBytes / 4096);
  REQUIRE(mincore(span.data(), kBytes, resident.data()) == 0);
  CHECK(std::ranges::all_of(resident, [](auto page) { return (page & 1) != 0; }));
  CHECK(memory.hugepage_bytes() == 0);
}

TEST_CASE("memory that does not exist is not given out") {
  Memory memory(/*hugepages_allowed=*/true);
  CHECK(memory.Allocate(size_t{1} << 60, 0).empty());
  CHECK(memory.bytes() == 0);
}

TEST_CASE("an idle worker sleeps longer and longer, up to the bound, and a busy one not at all") {
  Backoff backoff;
  for (int round = 0; round < 2; ++round) {
    for (unsigned i = 0; i < Backoff::kIdleTurnsFree; ++i) {
      REQUIRE(backoff.After(false) == 0);
    }
    Nanos last = 0;
    for (int i = 0; i < 20; ++i) {
      const Nanos sleep = backoff.After(false);
      REQUIRE(sleep >= Backoff::kSleepMin);
      REQUIRE(sleep >= last);
      REQUIRE(sleep <= Backoff::kSleepMax);
      last = sleep;
    }
    CHECK(last == Backoff::kSleepMax);
    CHECK(backoff.After(true) == 0);
  }
}

TEST_CASE("the longest sleep is far below a timer bucket") {
  CHECK(Backoff::kSleepMax * 10 < NanosIn(8));
}

TEST_CASE("the clock never goes back") {
  Nanos last = MonotonicNow();
  for (int i = 0; i < 1000; ++i) {
    const Nanos now = MonotonicNow();
    REQUIRE(now >= last);
    last = now;
  }
}

}  // namespace tandem::io
