// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/timer_wheel.h"

#include <catch2/catch.hpp>
#include <vector>

#include "dataplane/base/prng.h"

namespace tandem::pktgen {
namespace {

TEST_CASE("timer wheel: each item comes at its tick, or early when that is far", "[pktgen]") {
  Prng prng(11);
  constexpr uint32_t kItems = 500;
  TimerWheel wheel(kItems);
  Tick now = 0xfffffff0;  // over the end of the ticks
  wheel.Advance(now, 1, [](uint32_t) {});
  std::vector<Tick> deadline(kItems);
  std::vector<int> times(kItems);
  for (uint32_t item = 0; item < kItems; ++item) {
    deadline[item] = now + 1 + prng.Below(9000);
    wheel.Arm(item, deadline[item]);
  }
  for (int step = 0; step < 9100; ++step) {
    ++now;
    wheel.Advance(now, 1000, [&](uint32_t item) {
      if (TicksBetween(now, deadline[item]) > 0) {
        wheel.Arm(item, deadline[item]);
        return;
      }
      CHECK(now == deadline[item]);
      ++times[item];
    });
  }
  for (const int count : times)
    CHECK(count == 1);
}

TEST_CASE("timer wheel: does no more than it is allowed at a time", "[pktgen]") {
  TimerWheel wheel(100);
  wheel.Advance(5, 1, [](uint32_t) {});
  for (uint32_t item = 0; item < 100; ++item)
    wheel.Arm(item, 6);
  int count = 0;
  wheel.Advance(7, 30, [&](uint32_t) { ++count; });
  CHECK(count == 30);
  for (int i = 0; i < 4; ++i)
    wheel.Advance(7, 30, [&](uint32_t) { ++count; });
  CHECK(count == 100);
}

}  // namespace
}  // namespace tandem::pktgen
