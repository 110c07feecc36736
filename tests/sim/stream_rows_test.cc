// SPDX-License-Identifier: Apache-2.0
//
// Failures that others shipped, one case each, in the small world: those that concern the streams
// alone. The rest is in pair_rows_test.cc.
#include <catch2/catch.hpp>

#include "tests/sim/stream_world.h"

namespace tandem::sim {
namespace {

// A world without weather of its own; what goes wrong is up to the case.
StreamOptions Calm(uint64_t seed, uint32_t flows) {
  StreamOptions options;
  options.seed = seed;
  options.flows_target = flows;
  options.with_faults = false;
  options.with_restarts = false;
  options.with_config = false;
  return options;
}

template <class Scene>
void Play(const StreamOptions& options, Scene&& scene) {
  Journal journal;
  StreamWorld world(options, journal);
  INFO("seed " << options.seed);
  try {
    scene(world);
    world.Settle();
    world.Empty();
  } catch (const Violation& violation) {
    FAIL(violation.what() << "\n" << journal.Text());
  }
}

void Steps(StreamWorld& world, unsigned steps, Nanos span, unsigned operations) {
  for (unsigned i = 0; i < steps; ++i)
    world.Step(span, operations);
}

}  // namespace

TEST_CASE("row 1: an add that comes again after its delete resurrects nothing") {
  Play(Calm(1, 15), [](StreamWorld& world) {
    world.Settle();
    world.SetFaults({.loss_percent = 20, .duplicate_percent = 50, .jitter = 30 * kMillisecond});
    Steps(world, 6000, 300'000, 4);
  });
}

TEST_CASE("row 2: whatever is lost first comes whole the second time, at all sizes") {
  for (unsigned flows = 1; flows < 400; flows += flows < 20 ? 1 : 37) {
    Play(Calm(flows, flows), [&](StreamWorld& world) {
      world.SetFaults({.cut = true});
      Steps(world, 300, kMillisecond, 0);
      world.Grow(0, flows);
      world.Grow(1, flows);
      Steps(world, 20, kMillisecond, 0);
    });
  }
}

TEST_CASE("row 3: each way into a session ends with equal tables") {
  Play(Calm(3, 400), [](StreamWorld& world) {
    world.Settle();
    const auto churn = [&] { Steps(world, 300, 200'000, 5); };
    churn();
    world.Reconnect(0);  // a new session while all is well
    churn();
    world.Settle();
    world.SetFaults({.cut = true});  // the wire was pulled
    churn();
    world.Settle();
    world.Restart(1);  // the standby is new
    churn();
    world.Settle();
    world.Restart(0);  // the writer is new
    churn();
    world.Settle();
  });
}

TEST_CASE("row 5: nothing overflows in ten seconds of silence at full rate") {
  Play(Calm(5, 2000), [](StreamWorld& world) {
    world.Settle();
    world.SetFaults({.cut = true});
    Steps(world, 10'000, kMillisecond, 12);
    REQUIRE_FALSE(world.IsInSync(0));
  });
}

TEST_CASE("row 6: deletes that are lost pile up nowhere") {
  Play(Calm(6, 200), [](StreamWorld& world) {
    world.Settle();
    world.SetFaults({.loss_percent = 10});
    for (int round = 0; round < 40; ++round) {
      Steps(world, 400, 200'000, 8);
      const size_t here = world.device(0).flows4.size() + world.device(0).flows6.size();
      const size_t there = world.device(1).flows4.size() + world.device(1).flows6.size();
      REQUIRE(there <= here + 600);
    }
  });
}

TEST_CASE("row 7: a first pass that was cut short is not in sync") {
  Play(Calm(7, 3000), [](StreamWorld& world) {
    world.Grow(0, 3000);
    world.Grow(1, 3000);
    Steps(world, 400, kMillisecond, 0);
    for (int round = 0; round < 30; ++round) {
      world.Reconnect(0);
      while (world.IsInSync(0))
        world.Step(kMillisecond, 1);
      Steps(world, 150 + world.chance().Below(100), kMillisecond, 1);
      world.SetFaults({.cut = true});
      Steps(world, 40, 100 * kMillisecond, 1);
      REQUIRE_FALSE(world.IsInSync(0));
      world.SetFaults(kGoodWire);
    }
  });
}

TEST_CASE("row 9: changes during the first pass are not lost at its cursor") {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    Play(Calm(seed, 1500), [](StreamWorld& world) {
      world.Grow(0, 1500);
      world.Grow(1, 1500);
      for (int round = 0; round < 4; ++round) {
        world.Reconnect(0);
        world.Reconnect(1);
        Steps(world, 2500, 100'000, 6);
        world.Settle();
      }
    });
  }
}

TEST_CASE("row 10: births near the end of their range, and across powers of two") {
  for (const flow::Birth first :
       {flow::kBirthMax - (flow::Birth{1} << 32) - 1'000'000, flow::kBirthMax / 2 - 100,
        (flow::Birth{1} << 32) - 100, (flow::Birth{1} << 20) - 100}) {
    StreamOptions options = Calm(first % 1000, 200);
    options.first_birth = first;
    Play(options, [](StreamWorld& world) {
      Steps(world, 3000, 200'000, 5);
      world.Settle();
      world.Reconnect(0);
      Steps(world, 3000, 200'000, 5);
    });
  }
}

TEST_CASE("row 11: nothing of a session survives a reconnect at any point") {
  Play(Calm(11, 150), [](StreamWorld& world) {
    world.SetFaults({.loss_percent = 5, .jitter = 2 * kMillisecond});
    for (int round = 0; round < 1500; ++round) {
      world.Reconnect(world.chance().Below(kGroups));
      Steps(world, world.chance().Below(30), 10 * kMillisecond, 3);
      if (round % 100 == 99) {
        world.Settle();
        world.SetFaults({.loss_percent = 5, .jitter = 2 * kMillisecond});
      }
    }
  });
}

TEST_CASE("row 12: clocks that jump, and devices that begin again at an earlier time") {
  Play(Calm(12, 200), [](StreamWorld& world) {
    world.SetFaults({.loss_percent = 5, .jitter = kMillisecond});
    for (unsigned round = 0; round < 40; ++round) {
      Steps(world, 150, 200'000, 5);
      world.JumpClock(round % 2, world.chance().Span(0, 3600 * kSecond));
      Steps(world, 50, 200'000, 5);
      if (round % 8 == 7) world.Restart(round / 8 % 2);
      if (round % 10 == 9) world.Settle();
    }
  });
}

TEST_CASE("row 24: one direction that is deaf is noticed within five seconds") {
  for (const unsigned deaf : {0U, 1U}) {
    Play(Calm(24 + deaf, 100), [&](StreamWorld& world) {
      world.Settle();
      world.WireFrom(deaf).faults.cut = true;
      Steps(world, 5000, kMillisecond, 2);
      for (unsigned group = 0; group < kGroups; ++group)
        REQUIRE_FALSE(world.IsInSync(group));
    });
  }
}

TEST_CASE("row 31: both crash, in every order") {
  Play(Calm(31, 300), [](StreamWorld& world) {
    const auto churn = [&] { Steps(world, 800, 200'000, 5); };
    for (unsigned round = 0; round < 8; ++round) {
      churn();
      if (round % 2 == 0) world.Settle();
      const unsigned first = round / 2 % 2;
      world.Restart(first);
      if (round / 4 == 0) churn();
      world.Restart(1 - first);
    }
  });
}

TEST_CASE("a key that goes from a flow of one group to one of another is not lost") {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    Play(Calm(seed, 90), [](StreamWorld& world) {
      world.Settle();
      world.SetFaults({.loss_percent = 50});
      Steps(world, 8000, 300'000, 8);
    });
  }
}

TEST_CASE("a table that was made unequal is found out and repaired") {
  Play(Calm(40, 300), [](StreamWorld& world) {
    world.Grow(0, 300);
    world.Settle();
    world.Damaged();
    StreamDevice& standby = world.device(1);
    unsigned damaged = 0;
    for (uint32_t slot = 0; slot < standby.flows4.pages().SlotsTouched(); ++slot) {
      if (!standby.flows4.IsLive(slot) || !world.chance().OneIn(4)) continue;
      auto& common = standby.flows4.hot(slot).common;
      common.state =
          common.state == flow::State::kClosing ? flow::State::kTimeWait : flow::State::kClosing;
      ++damaged;
    }
    REQUIRE(damaged > 0);
    for (int i = 0; i < 200'000 && world.AuditMismatches() == 0; ++i)
      world.Step(kMillisecond, 0);
    REQUIRE(world.AuditMismatches() > 0);
    for (int i = 0; i < 130'000; ++i)
      world.Step(kMillisecond, 0);
  });
}

}  // namespace tandem::sim
