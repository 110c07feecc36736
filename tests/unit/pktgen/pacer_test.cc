// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/pacer.h"

#include <catch2/catch.hpp>

#include "dataplane/base/prng.h"

namespace tandem::pktgen {
namespace {

TEST_CASE("pacer: grants exactly the rate, however often it is asked", "[pktgen]") {
  const uint64_t rate = GENERATE(1U, 999U, 1'000'000U, 14'880'952U);
  Pacer pacer(rate, 1000000);
  Prng prng(5);
  Nanos now = 77;
  pacer.Start(now);
  while (now < 77 + 2 * kSecond) {
    now += 1 + prng.Below(2'000'000);
    pacer.Take(now, 1'000'000);
    const auto due =
        static_cast<uint64_t>(static_cast<double>(now - 77) * static_cast<double>(rate) / 1e9);
    REQUIRE(pacer.granted() >= (due > 0 ? due - 1 : 0));
    REQUIRE(pacer.granted() <= due + 1);
  }
  CHECK(pacer.due() == pacer.granted());
}

TEST_CASE("pacer: catches up by a burst at most, and shows what it gave up", "[pktgen]") {
  Pacer pacer(1'000'000, 64);
  pacer.Start(0);
  CHECK(pacer.Take(10'000, 32) == 10);
  CHECK(pacer.Take(1'010'000, 32) == 32);
  CHECK(pacer.Take(1'010'000, 100) == 32);
  CHECK(pacer.Take(1'010'000, 100) == 0);
  CHECK(pacer.due() == 1010);
  CHECK(pacer.granted() == 74);
  CHECK(pacer.Take(1'011'000, 100) == 1);
  pacer.GiveBack(1);
  CHECK(pacer.granted() == 74);
  CHECK(pacer.Take(1'011'000, 100) == 0);
}

TEST_CASE("pacer: without a rate as many as one likes", "[pktgen]") {
  Pacer pacer(0, 64);
  pacer.Start(0);
  CHECK(pacer.Take(0, 32) == 32);
  pacer.GiveBack(2);
  CHECK(pacer.due() == 30);
  CHECK(pacer.granted() == 30);
}

}  // namespace
}  // namespace tandem::pktgen
