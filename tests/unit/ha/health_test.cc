// SPDX-License-Identifier: Apache-2.0
//
// What becomes a fault of this device, when, and for how long.
#include "dataplane/ha/health.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace tandem::ha {
namespace {

constexpr config::TrafficGroupId kAnyGroup = 3;
constexpr Nanos kStep = 5 * kMillisecond;

// A device that is looked at every kStep. What a test does not change is well.
struct Patient {
  explicit Patient(const HealthSettings& settings) { health.Configure(settings); }

  void Look() {
    for (size_t i = 0; i < turns.size(); ++i) {
      if (!stands_still[i]) ++turns[i];
    }
    health.Look({.worker_turns = turns}, now);
  }
  void Pass(Nanos span) {
    for (Nanos passed = 0; passed < span; passed += kStep) {
      now += kStep;
      Look();
    }
  }
  bool IsIll(bool acts) const { return health.FaultOf(kAnyGroup, acts) != nullptr; }

  Health health;
  Nanos now = kSecond;
  std::vector<uint64_t> turns = {0, 0};
  std::vector<bool> stands_still = {false, false};
};

HealthSettings WithWorkerStall(Nanos stall = 500 * kMillisecond) {
  HealthSettings settings;
  settings.worker_stall = stall;
  return settings;
}

}  // namespace

TEST_CASE("health: a worker that takes no turn for the configured time is a fault") {
  Patient patient(WithWorkerStall());
  patient.Pass(kSecond);
  CHECK_FALSE(patient.IsIll(true));
  CHECK(patient.health.faults().empty());
  patient.stands_still[1] = true;
  patient.Pass(495 * kMillisecond);
  CHECK_FALSE(patient.IsIll(true));
  patient.Pass(2 * kStep);
  CHECK(std::string(patient.health.FaultOf(kAnyGroup, true)) == "a worker stands still");
  patient.Pass(3 * kSecond);
  const std::vector<Fault> faults = patient.health.faults();
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].subject == 1);
  CHECK(faults[0].group == 0);
  CHECK_FALSE(faults[0].is_over);
  CHECK(faults[0].lasts >= 3 * kSecond - 2 * kStep);
}

TEST_CASE("health: for who acts a fault is over at once, for others some time later") {
  Patient patient(WithWorkerStall());
  patient.stands_still[0] = true;
  patient.Pass(kSecond);
  // It had not begun to work.
  CHECK_FALSE(patient.IsIll(false));
  patient.stands_still[0] = false;
  patient.Pass(kSecond);
  patient.stands_still[0] = true;
  patient.Pass(kSecond);
  CHECK(patient.IsIll(true));
  CHECK(patient.IsIll(false));
  patient.stands_still[0] = false;
  patient.Pass(kStep);
  CHECK_FALSE(patient.IsIll(true));
  CHECK(patient.IsIll(false));
  REQUIRE(patient.health.faults().size() == 1);
  CHECK(patient.health.faults()[0].is_over);
  patient.Pass(Health::kRecovery - 2 * kStep);
  CHECK(patient.IsIll(false));
  patient.Pass(2 * kStep);
  CHECK_FALSE(patient.IsIll(false));
  CHECK(patient.health.faults().empty());
}

TEST_CASE("health: who did not look blames nobody for that time") {
  Patient patient(WithWorkerStall());
  patient.Pass(kSecond);
  // Stopped as a whole, and the worker goes on a moment later.
  patient.stands_still = {true, true};
  patient.now += 10 * kSecond;
  patient.Look();
  CHECK_FALSE(patient.IsIll(true));
  patient.Pass(400 * kMillisecond);
  CHECK_FALSE(patient.IsIll(true));
  // A look that comes late, again and again, only takes longer.
  for (int i = 0; i < 2; ++i) {
    patient.now += kSecond;
    patient.Look();
  }
  CHECK(patient.IsIll(true));
}

TEST_CASE("health: workers are not looked at when that is off, from the next look on") {
  Patient patient(WithWorkerStall(0));
  patient.Pass(kSecond);
  patient.stands_still[1] = true;
  patient.Pass(10 * kSecond);
  CHECK_FALSE(patient.IsIll(true));
  patient.health.Configure(WithWorkerStall());
  patient.Look();
  CHECK(patient.IsIll(true));
  patient.health.Configure(WithWorkerStall(0));
  patient.Look();
  CHECK_FALSE(patient.IsIll(true));
}

}  // namespace tandem::ha
