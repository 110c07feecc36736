// SPDX-License-Identifier: Apache-2.0
//
// A device that lives, and is not fit: its traffic group moves to the other one, and its connections go on
// there. Whole units, in virtual time.
#include <catch2/catch.hpp>
#include <string>

#include "tests/unit/unit/takeover_pair.h"

namespace tandem::test {
namespace {

using ha::State;

TakeoverPairOptions WithWorkerStall() {
  TakeoverPairOptions options;
  options.health.worker_stall = 500 * kMillisecond;
  return options;
}

}  // namespace

TEST_CASE("watchdog: when a worker stands still the group moves, and stays when it goes on",
          "[unit]") {
  TakeoverPair devices(WithWorkerStall());
  const std::vector<Connection> all = OpenAll(devices.network, 0, 1000);
  REQUIRE(devices.Until([&] { return devices.IsReady(0) && AreEqual(devices.network); }));
  devices.network.pair.rig(0).SetStalled(1, true);
  devices.Pass(400 * kMillisecond);
  CHECK(devices.Acts(0));
  REQUIRE(devices.Until([&] { return devices.Acts(1); }, 2 * kSecond));
  CHECK(devices.state(0) == State::kFailed);
  CHECK(std::string(devices.takeover(0).status()->groups.at(0).fault) == "a worker stands still");
  CheckGoesOn(devices.network, 1, all);

  devices.network.pair.rig(0).SetStalled(1, false);
  REQUIRE(devices.Until([&] { return devices.IsReady(1); }));
  CHECK(devices.takeover(0).status()->groups.at(0).fault == nullptr);
  devices.Pass(10 * kSecond);
  CHECK(devices.IsReady(1));
  CheckEqual(devices.network, 1);
}

TEST_CASE("watchdog: when workers stand still on both devices, the group stays", "[unit]") {
  TakeoverPair devices(WithWorkerStall());
  devices.network.pair.rig(1).SetStalled(0, true);
  REQUIRE(devices.Until([&] { return devices.state(1) == State::kFailed; }, 2 * kSecond));
  devices.network.pair.rig(0).SetStalled(1, true);
  devices.Pass(5 * kSecond);
  CHECK(devices.Acts(0));
  // Who acts is well first, and nothing moves then either.
  for (const unsigned device : {0U, 1U})
    devices.network.pair.rig(device).SetStalled(1 - device, false);
  devices.transitions[1].clear();
  REQUIRE(devices.Until([&] { return devices.IsReady(0); }));
  for (const State state : devices.transitions[1])
    CHECK_FALSE(ha::Acts(state));
}

}  // namespace tandem::test
