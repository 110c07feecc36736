// SPDX-License-Identifier: Apache-2.0
//
// What a shadow has of earlier sessions: kept for a takeover until the new session has told of all that
// there is, and no obstacle to it.
#include <catch2/catch.hpp>

#include <algorithm>

#include "tests/unit/mirror/stream_check.h"

namespace tandem::mirror::test {
namespace {

using flow::FlowHot4;
using flow::FlowHot6;

constexpr uint32_t kFlows = 3000;

// The reader has all, and then a new session begins of which only `span` is let through.
void BeginAnew(StreamRig& rig, Nanos span) {
  rig.Open();
  CheckEqual(rig);
  rig.Open();
  rig.Run(span);
  rig.to_reader.loss = 1;
  rig.Run(100 * kMillisecond);
}

bool Has(StreamRig& rig, const StreamRig::Name& name) {
  const flow::FlowHot4& hot = rig.writer.flows4.hot(name.slot);
  return rig.reader.flows4.FindOne(hot.client, hot.common.protocol).slot != flow::kNoSlot;
}

size_t CountOf(StreamRig& rig) {
  return static_cast<size_t>(std::ranges::count_if(
      rig.names(), [&rig](const StreamRig::Name& name) { return Has(rig, name); }));
}

}  // namespace

TEST_CASE("what an earlier session told of is there until the new one has told of all",
          "[mirror]") {
  const Nanos span = GENERATE(Nanos{0}, 100 * Nanos{1000}, 300 * Nanos{1000});
  CAPTURE(span);
  StreamRig rig({});
  for (uint32_t client = 0; client < kFlows; ++client)
    rig.Create<FlowHot4>(client);
  BeginAnew(rig, span);
  CHECK(CountOf(rig) == kFlows);
  CHECK_FALSE(rig.receiver.in_sync());
  CHECK_FALSE(rig.receiver.is_settled(1));
  // A takeover now finds all of them; some are of either session.
  CHECK(rig.receiver.counters().flows.Get() < kFlows);
  rig.to_reader.loss = 0;
  CheckEqual(rig);
  CHECK(rig.receiver.counters().flows.Get() == kFlows);
}

TEST_CASE("what ended between two sessions is swept once the new one has told of all", "[mirror]") {
  StreamRig rig({});
  for (uint32_t client = 0; client < kFlows; ++client)
    rig.Create<FlowHot4>(client);
  rig.Open();
  CheckEqual(rig);
  rig.sender.Close();
  for (int i = 0; i < 1000; ++i)
    rig.Close<FlowHot4>(rig.names()[0].slot);
  // The keys of some are of other flows now, at other slots.
  for (uint32_t client = 0; client < 500; ++client)
    REQUIRE(rig.Create<FlowHot4>(client) != flow::kNoSlot);
  rig.Open();
  CheckEqual(rig);
  CHECK(rig.receiver.counters().swept.Get() > 0);
  CHECK(rig.reader.flows4.size() == kFlows - 500);
}

TEST_CASE("what an earlier session told of gives way where there is no room", "[mirror]") {
  StreamRig rig({.capacity4 = 2 * kFlowsPerPage});
  for (uint32_t client = 0; client < kFlows; ++client)
    rig.Create<FlowHot4>(client);
  rig.Open();
  CheckEqual(rig);
  rig.sender.Close();
  // The reader's second page is another group's; the writer's flows are all on its second page.
  const uint32_t others = rig.reader.flows4.pages().Allocate(kGroup + 1);
  REQUIRE(others != flow::kNoSlot);
  REQUIRE(rig.reader.flows4.pages().Allocate(kGroup + 2) == flow::kNoSlot);
  for (uint32_t client = kFlows; client < 2 * kFlowsPerPage; ++client)
    rig.Create<FlowHot4>(client);
  while (rig.writer.flows4.pages().LogicalSlot(rig.names()[0].slot) < kFlowsPerPage)
    rig.Close<FlowHot4>(rig.names()[0].slot);
  REQUIRE(rig.size() > 1000);
  rig.Open();
  REQUIRE(rig.RunUntilInSync());
  CHECK(rig.receiver.counters().no_room.Get() > 0);
  rig.reader.flows4.pages().Free(others);
  CheckEqual(rig);
}

TEST_CASE("a deleted virtual's flows of an earlier session are not waited for", "[mirror]") {
  StreamRig rig({});
  for (uint32_t client = 0; client < kFlows; ++client)
    rig.Create<FlowHot4>(client);
  BeginAnew(rig, 0);
  rig.reader_snapshot = MakeSnapshot(4, 2, {"v1"});
  rig.translation = Translate(*rig.writer_snapshot, *rig.reader_snapshot);
  rig.Run(100 * kMillisecond);
  CHECK(CountOf(rig) == kFlows - kFlows / kObjects);
}

TEST_CASE("another group's flow of an earlier session is no obstacle", "[mirror]") {
  // A flow has the key of one that the other group had when its last session ended.
  StreamRig rig({});
  rig.Create<FlowHot4>(1);
  rig.Open();
  CheckEqual(rig);
  FlowReceiver other(kGroup + 1, kWorker, rig.reader.tables(), rig.live, rig.share);
  SessionTerms terms = rig.terms;
  terms.session += 1000;
  other.Open(terms, rig.now);
  const flow::FlowHot4 hot = rig.writer.flows4.hot(rig.names()[0].slot);
  rig.CloseAll();
  CheckEqual(rig);
  const auto inserted =
      rig.reader.flows4.InsertAt(kGroup + 1, 0, hot.client, hot.server, hot.common.protocol, false);
  REQUIRE(inserted.status == flow::InsertStatus::kInserted);
  flow::FlowCommon& common = rig.reader.flows4.hot(inserted.slot).common;
  common.flags |= flow::kShadow | flow::kUnbound;
  rig.reader.flows4.cold(inserted.slot).mirror_link = flow::kMirrorSession | 77;
  rig.Create<FlowHot4>(1);
  CheckEqual(rig);
  CHECK(rig.receiver.counters().blocked.Get() == 0);
}

}  // namespace tandem::mirror::test
