// SPDX-License-Identifier: Apache-2.0
//
// Two devices that decide between them who is active: heartbeats over the mirroring wire, takeover, handing
// over, a split, and a device that stood still. Whole units, in virtual time.
#include <catch2/catch.hpp>
#include <utility>
#include <variant>
#include <vector>

#include "dataplane/unit/takeover.h"
#include "tests/unit/unit/pair_network.h"

namespace tandem::test {
namespace {

using ha::Action;
using ha::State;
using Kind = Action::Kind;

constexpr Nanos kInterval = kSecond;  // single devices have turns of their own in between
constexpr Nanos kDetection = 5 * kInterval;

PairOptions WithTakeover() {
  PairOptions options;
  options.rig.takeover.emplace();
  options.rig.takeover->interval = kInterval;
  options.rig.takeover->multiplier = 5;
  options.rig.takeover->drain_max = kSecond;
  options.rig.takeover->grant_wait_min = kSecond;
  return options;
}

// The pair with a control thread each, whose disk works.
struct Devices {
  Devices() : network("mirror: true", 300, WithTakeover()) {
    REQUIRE(Until([this] { return IsReady(0); }));
  }

  unit::Takeover& takeover(unsigned device) { return *network.pair.rig(device).unit().takeover(); }
  State state(unsigned device) { return takeover(device).status()->groups.at(0).state; }
  bool IsReady(unsigned active) {
    return state(active) == State::kActive && state(1 - active) == State::kStandby;
  }
  bool Acts(unsigned device) { return ha::Acts(state(device)); }

  void Serve() {
    for (const unsigned device : {0U, 1U}) {
      for (const Action& action : takeover(device).Take()) {
        if (action.kind == Kind::kPersist)
          takeover(device).Post(ha::FactsDurable{action.ballot, action.forced_offline});
        if (action.kind == Kind::kAnswer) answers.push_back(action);
        if (action.kind == Kind::kTransition) transitions[device].push_back(action.to);
      }
    }
  }
  void Pass(Nanos span) {
    for (Nanos passed = 0; passed < span; passed += 10 * kMillisecond) {
      network.pair.Advance(10 * kMillisecond, kMillisecond);
      Serve();
    }
  }
  template <class Condition>
  bool Until(Condition&& condition, Nanos patience = 60 * kSecond) {
    for (Nanos passed = 0; passed < patience; passed += 50 * kMillisecond) {
      if (condition()) return true;
      Pass(50 * kMillisecond);
    }
    return condition();
  }

  PairNetwork network;
  std::vector<Action> answers;
  std::vector<State> transitions[2];
};

}  // namespace

TEST_CASE("takeover: the standby goes on with every flow of an active that is silent", "[unit]") {
  Devices devices;
  const std::vector<Connection> all = OpenAll(devices.network, 0, 1000);
  REQUIRE(devices.Until([&] { return devices.IsReady(0) && AreEqual(devices.network); }));
  devices.network.pair.SetLossFrom(0, 100);
  devices.Pass(kDetection / 2);
  CHECK(devices.state(1) != State::kStandalone);
  REQUIRE(devices.Until([&] { return devices.Acts(1); }, kDetection + 2 * kSecond));
  CheckGoesOn(devices.network, 1, all);

  // It hears all along that another one has a higher epoch, and is silent.
  CHECK_FALSE(devices.Acts(0));
  for (const Connection& one : all)
    CHECK(devices.network.Send(0, "client", one.client).empty());
  devices.network.pair.SetLoss(0);
  REQUIRE(devices.Until([&] { return devices.IsReady(1); }));
  CheckEqual(devices.network, 1);
}

TEST_CASE("takeover: a split: both act; healed, the higher epoch stays and the other syncs",
          "[unit]") {
  Devices devices;
  const std::vector<Connection> all = OpenAll(devices.network, 0, 1000);
  REQUIRE(devices.Until([&] { return devices.IsReady(0) && AreEqual(devices.network); }));
  devices.network.pair.SetLoss(100);
  REQUIRE(devices.Until([&] { return devices.Acts(1); }));
  CHECK(devices.Acts(0));
  devices.network.pair.SetLoss(0);
  REQUIRE(devices.Until([&] { return devices.IsReady(1); }));
  CheckGoesOn(devices.network, 1, all);
  CheckEqual(devices.network, 1);
}

TEST_CASE("takeover: handed over by command, there and back, with the table as it was", "[unit]") {
  Devices devices;
  const std::vector<Connection> all = OpenAll(devices.network, 0, 1000);
  REQUIRE(devices.Until([&] { return devices.IsReady(0) && AreEqual(devices.network); }));
  for (const unsigned source : {0U, 1U}) {
    devices.transitions[1 - source].clear();
    devices.takeover(source).Post(
        ha::Command{.kind = ha::Command::Kind::kStandby, .group = 1, .ticket = 7});
    REQUIRE(devices.Until([&] { return devices.IsReady(1 - source); }));
    REQUIRE(devices.answers.size() == 1);
    CHECK(devices.answers[0].is_done);
    devices.answers.clear();
    CHECK(devices.transitions[1 - source].front() == State::kSwitchingIn);
    CheckGoesOn(devices.network, 1 - source, all);
    CheckEqual(devices.network, 1 - source);
  }
}

TEST_CASE("takeover: a device whose mirror thread stood still lets nothing out", "[unit]") {
  Devices devices;
  const std::vector<Connection> all = OpenAll(devices.network, 0, 1000);
  REQUIRE(devices.Until([&] { return devices.IsReady(0) && AreEqual(devices.network); }));
  Rig& rig = devices.network.pair.rig(0);
  rig.Skip(kDetection);
  for (const Connection& one : all)
    CHECK(devices.network.Send(0, "client", one.client).empty());
  CHECK(rig.Dropped(DropReason::kFenced) >= all.size());
  CHECK(rig.unit().IsFenced(rig.now()));
  // Nobody took over meanwhile: it goes on.
  devices.Pass(kSecond);
  REQUIRE(devices.Until([&] { return devices.IsReady(0); }));
  CHECK_FALSE(rig.unit().IsFenced(rig.now()));
  CheckGoesOn(devices.network, 0, all);
}

TEST_CASE("takeover: heartbeats that make no sense are counted, and nothing else", "[unit]") {
  Devices devices;
  devices.takeover(0).OnHeartbeat("\xff\xff\xff", 0, devices.network.pair.rig(0).now());
  devices.takeover(0).OnHeartbeat("", 1, devices.network.pair.rig(0).now());
  CHECK(devices.takeover(0).bad_heartbeats().Get() == 2);
  CHECK(devices.IsReady(0));
}

}  // namespace tandem::test
