// SPDX-License-Identifier: Apache-2.0
//
// Changes that the peer need not know at once: they wait for what comes next, and no longer.
#include <catch2/catch.hpp>

#include "tests/unit/mirror/stream_check.h"

namespace tandem::mirror::test {

using flow::FlowHot4;
using flow::FlowHot6;

TEST_CASE("a change that may wait is told with what comes after it", "[mirror]") {
  StreamRig rig({});
  rig.Open();
  CheckEqual(rig);
  const uint32_t slot = rig.Create<FlowHot4>(7);
  rig.Run(kMillisecond);
  rig.Change<FlowHot4>(slot, /*waits=*/true);
  rig.Run(kMillisecond);
  CHECK(rig.sender.counters().dirty.Get() == 1);
  CHECK(rig.sender.counters().updates.Get() == 0);
  SECTION("a change that may wait as well") {
    rig.Change<FlowHot4>(slot, true);
    rig.Run(10 * kMillisecond);
    CHECK(rig.sender.counters().updates.Get() == 1);
  }
  SECTION("one that may not") {
    rig.Change<FlowHot4>(slot);
    rig.Run(kMillisecond);
    CHECK(rig.sender.counters().updates.Get() == 1);
  }
  SECTION("the end") {
    rig.Close<FlowHot4>(slot);
    rig.Run(kMillisecond);
    CHECK(rig.reader.flows4.size() == 0);
    CHECK(rig.sender.counters().updates.Get() == 0);
  }
  SECTION("nothing") {
    rig.Run(10 * kMillisecond);
    CHECK(rig.sender.counters().updates.Get() == 1);
  }
  CHECK(rig.Difference() == "");
  CHECK(rig.sender.counters().dirty.Get() == 0);
  CheckEqual(rig);
}

TEST_CASE("more changes wait than there is room for", "[mirror]") {
  StreamRig rig({});
  for (uint32_t client = 0; client < 12'000; ++client)
    rig.Create<FlowHot4>(client);
  rig.Open();
  CheckEqual(rig);
  for (const StreamRig::Name& name : rig.names())
    rig.Change<FlowHot4>(name.slot, /*waits=*/true);
  rig.Run(kMillisecond);
  CHECK(rig.sender.counters().updates.Get() > 0);
  SECTION("told") {
    rig.Run(50 * kMillisecond);
    CHECK(rig.Difference() == "");
  }
  SECTION("lost") {
    rig.to_reader.loss = 0.2;
    rig.Run(5 * kMillisecond);
    rig.to_reader.loss = 0;
  }
  SECTION("the session ends") {
    rig.sender.Close();
    rig.Run(100 * kMillisecond);
    CHECK(rig.sender.counters().dirty.Get() == 0);
    rig.Open();
  }
  CheckEqual(rig);
}

TEST_CASE("a change that waits while its worker stands still is late", "[mirror]") {
  StreamRig rig({});
  const uint32_t slot = rig.Create<FlowHot4>(7);
  rig.Open();
  CheckEqual(rig);
  rig.Change<FlowHot4>(slot, /*waits=*/true);
  rig.now += 5 * kSecond;
  SECTION("in its list") {}
  SECTION("told, and not acknowledged") {
    const auto frame = std::make_unique<FrameSlot>();
    CHECK(rig.sender.Build(*frame, *rig.writer_snapshot, rig.now));
  }
  rig.sender.OnClock(rig.now);
  CHECK(rig.sender.state() == StreamState::kLagging);
}

TEST_CASE("a change that waited is no other group's", "[mirror]") {
  StreamRig rig({});
  FlowSender other(kGroup + 1, kWorker, rig.writer.tables(), rig.batch_writer);
  other.Open({.session = 5, .epoch = 1, .body_max = 1400, .wire_group = 1}, rig.now);
  rig.Open();
  CheckEqual(rig);
  const uint32_t slot = rig.Create<FlowHot4>(7);
  rig.Run(kMillisecond);
  rig.Change<FlowHot4>(slot, /*waits=*/true);
  const net::FlowKey4 client = rig.writer.flows4.hot(slot).client;
  const net::FlowKey4 server = rig.writer.flows4.hot(slot).server;
  rig.Close<FlowHot4>(slot);
  rig.Run(2 * kMillisecond);
  // The page is the other group's now, and its flow waits in its list.
  flow::FlowTable<FlowHot4>& table = rig.writer.flows4;
  REQUIRE(table.Insert(kGroup + 1, client, server, 6, false).slot == slot);
  table.hot(slot).common.state = flow::State::kEstablished;
  const auto frame = std::make_unique<FrameSlot>();
  const auto tell = [&](Nanos at) {
    uint32_t count = 0;
    for (; other.Build(*frame, *rig.writer_snapshot, at); ++count) {
      other.OnAck({.type = FrameType::kFlowsAck,
                   .session = 5,
                   .sequence = other.next_frame(),
                   .floor = other.next_frame(),
                   .credit = 64},
                  at);
    }
    return count;
  };
  other.Begin<FlowHot4>(slot);
  tell(rig.now + kMillisecond);
  REQUIRE(table.cold(slot).mirror_link == 0);
  other.ChangeLater<FlowHot4>(slot);
  rig.Run(9 * kMillisecond);
  CHECK(rig.sender.counters().dirty.Get() == 0);
  CHECK(flow::IsMirrorDirty(table.cold(slot).mirror_link));
  CHECK(tell(rig.now + 20 * kMillisecond) != 0);
  CHECK(table.cold(slot).mirror_link == 0);
  CHECK(other.counters().updates.Get() == 1);
}

}  // namespace tandem::mirror::test
