// SPDX-License-Identifier: Apache-2.0
//
// Scores, load, the order of candidates; leases.
#include "dataplane/ha/election.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <vector>

#include "dataplane/base/prng.h"
#include "dataplane/ha/lease.h"

namespace tandem::ha {
namespace {

Candidate Of(DeviceId device) {
  return {.device = device};
}

}  // namespace

TEST_CASE("score: weights count by the share that is up") {
  CHECK(ScoreOf({}) == 0);
  const std::vector<ScoreInput> inputs = {{.weight = 40, .up = 4, .total = 4},
                                          {.weight = 50, .up = 1, .total = 2},
                                          {.weight = 10, .up = 0, .total = 3}};
  CHECK(ScoreOf(inputs) == 65);
}

TEST_CASE("score: below its threshold an input counts as nothing") {
  CHECK(ScoreOf(std::vector<ScoreInput>{{.weight = 60, .up = 2, .total = 3, .needed = 2}}) == 40);
  CHECK(ScoreOf(std::vector<ScoreInput>{{.weight = 60, .up = 1, .total = 3, .needed = 2}}) == 0);
}

TEST_CASE("score: nonsense is bounded") {
  CHECK(ScoreOf(std::vector<ScoreInput>{{.weight = 60, .up = 9, .total = 3}}) == 60);
  CHECK(ScoreOf(std::vector<ScoreInput>{{.weight = 60, .up = 9, .total = 0}}) == 0);
  CHECK(ScoreOf(std::vector<ScoreInput>(100, {.weight = UINT32_MAX, .up = 1, .total = 1})) ==
        100'000);
}

TEST_CASE("load: factors by capacity") {
  CHECK(LoadOf(3, 2) == 1500);
  CHECK(LoadOf(3, 0) == 3000);
  CHECK(LoadOf(UINT32_MAX, 1) == 1'000'000'000);
}

TEST_CASE("preferred: HA order, then who is not in it, by number") {
  const GroupSettings group{.ha_order = {3, 1}};
  CHECK(IsPreferred(group, Of(3), Of(1)));
  CHECK(IsPreferred(group, Of(1), Of(2)));
  CHECK(IsPreferred(group, Of(2), Of(4)));
  CHECK(OrderOf(group, 3) == 1);
  CHECK(OrderOf(group, 1) == 2);
  CHECK(OrderOf(group, 2) == 0);
}

TEST_CASE("preferred: score and load come before HA order") {
  GroupSettings group{.method = Method::kHaScore, .ha_order = {1, 2}};
  CHECK(IsPreferred(group, {.device = 2, .score = 11}, {.device = 1, .score = 10}));
  CHECK(IsPreferred(group, {.device = 1, .score = 10}, {.device = 2, .score = 10}));
  group.method = Method::kLoad;
  CHECK(IsPreferred(group, {.device = 2, .load = 10}, {.device = 1, .load = 11}));
  CHECK(IsPreferred(group, {.device = 1, .load = 10}, {.device = 2, .load = 10}));
}

TEST_CASE("takeover: in sync comes first, then the next-active, then the method") {
  const GroupSettings group{.ha_order = {1, 2, 3}};
  CHECK(TakesOverBefore(group, {.device = 3, .is_in_sync = true},
                        {.device = 1, .is_next_active = true}));
  CHECK(TakesOverBefore(group, {.device = 3, .is_next_active = true}, Of(1)));
  CHECK(TakesOverBefore(group, Of(1), Of(3)));
}

TEST_CASE("takeover: the order is total, so that of any two devices one knows that it is second") {
  Prng prng(7);
  for (int i = 0; i < 2000; ++i) {
    GroupSettings group{.method = static_cast<Method>(prng.Below(3))};
    if (prng.Below(2) != 0) group.ha_order = {2, 4};
    std::vector<Candidate> all;
    for (DeviceId device = 1; device <= 4; ++device) {
      all.push_back({.device = device,
                     .is_in_sync = prng.Below(2) != 0,
                     .is_next_active = prng.Below(2) != 0,
                     .score = prng.Below(2),
                     .load = prng.Below(2)});
    }
    for (const Candidate& a : all) {
      CHECK_FALSE(TakesOverBefore(group, a, a));
      for (const Candidate& b : all) {
        if (a.device == b.device) continue;
        CHECK(TakesOverBefore(group, a, b) != TakesOverBefore(group, b, a));
        for (const Candidate& c : all) {
          if (TakesOverBefore(group, a, b) && TakesOverBefore(group, b, c))
            CHECK(TakesOverBefore(group, a, c));
        }
      }
    }
  }
}

// ---- leases -------------------------------------------------------------------------------------

TEST_CASE("lease: held from the question on, a margin less than granted") {
  LeaseHolder holder;
  CHECK(holder.AskDue(kSecond, kMillisecond, 10 * kSecond));
  const uint32_t ticket = holder.Ask(10 * kSecond);
  CHECK_FALSE(holder.IsHeld(10 * kSecond));
  holder.OnAnswer(ticket, true, kSecond);
  CHECK(holder.IsHeld(10 * kSecond + 979 * kMillisecond));
  CHECK_FALSE(holder.IsHeld(10 * kSecond + 980 * kMillisecond));
  CHECK_FALSE(holder.AskDue(kSecond, kMillisecond, 10 * kSecond + 249 * kMillisecond));
  CHECK(holder.AskDue(kSecond, kMillisecond, 10 * kSecond + 250 * kMillisecond));
}

TEST_CASE("lease: a refusal, an unknown and a late answer give nothing") {
  LeaseHolder holder;
  const uint32_t ticket = holder.Ask(kSecond);
  holder.OnAnswer(ticket, false, kSecond);
  holder.OnAnswer(ticket + 1, true, kSecond);
  CHECK_FALSE(holder.IsHeld(kSecond));
  const uint32_t release = holder.Release();
  CHECK(release > ticket);
  holder.OnAnswer(ticket, true, kSecond);
  CHECK_FALSE(holder.IsHeld(kSecond));
}

TEST_CASE("lease: an answer counts from its own question") {
  LeaseHolder holder;
  const uint32_t first = holder.Ask(kSecond);
  const uint32_t second = holder.Ask(2 * kSecond);
  holder.OnAnswer(second, true, kSecond);
  CHECK(holder.until() == 2 * kSecond + ShortOf(kSecond));
  holder.OnAnswer(first, true, kSecond);
  CHECK(holder.until() == 2 * kSecond + ShortOf(kSecond));
}

TEST_CASE("witness: one at a time, until it is released or a margin after its end") {
  LeaseWitness witness(kSecond, 0);
  const Nanos open = LongOf(kSecond);
  CHECK_FALSE(witness.Ask(1, {1, 77, 1}, open - 1));
  CHECK(witness.Ask(1, {1, 77, 1}, open));
  CHECK(witness.Ask(2, {2, 88, 1}, open));
  CHECK_FALSE(witness.Ask(1, {2, 88, 2}, open + 1019 * kMillisecond));
  CHECK(witness.Ask(1, {1, 77, 2}, open + kSecond));
  CHECK_FALSE(witness.Ask(1, {2, 88, 3}, open + 2019 * kMillisecond));
  CHECK(witness.Ask(1, {2, 88, 4}, open + 2020 * kMillisecond));
  witness.Release(1, {1, 77, 3});  // not its any more
  CHECK_FALSE(witness.Ask(1, {1, 77, 4}, open + 2021 * kMillisecond));
  witness.Release(1, {2, 88, 5});
  CHECK(witness.Ask(1, {1, 77, 5}, open + 2022 * kMillisecond));
  CHECK_FALSE(witness.Ask(kTrafficGroupsMax + 1, {1, 77, 6}, open + 9 * kSecond));
}

TEST_CASE("witness: what comes late neither takes back nor gives away") {
  LeaseWitness witness(kSecond, 0);
  const Nanos now = 5 * kSecond;
  CHECK(witness.Ask(1, {1, 77, 5}, now));
  witness.Release(1, {1, 77, 4});  // of before the question
  CHECK_FALSE(witness.Ask(1, {2, 88, 1}, now));
  witness.Release(1, {1, 77, 6});
  CHECK_FALSE(witness.Ask(1, {1, 77, 3}, now));  // asked before the release
  CHECK(witness.Ask(1, {2, 88, 2}, now));
  // Another run of the holder may have it at once: the earlier one is gone.
  CHECK(witness.Ask(1, {2, 99, 1}, now));
  witness.Release(1, {2, 88, 9});
  CHECK_FALSE(witness.Ask(1, {1, 77, 7}, now));
}

TEST_CASE(
    "witness: what an earlier run says late gives away nothing of the run that has the lease") {
  LeaseWitness witness(kSecond, 0);
  const Nanos now = 5 * kSecond;
  CHECK(witness.Ask(1, {2, 88, 1}, now));
  CHECK(witness.Ask(1, {2, 99, 1}, now + 500 * kMillisecond));
  // The earlier run's question and release, late.
  static_cast<void>(witness.Ask(1, {2, 88, 2}, now + 600 * kMillisecond));
  witness.Release(1, {2, 88, 3});
  const Nanos end = now + 500 * kMillisecond + LongOf(kSecond);
  CHECK_FALSE(witness.Ask(1, {1, 77, 1}, now + 700 * kMillisecond));
  CHECK_FALSE(witness.Ask(1, {1, 77, 2}, end - 1));
  CHECK(witness.Ask(1, {1, 77, 3}, end));
  // And it is like any other again.
  witness.Release(1, {1, 77, 4});
  CHECK(witness.Ask(1, {2, 99, 9}, end + 1));
}

}  // namespace tandem::ha
