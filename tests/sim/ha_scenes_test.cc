// SPDX-License-Identifier: Apache-2.0
//
// The takeover world, scenes with one fault each: what the operator of two or three devices would try.
#include <catch2/catch.hpp>
#include <functional>

#include "tests/sim/ha_world.h"

namespace tandem::sim {
namespace {

using ha::Command;
using ha::State;

constexpr Nanos kDetection = 50 * kMillisecond;
constexpr Nanos kSoon = kDetection + 15 * kMillisecond;

// Runs a scene in a settled world; a violation fails the test with its journal.
void Play(const HaOptions& options, const std::function<void(HaWorld&)>& scene) {
  Journal journal;
  try {
    HaWorld world(options, journal);
    if (!world.PassUntil([&] { return world.IsSettled(); }, 5 * kSecond))
      Violate("the world does not settle");
    scene(world);
  } catch (const Violation& violation) {
    FAIL(violation.what() << "\n" << journal.Text());
  }
}

// Until one device other than `than` forwards for group 0; how long that took.
Nanos UntilOther(HaWorld& world, int than) {
  const Nanos began = world.now();
  const bool is_done = world.PassUntil(
      [&] { return world.ActiveOf(0) >= 0 && world.ActiveOf(0) != than; }, 5 * kSecond);
  if (!is_done) Violate("nobody takes over");
  return world.now() - began;
}

Command Standby(ha::DeviceId target = 0) {
  return {.kind = Command::Kind::kStandby, .group = 1, .target = target, .ticket = 1};
}

}  // namespace

TEST_CASE("takeover: devices that boot agree on who is active, each group on its own") {
  for (const unsigned devices : {2U, 3U}) {
    Play(HaOptions::Plain(devices), [](HaWorld& world) {
      CHECK(world.ActiveOf(0) == 0);
      CHECK(world.ActiveOf(1) == 1);
      world.Pass(20 * kSecond);
      CHECK(world.activations() == 2);
    });
  }
}

TEST_CASE("takeover: kill the active one, then its successor") {
  Play(HaOptions::Plain(3), [](HaWorld& world) {
    world.node(0).Crash(world.now(), 0);
    CHECK(UntilOther(world, 0) < kSoon);
    CHECK(world.ActiveOf(0) == 1);
    CHECK(world.PassUntil([&] { return world.StateOf(2, 0) == State::kStandby; }, kSecond));
    world.Pass(20 * kMillisecond);
    world.node(1).Crash(world.now(), 0);
    CHECK(UntilOther(world, 1) < kSoon);
    CHECK(world.ActiveOf(0) == 2);
    world.node(0).RestartAt(world.now());
    world.node(1).RestartAt(world.now());
    world.Settle();
    CHECK(world.ActiveOf(0) == 2);  // who comes back takes nothing
  });
}

TEST_CASE("takeover: the active and the next-active die at once") {
  Play(HaOptions::Plain(3), [](HaWorld& world) {
    world.node(0).Crash(world.now(), 0);
    world.node(1).Crash(world.now(), 0);
    CHECK(UntilOther(world, 0) < ha::kUnsyncedWait * kDetection + kSoon);
    CHECK(world.ActiveOf(0) == 2);
  });
}

TEST_CASE("takeover: twenty power cycles in both directions") {
  Play(HaOptions::Plain(2), [](HaWorld& world) {
    for (int cycle = 0; cycle < 20; ++cycle) {
      const int active = world.ActiveOf(0);
      world.node(static_cast<unsigned>(active)).Crash(world.now(), world.now() + kSecond / 4);
      CHECK(UntilOther(world, active) < kSoon);
      world.Settle();
    }
  });
}

TEST_CASE("takeover: a planned switchover goes to its target, there and back") {
  for (const unsigned devices : {2U, 3U}) {
    Play(HaOptions::Plain(devices), [&](HaWorld& world) {
      for (unsigned turn = 1; turn <= 9; ++turn) {
        const auto active = static_cast<unsigned>(world.ActiveOf(0));
        const unsigned target = turn % devices;
        world.Order(active, Standby(static_cast<ha::DeviceId>(target + 1)));
        // Until its end; the world checks that never two forward.
        Nanos silent = 0;
        const bool is_done = world.PassUntil(
            [&] {
              if (world.ActiveOf(0) == -1 && silent == 0) silent = world.now();
              return world.ActiveOf(0) == static_cast<int>(target);
            },
            kSecond);
        CHECK(is_done);
        CHECK(world.now() - silent < 6 * kMillisecond);
        CHECK(world.PassUntil([&] { return world.IsSettled(); }, 2 * kSecond));
        CHECK(world.last_answer() == "handed over");
      }
      CHECK(world.switchovers() == 9);
    });
  }
}

TEST_CASE("takeover: a clean stop hands over without waiting for silence") {
  Play(HaOptions::Plain(2), [](HaWorld& world) {
    world.Order(0, {.kind = Command::Kind::kStop, .ticket = 1});
    CHECK(UntilOther(world, 0) < 12 * kMillisecond);
    world.Settle();
    CHECK(world.ActiveOf(0) == 1);
  });
}

TEST_CASE("takeover: a device that was stopped does not win back what it lost") {
  for (const Nanos span : {kSecond, 5 * kSecond}) {
    Play(HaOptions::Plain(2), [&](HaWorld& world) {
      world.Stop(0, span);
      CHECK(UntilOther(world, 0) < kSoon);
      world.Pass(span + kSecond);
      CHECK(world.ActiveOf(0) == 1);
      CHECK(world.StateOf(0, 0) == State::kStandby);
      CHECK(world.activations() == 3);
    });
  }
}

TEST_CASE("takeover: a standby that was stopped leaves the active one alone") {
  for (const Nanos span : {40 * kMillisecond, kSecond, 5 * kSecond}) {
    Play(HaOptions::Plain(2), [&](HaWorld& world) {
      world.Stop(1, span);
      world.Pass(span + kSecond);
      CHECK(world.ActiveOf(0) == 0);
    });
  }
}

TEST_CASE("takeover: one path is cut, and nothing happens") {
  HaOptions options = HaOptions::Plain(2);
  options.paths = 2;
  Play(options, [](HaWorld& world) {
    world.CutPath(0, 1, 1, true);
    world.CutPath(1, 0, 1, true);
    world.Pass(5 * kSecond);
    CHECK(world.activations() == 2);
    const auto& detector = world.node(1).device().detector();
    CHECK(detector.SilentPaths(*detector.Find(1), world.node(1).Clock(world.now())) == 2);
  });
}

TEST_CASE("takeover: a split, healed: the higher epoch stays, announces, and the other syncs") {
  Play(HaOptions::Plain(2), [](HaWorld& world) {
    world.Cut(0, 1, true);
    world.Cut(1, 0, true);
    world.Pass(kSecond);
    CHECK(world.ActiveOf(0) == -2);  // availability: there is no witness
    world.Pass(3 * kSecond);
    const uint64_t announced = world.announcements(0);
    world.Cut(0, 1, false);
    world.Cut(1, 0, false);
    world.Pass(kDetection);
    CHECK(world.ActiveOf(0) == 1);
    world.Settle();
    world.Pass(3 * kSecond);
    CHECK(world.ActiveOf(0) == 1);
    CHECK(world.announcements(0) >= announced + 1);
    CHECK(world.StateOf(0, 0) == State::kStandby);
  });
}

TEST_CASE("takeover: one-way cuts leave one active device") {
  for (const bool active_is_deaf : {false, true}) {
    Play(HaOptions::Plain(2), [&](HaWorld& world) {
      world.Cut(active_is_deaf ? 1 : 0, active_is_deaf ? 0 : 1, true);
      world.Pass(kSecond);
      CHECK(world.ActiveOf(0) == (active_is_deaf ? 0 : 1));
      CHECK(world.ActiveOf(1) == (active_is_deaf ? 0 : 1));
      world.Settle();
    });
  }
}

TEST_CASE("takeover: whom a third device hears, nobody takes a group from") {
  Play(HaOptions::Plain(3), [](HaWorld& world) {
    world.Cut(0, 1, true);
    world.Cut(1, 0, true);
    world.Pass(3 * kSecond);
    CHECK(world.ActiveOf(0) == 0);
    CHECK(world.node(0).group(0).next_active() == 3);
    CHECK(world.StateOf(0, 0) == State::kActive);
  });
}

TEST_CASE("takeover: GO is lost while the target takes over by itself") {
  Play(HaOptions::Plain(2), [](HaWorld& world) {
    world.Order(0, Standby());
    CHECK(world.PassUntil([&] { return world.StateOf(0, 0) == State::kGranted; }, kSecond));
    world.Cut(0, 1, true);
    world.Cut(1, 0, true);
    world.Pass(kSecond);
    CHECK(world.last_answer() == "the device did not act in time");
    world.Settle();
  });
}

TEST_CASE("takeover: a crash between any two steps of a promotion uses no epoch twice") {
  for (unsigned actions = 0; actions < 8; ++actions) {
    Play(HaOptions::Plain(2), [&](HaWorld& world) {
      for (int round = 0; round < 3; ++round) {
        world.node(0).Crash(world.now(), world.now() + 2 * kSecond);
        world.node(1).CrashAfter(actions);
        world.Pass(3 * kSecond);
        world.Settle();
      }
    });
  }
}

TEST_CASE("takeover: with a disk that is slow, and before what it was to write is there") {
  Play(HaOptions::Plain(2), [](HaWorld& world) {
    for (int round = 0; round < 12; ++round) {
      for (unsigned device = 0; device < 2; ++device)
        world.node(device).SetDisk(3 * kSecond);
      const auto active = static_cast<unsigned>(world.ActiveOf(0));
      world.node(active).Crash(world.now(), world.now() + 300 * kMillisecond);
      world.Pass(kSecond);
      world.Settle();
    }
  });
}

TEST_CASE(
    "takeover: new devices that die before their first ballots are on disk use no epoch twice") {
  Journal journal;
  try {
    for (uint64_t seed = 1; seed <= 8; ++seed) {
      HaOptions options = HaOptions::Plain(2);
      options.seed = seed;
      HaWorld world(options, journal);
      for (int round = 0; round < 4; ++round) {
        for (unsigned device = 0; device < 2; ++device)
          world.node(device).SetDisk(3 * kSecond);
        world.Pass(world.chance().Span(0, kSecond));
        for (unsigned device = 0; device < 2; ++device) {
          if (world.node(device).is_up()) world.node(device).Crash(world.now(), world.now());
        }
      }
      world.Settle();
    }
  } catch (const Violation& violation) {
    FAIL(violation.what() << "\n" << journal.Text());
  }
}

TEST_CASE("takeover: failback after the hold-down, by switchover") {
  HaOptions options = HaOptions::Plain(2);
  for (ha::GroupSettings& group : options.settings.groups) {
    group.auto_failback = true;
    group.failback_hold = 3 * kSecond;
  }
  Play(options, [](HaWorld& world) {
    world.node(0).Crash(world.now(), world.now() + kSecond);
    CHECK(UntilOther(world, 0) < kSoon);
    world.Pass(3 * kSecond);
    CHECK(world.ActiveOf(0) == 1);
    CHECK(UntilOther(world, 1) < 3 * kSecond);
    world.Pass(20 * kMillisecond);
    CHECK(world.switchovers() == 1);
    CHECK(world.ActiveOf(1) == 1);
  });
}

TEST_CASE("takeover: forced offline lasts through a restart") {
  Play(HaOptions::Plain(2), [](HaWorld& world) {
    world.Order(0, {.kind = Command::Kind::kForcedOffline, .ticket = 1});
    CHECK(UntilOther(world, 0) < 12 * kMillisecond);
    world.Pass(100 * kMillisecond);
    world.node(0).Crash(world.now(), world.now());
    world.Pass(kSecond);
    world.node(1).Crash(world.now(), world.now() + 2 * kSecond);
    world.Pass(kSecond);
    CHECK(world.ActiveOf(0) == -1);
    CHECK(world.StateOf(0, 0) == State::kForcedOffline);
    world.Settle();
  });
}

TEST_CASE("takeover: with a witness a split leaves one, whatever is cut") {
  HaOptions options = HaOptions::Plain(2);
  options.witness = options.settings.witness = true;
  Play(options, [](HaWorld& world) {
    // While the devices are well the witness may be away.
    world.PauseWitness(world.now() + 5 * kSecond);
    world.Pass(5 * kSecond);
    CHECK(world.ActiveOf(0) >= 0);
    CHECK(world.ActiveOf(1) >= 0);
    for (int round = 0; round < 3; ++round) {
      world.Cut(0, 1, true);
      world.Cut(1, 0, true);
      world.Pass(3 * kSecond);
      CHECK(world.ActiveOf(0) >= 0);
      CHECK(world.ActiveOf(1) >= 0);
      world.Settle();
    }
    // With neither peer nor witness, silence.
    world.PauseWitness(world.now() + 10 * kSecond);
    world.Cut(0, 1, true);
    world.Cut(1, 0, true);
    world.Pass(2 * kSecond);
    CHECK(world.ActiveOf(0) == -1);
    world.Settle();
  });
}

}  // namespace tandem::sim
