// SPDX-License-Identifier: Apache-2.0
//
// What becomes a fault of this device, when, and for how long.
#include "dataplane/ha/health.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace tandem::ha {
namespace {

constexpr config::TrafficGroupId kHealthGroup = 3;
constexpr Nanos kStep = 5 * kMillisecond;

// A device that is looked at every kStep. What a test does not change is well.
struct Patient {
  explicit Patient(const HealthSettings& settings) { Configure(settings); }

  void Configure(const HealthSettings& settings) {
    health.Configure(settings);
    numbers.resize(settings.pulses.size());
    stands_still.resize(settings.pulses.size());
  }
  void Look() {
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (!stands_still[i]) ++numbers[i];
    }
    health.Look(numbers, now);
  }
  void Pass(Nanos span) {
    for (Nanos passed = 0; passed < span; passed += kStep) {
      now += kStep;
      Look();
    }
  }
  bool IsIll(bool acts) const { return health.FaultOf(kHealthGroup, acts) != nullptr; }

  Health health;
  Nanos now = kSecond;
  std::vector<uint64_t> numbers;
  std::vector<bool> stands_still;
};

// Of two workers.
HealthSettings WithWorkerStall(Nanos stall = 500 * kMillisecond) {
  HealthSettings settings;
  for (const uint32_t worker : {0U, 1U}) {
    settings.pulses.push_back({.index = worker, .timeout = stall});
    settings.rules.push_back(
        {.kind = Fault::Kind::kWorkerStall, .subject = worker, .pulses = {worker}});
  }
  return settings;
}

// Three gateways of kHealthGroup, two of which are needed.
HealthSettings WithGateways() {
  HealthSettings settings;
  for (uint32_t i = 0; i < 3; ++i) {
    settings.pulses.push_back({.kind = Pulse::Kind::kGateway,
                               .address = IpAddress::V4(i + 1),
                               .timeout = 4 * kSecond,
                               .ask_every = kSecond});
  }
  settings.rules.push_back({.kind = Fault::Kind::kGatewayDown,
                            .subject = kHealthGroup,
                            .group = kHealthGroup,
                            .pulses = {0, 1, 2},
                            .minimum = 2});
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
  CHECK(std::string(patient.health.FaultOf(kHealthGroup, true)) == "a worker stands still");
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

TEST_CASE("health: what is not configured any more is no fault; what stays goes on") {
  Patient patient(WithWorkerStall());
  patient.Pass(kSecond);
  patient.stands_still[1] = true;
  patient.Pass(kSecond);
  CHECK(patient.IsIll(true));
  HealthSettings only_first = WithWorkerStall();
  only_first.pulses.pop_back();
  only_first.rules.pop_back();
  patient.Configure(only_first);
  patient.Look();
  CHECK_FALSE(patient.IsIll(true));
  // A new one is well to begin with.
  patient.Configure(WithWorkerStall());
  patient.stands_still[0] = true;
  patient.Pass(400 * kMillisecond);
  patient.Configure(WithWorkerStall());
  patient.Pass(95 * kMillisecond);
  CHECK_FALSE(patient.IsIll(true));
  patient.Pass(2 * kStep);
  CHECK(patient.IsIll(true));
}

TEST_CASE("health: too few gateways are a fault of their group, for who does not act earlier") {
  Patient patient(WithGateways());
  patient.Pass(kSecond);
  patient.stands_still[0] = true;
  patient.Pass(10 * kSecond);
  CHECK_FALSE(patient.IsIll(false));
  patient.stands_still[2] = true;
  patient.Pass(3 * kSecond - kStep);
  CHECK_FALSE(patient.IsIll(false));
  patient.Pass(kStep);
  CHECK(patient.IsIll(false));
  CHECK_FALSE(patient.IsIll(true));
  patient.Pass(kSecond);
  CHECK(std::string(patient.health.FaultOf(kHealthGroup, true)) == "too few gateways answer");
  CHECK(patient.health.FaultOf(kHealthGroup + 1, true) == nullptr);
  CHECK(patient.health.FaultOf(kHealthGroup + 1, false) == nullptr);
  patient.stands_still[0] = false;
  patient.Pass(kStep);
  CHECK_FALSE(patient.IsIll(true));
  CHECK(patient.IsIll(false));
}

TEST_CASE("health: a gateway that never answered is none") {
  Patient patient(WithGateways());
  patient.stands_still = {false, true, true};
  patient.Pass(4 * kSecond - kStep);
  CHECK_FALSE(patient.IsIll(true));
  patient.Pass(2 * kStep);
  CHECK(patient.IsIll(true));
}

TEST_CASE("health: a score counts what is up") {
  HealthSettings settings = WithGateways();
  settings.rules.clear();
  settings.score_parts = {
      {.group = kHealthGroup, .name = "gateways", .weight = 30, .needed = 2, .pulses = {0, 1, 2}},
      {.group = kHealthGroup, .name = "pool", .weight = 50, .up = 1, .total = 2},
      {.group = kHealthGroup + 1, .name = "pool", .weight = 100, .up = 1, .total = 1}};
  Patient patient(settings);
  patient.Pass(kSecond);
  CHECK(patient.health.ScoreOf(kHealthGroup) == 55);
  CHECK(patient.health.ScoreOf(kHealthGroup + 1) == 100);
  CHECK(patient.health.ScoreOf(kHealthGroup + 2) == 0);
  patient.stands_still[0] = true;
  patient.Pass(5 * kSecond);
  CHECK(patient.health.ScoreOf(kHealthGroup) == 45);
  CHECK(patient.health.score_parts()[0].up == 2);
  CHECK(patient.health.score_parts()[0].total == 3);
  patient.stands_still[1] = true;
  patient.Pass(5 * kSecond);
  CHECK(patient.health.ScoreOf(kHealthGroup) == 25);
}

}  // namespace tandem::ha
