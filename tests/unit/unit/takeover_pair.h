// SPDX-License-Identifier: Apache-2.0
//
// A pair of devices that decide between them who is active, with a control thread each, whose disk works.
#pragma once

#include <array>
#include <catch2/catch.hpp>
#include <functional>
#include <variant>
#include <vector>

#include "dataplane/unit/takeover.h"
#include "tests/unit/unit/pair_network.h"

namespace tandem::test {

struct TakeoverPairOptions {
  ha::HealthSettings health;
  ha::Method method = ha::Method::kHaOrder;
  std::array<witness::Path*, 2> witness{};  // nullptr: there is none
  Nanos lease = kSecond;
  Nanos start = kSecond;
  unsigned idle_timeout_s = 300;
  // Before the first turn.
  std::function<void(Pair& pair)> prepare = [](Pair&) {};
};

struct TakeoverPair {
  static constexpr Nanos kInterval = kSecond;  // single devices have turns of their own in between
  static constexpr Nanos kDetection = 5 * kInterval;

  explicit TakeoverPair(const TakeoverPairOptions& options = {})
      : network("mirror: true", options.idle_timeout_s, PairOptionsOf(options)) {
    options.prepare(network.pair);
    REQUIRE(Until([this] { return IsReady(0); }));
  }

  unit::Takeover& takeover(unsigned device) { return *network.pair.rig(device).unit().takeover(); }
  ha::State state(unsigned device) { return takeover(device).status()->groups.at(0).state; }
  bool IsReady(unsigned active) {
    return state(active) == ha::State::kActive && state(1 - active) == ha::State::kStandby;
  }
  bool Acts(unsigned device) { return ha::Acts(state(device)); }

  void Serve() {
    for (const unsigned device : {0U, 1U}) {
      for (const ha::Action& action : takeover(device).Take()) {
        if (action.kind == ha::Action::Kind::kPersist)
          takeover(device).Post(ha::FactsDurable{action.ballot, action.forced_offline});
        if (action.kind == ha::Action::Kind::kAnswer) answers.push_back(action);
        if (action.kind == ha::Action::Kind::kTransition) transitions[device].push_back(action.to);
      }
    }
  }
  void Pass(Nanos span) {
    const Nanos step = watch ? kMillisecond : 10 * kMillisecond;
    for (Nanos passed = 0; passed < span; passed += step) {
      network.pair.Advance(step, kMillisecond);
      Serve();
      if (watch) watch();
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

  static PairOptions PairOptionsOf(const TakeoverPairOptions& from) {
    PairOptions options;
    options.rig.takeover.emplace();
    options.rig.takeover->interval = kInterval;
    options.rig.takeover->multiplier = 5;
    options.rig.takeover->drain_max = kSecond;
    options.rig.takeover->grant_wait_min = kSecond;
    options.rig.health = from.health;
    options.witness = from.witness;
    options.rig.takeover->witness = from.witness[0] != nullptr;
    options.rig.takeover->lease = from.lease;
    options.rig.start = from.start;
    options.rig.takeover_method = from.method;
    return options;
  }

  PairNetwork network;
  std::function<void()> watch;  // after every turn, when there is one
  std::vector<ha::Action> answers;
  std::vector<ha::State> transitions[2];
};

}  // namespace tandem::test
