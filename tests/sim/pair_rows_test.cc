// SPDX-License-Identifier: Apache-2.0
//
// Failures that others shipped, one case each, in the whole world: those that concern more than the
// streams alone. The rest is in stream_rows_test.cc.
#include <catch2/catch.hpp>

#include "tests/sim/pair_world.h"
#include "tests/support/allocation_guard.h"

namespace tandem::sim {
namespace {

// A world without weather of its own; what goes wrong is up to the case.
PairOptions Calm(uint64_t seed) {
  PairOptions options;
  options.seed = seed;
  options.conversations = 40;
  options.pace = 100 * kMillisecond;
  options.with_faults = false;
  options.with_restarts = false;
  options.with_config = false;
  options.with_crashes = false;
  return options;
}

template <class Scene>
void Play(const PairOptions& options, Scene&& scene) {
  Journal journal;
  INFO("seed " << options.seed);
  try {
    PairWorld world(options, journal);
    scene(world);
    world.Finish();
  } catch (const Violation& violation) {
    FAIL(violation.what() << "\n" << journal.Text());
  }
}

uint64_t Sum(PairWorld& world, Counter mirror::EndpointCounters::*counter) {
  uint64_t sum = 0;
  for (unsigned device = 0; device < 2; ++device)
    sum += (world.device(device).mirroring().endpoint().counters().*counter).Get();
  return sum;
}

// Frames that told of flows, in all sessions of the device's run.
uint64_t FlowFrames(PairWorld& world, unsigned device) {
  PairDevice& one = world.device(device);
  uint64_t frames = 0;
  for (unsigned worker = 0; worker < one.workers(); ++worker) {
    for (const char* const group : kGroupNames) {
      frames +=
          one.mirroring().worker(worker).FindSender(one.GroupNamed(group))->counters().frames.Get();
    }
  }
  return frames;
}

uint64_t NoRoom(PairWorld& world, unsigned group) {
  PairDevice& standby = world.device(1 - world.ActiveOf(group));
  const auto id = standby.GroupNamed(kGroupNames[group]);
  return standby.mirroring().worker(0).FindReceiver(id)->counters().no_room.Get();
}

uint32_t SessionOf(PairWorld& world, unsigned group) {
  const auto status = world.device(0).unit().mirror_status();
  return status->groups[group].session;
}

size_t FlowsOf(PairWorld& world, unsigned device, unsigned group, uint16_t flags) {
  size_t count = 0;
  for (unsigned worker = 0; worker < world.device(device).workers(); ++worker)
    count += world.Images(device, worker, group, flags).size();
  return count;
}

std::vector<unit::FlowInfo> Established(PairWorld& world, unsigned device, unsigned group) {
  PairDevice& one = world.device(device);
  std::vector<unit::FlowInfo> established;
  for (const unit::FlowInfo& flow : one.rig().Flows()) {
    if (flow.traffic_group == one.GroupNamed(kGroupNames[group]) &&
        flow.state == flow::State::kEstablished && (flow.flags & flow::kMirrored) != 0) {
      established.push_back(flow);
    }
  }
  return established;
}

}  // namespace

TEST_CASE("row 10: clocks, sessions, births and versions go on past their ends") {
  for (const uint64_t seed : {10U, 11U, 12U}) {
    PairOptions options = Calm(seed);
    options.near_ends = true;
    options.config.persistent = 0xff;
    options.config.workers = static_cast<unsigned>(seed % 2 + 1);
    Play(options, [](PairWorld& world) {
      for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 20; ++i) {
          world.Run(15);
          world.AgeVersions();
        }
        // More configurations than there are up to the next power of two.
        for (unsigned device = 0; device < 2; ++device) {
          for (int i = 0; i < 2; ++i)
            world.Configure(device, world.config());
        }
        world.Steps(100, 100 * kMillisecond);
        if (round == 1) world.Restart(1 - world.ActiveOf(0));
        world.Flip(0);
      }
    });
  }
}

TEST_CASE("row 12: a clock that jumps ends no session and loses nothing") {
  PairOptions options = Calm(12);
  options.config.persistent = 0xff;
  Play(options, [](PairWorld& world) {
    world.Run(1500);
    world.Settle();
    const uint32_t blue = SessionOf(world, 0);
    const uint32_t green = SessionOf(world, 1);
    for (int round = 0; round < 10; ++round) {
      world.Skip(0, world.chance().Span(0, 8 * kSecond));
      world.Run(30);
      world.Skip(1, world.chance().Span(0, 30 * 24 * 3600 * kSecond) >> (round * 2));
      world.Run(30);
    }
    world.Settle();
    REQUIRE(SessionOf(world, 0) == blue);
    REQUIRE(SessionOf(world, 1) == green);
    world.Flip(0);
  });
}

TEST_CASE("row 13: ages are relative, and what is taken over has one timeout of the new clock") {
  for (const uint64_t seed : {13U, 14U}) {
    PairOptions options = Calm(seed);
    options.near_ends = seed == 14;  // weeks apart
    options.config.idle_timeout = 20;
    Play(options, [](PairWorld& world) {
      world.Run(2000);
      world.Settle();
      // Of each device, since nobody's clock jumped.
      std::map<uint32_t, uint32_t> ages;
      for (const unit::FlowInfo& flow : Established(world, 0, 0))
        ages[flow.logical_slot * 2 + (flow.cs_client.is_v4() ? 0 : 1)] = flow.age_ticks;
      REQUIRE(ages.size() > 5);
      for (const unit::FlowInfo& flow : Established(world, 1, 0)) {
        const auto here = ages.find(flow.logical_slot * 2 + (flow.cs_client.is_v4() ? 0 : 1));
        REQUIRE(here != ages.end());
        CHECK(std::max(here->second, flow.age_ticks) - std::min(here->second, flow.age_ticks) <
              TicksIn(kSecond));
      }
      world.lan().SilenceAll();
      world.SetTraffic(false);
      world.Skip(0, 3 * kSecond);
      world.Steps(100, 100 * kMillisecond);
      // However much time goes by for a standby, its shadow does not age.
      world.Skip(1, 9 * 24 * 3600 * kSecond);
      world.Steps(10, 100 * kMillisecond);
      const size_t there = Established(world, 1, 0).size();
      REQUIRE(there > 5);
      world.SetRoles(0, 1);
      world.Steps(190, 100 * kMillisecond);
      CHECK(Established(world, 1, 0).size() == there);
      world.Steps(60, 100 * kMillisecond);
      CHECK(Established(world, 1, 0).empty());
    });
  }
}

TEST_CASE("row 16: a peer of another platform is refused quietly, and harms nobody") {
  for (const Platform platform : {Platform::kOtherKey, Platform::kOtherWorkers}) {
    PairOptions options = Calm(16);
    options.config.persistent = 0xff;
    options.conversations = 15;
    options.pace = 2 * kSecond;
    options.config.strict = 0xff;  // nobody may wait for such a peer
    Play(options, [platform](PairWorld& world) {
      world.Run(1000);
      world.Settle();
      world.RestartAs(1, platform);
      world.Steps(300, 10 * kMillisecond);
      const auto status = world.device(0).unit().mirror_status();
      REQUIRE(status->incompatible.find(" here, ") != std::string::npos);
      for (const auto& group : status->groups)
        CHECK(std::string(group.reason) == "platforms differ");
      const uint64_t flow_frames = FlowFrames(world, 0);
      const uint64_t hellos = Sum(world, &mirror::EndpointCounters::hellos_sent);
      const uint64_t control = Sum(world, &mirror::EndpointCounters::control_sent);
      const LanTotals before = world.lan().totals();
      world.Steps(2000, 60 * kMillisecond);  // two minutes
      CHECK(FlowFrames(world, 0) == flow_frames);
      CHECK(Sum(world, &mirror::EndpointCounters::hellos_sent) - hellos < 40);
      // Records go on, by a path that both confirm each second.
      CHECK(Sum(world, &mirror::EndpointCounters::control_sent) - control < 5 * 120);
      const LanTotals& after = world.lan().totals();
      CHECK(after.completed > before.completed + 20);
      CHECK(after.unanswered == before.unanswered);
      CHECK(after.reset == before.reset);
      CHECK(FlowsOf(world, 1, 0, 0) + FlowsOf(world, 1, 1, 0) == 0);
      CHECK_FALSE(world.device(1).rig().Records().empty());
      world.SettleRecords();
      world.RestartAs(1, Platform::kSame);
    });
  }
}

TEST_CASE("row 17: records made while the standby lacked their objects are not lost") {
  PairOptions options = Calm(17);
  options.config.persistent = 0xff;
  options.config.source_timeout = 600;
  Play(options, [](PairWorld& world) {
    PairConfig lacking = world.config();
    lacking.virtuals = 0x0a;
    lacking.has_third_member = false;
    world.Configure(1, lacking);
    world.Run(1000);
    world.Configure(1, world.config());
    world.Settle();
    lacking.hash_mirrored = false;
    for (unsigned device = 0; device < 2; ++device)
      world.Configure(device, lacking);
    world.Run(1000);
    for (unsigned device = 0; device < 2; ++device)
      world.Configure(device, world.config());
    world.Settle();
    world.Flip(0);
    world.Flip(1);
    world.Run(500);
    world.Flip(0);
  });
}

TEST_CASE("row 18: neither FIN nor RST passes a packet that is held for the peer") {
  PairOptions options = Calm(18);
  options.config.strict = 0x5f;
  options.config.bounded = 0x20;
  options.pace = 20 * kMillisecond;
  Play(options, [](PairWorld& world) {
    world.Settle();
    world.Run(1000);
    world.SetMirrorFaults(0,
                          {.loss_percent = 20, .delay = 2 * kMillisecond, .jitter = kMillisecond});
    world.SetMirrorFaults(1, {.loss_percent = 20, .delay = 3 * kMillisecond});
    world.Run(4000);
    CHECK(world.commit().checked() > 200);
    CHECK(world.commit().excepted() < 10);
    const uint64_t held = world.device(0).rig().Total(&pipeline::WorkerCounters::commit_held);
    CHECK(held > 200);
  });
}

TEST_CASE("a strict commit waits for the peer that there is, whatever becomes of it") {
  PairOptions options = Calm(19);
  options.config.strict = 0xff;
  options.config.workers = 2;
  options.pace = 20 * kMillisecond;
  Play(options, [](PairWorld& world) {
    for (int round = 0; round < 4; ++round) {
      world.Run(500);
      world.SetMirrorFaults(0, {.loss_percent = 10, .delay = kMillisecond});
      world.Restart(1);
      world.Run(500);
      world.SetMirrorFaults(1, {.cut = true});
      world.Run(400);
      world.Settle();
    }
    CHECK(world.commit().checked() > 50);
    CHECK(world.commit().excepted() > 0);
  });
}

TEST_CASE("a standby that is full is not in sync, and is again once there is room") {
  PairOptions options = Calm(20);
  options.is_tight = true;
  options.flows_ipv4 = options.flows_ipv6 = 60;
  options.config.active = {0, 1};  // each has a page for its own flows, and none for a shadow
  Play(options, [](PairWorld& world) {
    world.Run(1500);
    world.Steps(200, 20 * kMillisecond);
    for (unsigned group = 0; group < kPairGroups; ++group) {
      CHECK(NoRoom(world, group) > 0);
      CHECK_FALSE(world.SaysInSync(group));
    }
    world.SetTraffic(false);
    world.lan().EndAll(world.now());
    const auto are_in_sync = [&] { return world.IsInSync(0) && world.IsInSync(1); };
    CHECK(world.StepUntil(60 * kSecond, 20 * kMillisecond, are_in_sync));
  });
}

TEST_CASE("row 27: a path that comes to carry less is found out, and mirroring goes on") {
  for (const uint64_t seed : {27U, 28U, 29U}) {
    PairOptions options = Calm(seed);
    options.config.mtu = 9000;
    options.conversations = 300;
    options.client_ports = 2000;
    options.pace = 400 * kMillisecond;
    options.config.persistent = seed == 27 ? 0xff : 0;
    Play(options, [seed](PairWorld& world) {
      world.Run(1500);
      world.SetTraffic(false);
      const auto are_in_sync = [&] { return world.IsInSync(0) && world.IsInSync(1); };
      REQUIRE(world.StepUntil(20 * kSecond, kMillisecond, are_in_sync));
      REQUIRE(world.device(0).unit().mirror_status()->mtu > 8900);
      world.SetTraffic(true);
      // What has to be said meanwhile takes large frames.
      world.PauseMirror(0, world.now() + 900 * kMillisecond);
      for (const unsigned device : {0U, 1U}) {
        if (seed != 29 || device == 0) world.SetMirrorFaults(device, {.size_max = 14 + 1400});
      }
      world.Steps(500, 2 * kMillisecond);
      const auto has_noticed = [&] {
        const uint16_t mtu = world.device(0).unit().mirror_status()->mtu;
        return mtu <= 1400 && mtu > 1300;
      };
      CHECK(world.StepUntil(20 * kSecond, 2 * kMillisecond, has_noticed));
      world.SetTraffic(false);
      CHECK(world.StepUntil(10 * kSecond, 2 * kMillisecond, are_in_sync));
      world.Settle();
      const auto is_large = [&] { return world.device(0).unit().mirror_status()->mtu > 8900; };
      CHECK(world.StepUntil(130 * kSecond, 20 * kMillisecond, is_large));
    });
  }
}

TEST_CASE("row 32: a first pass needs no memory, and waits for buffers that there are not") {
  PairOptions options = Calm(32);
  options.conversations = 800;
  options.client_ports = 4000;
  options.pace = kSecond;
  options.around_turn = &test::GuardAllocations;
  Play(options, [](PairWorld& world) {
    world.Steps(1000, kMillisecond);
    world.SetTraffic(false);
    REQUIRE(FlowsOf(world, 0, 0, flow::kMirrored) > 200);
    const unsigned allocations = test::Allocations();
    world.Restart(1);
    world.Steps(100, kMillisecond);
    world.device(0).SetMirrorBuffers(0);
    world.Steps(2000, kMillisecond);
    CHECK_FALSE(world.IsInSync(0));
    world.device(0).SetMirrorBuffers(1);
    const auto are_in_sync = [&] { return world.IsInSync(0) && world.IsInSync(1); };
    CHECK(world.StepUntil(60 * kSecond, kMillisecond, are_in_sync));
    CHECK(test::Allocations() == allocations);
    world.device(0).SetMirrorBuffers(SIZE_MAX);
  });
}

TEST_CASE("records lead clients to the same member, whoever is active, twice each way") {
  for (const uint64_t seed : {33U, 34U}) {
    PairOptions options = Calm(seed);
    options.config.persistent = 0xff;
    options.config.workers = static_cast<unsigned>(seed % 2 + 1);
    options.config.across_services = seed == 34;
    Play(options, [](PairWorld& world) {
      for (int round = 0; round < 4; ++round) {
        world.Run(800);
        CHECK(world.PromisesOf(0).size() + world.PromisesOf(1).size() > 5);
        world.Flip(0);
        world.Flip(1);
      }
    });
  }
}

}  // namespace tandem::sim
