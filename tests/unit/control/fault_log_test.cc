// SPDX-License-Identifier: Apache-2.0
#include "control/fault_log.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace tandem::control {
namespace {

using ha::Fault;
using Lines = std::vector<std::string>;

constexpr Fault kStall = {.kind = Fault::Kind::kWorkerStall, .subject = 1};
constexpr Fault kGateways = {.kind = Fault::Kind::kGatewayDown, .subject = 1, .group = 1};

Fault Over(Fault fault) {
  fault.is_over = true;
  return fault;
}

}  // namespace

TEST_CASE("fault log: a line when a fault begins and one when it is over", "[control]") {
  config::Snapshot snapshot;
  snapshot.traffic_groups.resize(2);
  snapshot.traffic_groups[1].name = "tg1";
  const Lines begins = {"failover: fault: a worker stands still (worker 1)"};
  const Lines ends = {"failover: fault over: a worker stands still (worker 1)"};
  CHECK(FaultChanges({}, {kStall}, snapshot) == begins);
  CHECK(FaultChanges({kStall}, {kStall}, snapshot).empty());
  CHECK(FaultChanges({kStall}, {Over(kStall)}, snapshot) == ends);
  CHECK(FaultChanges({Over(kStall)}, {Over(kStall)}, snapshot).empty());
  CHECK(FaultChanges({Over(kStall)}, {}, snapshot).empty());
  CHECK(FaultChanges({Over(kStall)}, {kStall}, snapshot) == begins);
  // Not configured any more.
  CHECK(FaultChanges({kStall}, {}, snapshot) == ends);
  // Nobody looked while it was there.
  CHECK(FaultChanges({}, {Over(kStall)}, snapshot) == Lines{begins[0], ends[0]});
  CHECK(FaultChanges({kStall}, {kStall, kGateways}, snapshot) ==
        Lines{"failover: fault: too few gateways answer (gateway_failsafe), of traffic group "
              "'tg1'"});
}

TEST_CASE("fault log: what a fault is of has the name that the configuration gives it",
          "[control]") {
  config::Snapshot snapshot;
  snapshot.ports.push_back({.name = "1.1"});
  snapshot.interfaces.resize(3);
  snapshot.interfaces[2].name = "clients";
  CHECK(SubjectOf({.kind = Fault::Kind::kLinkDown, .subject = 0}, snapshot) == "port 1.1");
  CHECK(SubjectOf({.kind = Fault::Kind::kVlanSilent, .subject = 2}, snapshot) == "vlan clients");
  CHECK(SubjectOf({.kind = Fault::Kind::kVlanSilent, .subject = 3}, snapshot).empty());
}

}  // namespace tandem::control
