// SPDX-License-Identifier: Apache-2.0
#include "control/daemon_sweep.h"

#include <catch2/catch.hpp>

#include "tests/unit/control/admin_device.h"

namespace tandem::control {
namespace {

// The configuration without the virtual "web".
config::v1::Config WithoutWeb(const config::v1::Config& config) {
  config::v1::Config next = config;
  auto& virtuals = *next.mutable_virtual_();
  for (int i = virtuals.size() - 1; i >= 0; --i) {
    if (virtuals.Get(i).name() == "web") virtuals.DeleteSubrange(i, 1);
  }
  return next;
}

uint64_t FlowsOf(AdminDevice& device) {
  uint64_t flows = 0;
  for (unsigned worker = 0; worker < AdminDevice::kWorkers; ++worker) {
    flows += device.unit().counters(worker).flows_ipv4.Get();
  }
  return flows;
}

void Open(AdminDevice& device, uint16_t flows) {
  device.ServerSpeaks(5);
  for (uint16_t i = 0; i < flows; ++i) {
    device.Syn(static_cast<uint16_t>(40000 + i));
  }
  REQUIRE(FlowsOf(device) == flows);
}

}  // namespace

TEST_CASE("without anything removed there is nothing to sweep") {
  AdminDevice device;
  Sweep sweep(device.unit());
  sweep.Start(device.ids());
  CHECK_FALSE(sweep.active());
}

TEST_CASE("flows of a removed virtual end on every worker before its id is free") {
  AdminDevice device;
  Open(device, 30);
  Sweep sweep(device.unit());
  REQUIRE(device.Apply(WithoutWeb(device.running()), false).ok());
  sweep.Start(device.ids());
  REQUIRE(sweep.active());
  REQUIRE(device.ids().virtuals.retired().size() == 1);
  sweep.Poll(device.ids(), device.Now());
  CHECK(device.ids().virtuals.retired().size() == 1);  // no worker has turned yet
  for (int i = 0; i < 1000 && sweep.active(); ++i) {
    device.Turn();
    sweep.Poll(device.ids(), device.Now());
  }
  CHECK_FALSE(sweep.active());
  CHECK(sweep.flows_ended() == 30);
  CHECK(FlowsOf(device) == 0);
  CHECK(device.ids().virtuals.retired().empty());
}

TEST_CASE("a removal during a sweep is swept too") {
  AdminDevice device;
  Open(device, 3);
  Sweep sweep(device.unit());
  const config::v1::Config before = device.running();
  REQUIRE(device.Apply(WithoutWeb(before), false).ok());
  sweep.Start(device.ids());
  config::v1::Config next = WithoutWeb(before);
  next.mutable_virtual_()->Clear();
  REQUIRE(device.Apply(next, false).ok());
  sweep.Start(device.ids());
  for (int i = 0; i < 2000 && sweep.active(); ++i) {
    device.Turn();
    sweep.Poll(device.ids(), device.Now());
  }
  CHECK_FALSE(sweep.active());
  CHECK(device.ids().virtuals.retired().empty());
}

TEST_CASE("a sweep waits for a worker that is busy with another query") {
  AdminDevice device;
  Open(device, 3);
  Sweep sweep(device.unit());
  REQUIRE(device.Apply(WithoutWeb(device.running()), false).ok());
  sweep.Start(device.ids());
  device.Turn();
  unit::FlowQuery other;
  other.action = unit::FlowQuery::Action::kCount;
  REQUIRE(device.unit().Post(1, other));
  for (int i = 0; i < 1000 && sweep.active(); ++i) {
    sweep.Poll(device.ids(), device.Now());
    device.Turn();
  }
  CHECK(other.done.load());
  CHECK_FALSE(sweep.active());
  CHECK(FlowsOf(device) == 0);
}

}  // namespace tandem::control
