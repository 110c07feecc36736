// SPDX-License-Identifier: Apache-2.0
//
// Failures that others shipped, on one flow stream (tests/README.md has the list).
#include <catch2/catch.hpp>
#include <set>

#include "dataplane/mirror/window.h"
#include "tests/unit/mirror/stream_check.h"

namespace tandem::mirror::test {
namespace {

using flow::FlowHot4;
using flow::FlowHot6;

}  // namespace

TEST_CASE("row 2: a frame that was lost comes whole the second time, at every size", "[mirror]") {
  const uint16_t body_max = GENERATE(uint16_t{1400}, uint16_t{kBodyMax});
  CAPTURE(body_max);
  StreamRig rig({.seed = 2, .body_max = body_max});
  rig.Open();
  CheckEqual(rig);
  std::set<uint64_t> sizes;
  bool is_full = false;  // a frame was
  for (uint32_t count = 1; !is_full; count += count < 70 ? 1 : 29) {
    CAPTURE(count);
    const uint64_t lost_before = rig.sender.counters().frames.Get();
    const uint64_t bytes_before = rig.sender.counters().bytes.Get();
    rig.to_reader.loss = 1;
    for (uint32_t i = 0; i < count; ++i)
      i % 5 == 4 ? rig.Create<FlowHot6>(7 * i + count) : rig.Create<FlowHot4>(7 * i + count);
    rig.Run(kMillisecond / 2, 50'000);
    is_full = rig.sender.counters().frames.Get() - lost_before > 1;
    if (!is_full) sizes.insert(rig.sender.counters().bytes.Get() - bytes_before);
    REQUIRE(rig.reader.flows4.size() + rig.reader.flows6.size() == 0);
    rig.to_reader.loss = 0;
    REQUIRE(rig.RunUntil([&rig] { return rig.IsQuiet(); }));
    REQUIRE(rig.Difference() == "");
    REQUIRE(rig.sender.counters().lost_frames.Get() >= count / 70);
    rig.CloseAll();
    rig.Run(kMillisecond, 50'000);
    REQUIRE(rig.RunUntil([&rig] { return rig.IsQuiet(); }));
  }
  // From a single row to a frame that holds no more, across the sizes that a byte can tell.
  CHECK(*sizes.begin() < 128);
  CHECK(*sizes.rbegin() > body_max * 9U / 10);
  CHECK(sizes.lower_bound(256) != sizes.end());
  CHECK(rig.receiver.counters().malformed[static_cast<size_t>(BatchError::kMalformed)].Get() == 0);
}

TEST_CASE("row 5: ten seconds of blackout at full rate overflow nothing", "[mirror]") {
  StreamRig rig({.seed = 5, .body_max = 8900});
  rig.Open();
  for (uint32_t client = 0; client < 4000; ++client)
    rig.Create<FlowHot4>(client);
  CheckEqual(rig);
  rig.to_reader.loss = 1;
  rig.to_writer.loss = 1;
  const auto slots = rig.writer.flows4.capacity() + rig.writer.flows6.capacity();
  for (int i = 0; i < 10'000; ++i) {
    for (int k = 0; k < 200; ++k)
      rig.Churn(9000);
    rig.Run(kMillisecond, kMillisecond);
    REQUIRE(rig.sender.counters().dirty.Get() <= slots);
    REQUIRE(rig.sender.counters().in_flight.Get() <= ReceiveWindow::kSize);
  }
  CHECK(rig.sender.state() == StreamState::kLagging);
  rig.to_reader.loss = 0;
  rig.to_writer.loss = 0;
  // What it was too late to say is said within the longest timeout, whatever there is of it.
  rig.Run(500 * kMillisecond, 50'000);
  CHECK(rig.IsQuiet());
  CHECK(rig.Difference() == "");
  REQUIRE(rig.RunUntilInSync(2 * kSecond));
  CheckEqual(rig);
}

TEST_CASE("row 11: nothing of a session survives ten thousand reconnects", "[mirror]") {
  StreamRig rig({.seed = 11});
  rig.to_reader = {.loss = 0.05, .duplicates = 0.05, .delay = 50'000, .jitter = 300'000};
  rig.to_writer = rig.to_reader;
  for (uint32_t client = 0; client < 120; ++client)
    rig.Create<FlowHot4>(client);
  for (int round = 1; round <= 10'000; ++round) {
    if (rig.prng.Below(2) == 0) {
      rig.Open();
    } else {
      rig.OpenReceiver();
      rig.Run(rig.prng.Below(400'000), 50'000);
      rig.sender.Open(rig.terms, rig.now);
    }
    REQUIRE(rig.sender.state() == StreamState::kSyncing);
    REQUIRE_FALSE(rig.receiver.in_sync());
    for (uint32_t i = rig.prng.Below(8); i > 0; --i)
      rig.Churn(200);
    rig.Run(rig.prng.Below(2'000'000), 100'000);
    if (round % 500 == 0) CheckEqual(rig);
  }
  CheckEqual(rig);
  CHECK(rig.sender.counters().bad_acks.Get() == 0);
}

TEST_CASE("row 13: ages are differences, whatever the clocks say", "[mirror]") {
  StreamRig rig({.seed = 13});
  // The reader's clock is the rig's; a frame says nothing that is a time.
  rig.now = 5000 * kSecond;
  rig.Open();
  const uint32_t slot = rig.Create<FlowHot4>(1);
  rig.writer.flows4.cold(slot).created = TickOf(rig.now - 100 * kSecond);
  CheckEqual(rig);
  const uint32_t there =
      rig.reader.flows4.pages().SlotAt(kGroup, rig.writer.flows4.pages().LogicalSlot(slot));
  REQUIRE(there != flow::kNoSlot);
  const Tick age = TickOf(rig.now) - rig.reader.flows4.cold(there).created;
  CHECK(NanosIn(age) > 99 * kSecond);
  CHECK(NanosIn(age) < 102 * kSecond);
}

// ---- numbers off the wire -----------------------------------------------------------------------

namespace {

// The rig's next frame to the reader carries `write`'s rows instead of its own.
template <class Write>
void Inject(StreamRig& rig, const Write& write) {
  bool done = false;
  rig.on_frame = [&](FrameSlot& frame) {
    if (done) return;
    done = true;
    FlowBatchWriter writer;
    writer.Begin(1400, *rig.writer_snapshot->dictionary);
    write(writer);
    frame.body_size = static_cast<uint16_t>(writer.Finish(frame.body.data()));
  };
  rig.Create<FlowHot4>(17);
  rig.Run(kMillisecond);
  REQUIRE(done);
  rig.on_frame = nullptr;
}

uint64_t Refused(const StreamRig& rig) {
  uint64_t sum = 0;
  for (const Counter& one : rig.receiver.counters().malformed)
    sum += one.Get();
  return sum;
}

}  // namespace

TEST_CASE("row 15: a slot that the table does not have is refused, at its edge and far beyond",
          "[mirror]") {
  const uint32_t beyond =
      GENERATE(0U, 1U, 255U, 256U, 4096U, 1U << 20, (1U << 31) - 20'000U, UINT32_MAX - 20'000U);
  const unsigned kind = GENERATE(0U, 1U, 2U, 3U, 4U);
  const bool is_ipv6 = GENERATE(false, true);
  CAPTURE(beyond, kind, is_ipv6);
  StreamRig rig({});
  rig.Open();
  CheckEqual(rig);
  const uint32_t end =
      is_ipv6 ? rig.reader.flows6.pages().LogicalMax() : rig.reader.flows4.pages().LogicalMax();
  const uint32_t slot = end + beyond;
  const flow::Register value = flow::MakeRegister(5, 1);
  const uint64_t refused = Refused(rig);
  Inject(rig, [&](FlowBatchWriter& writer) {
    CreateRow<FlowHot4> row4;
    row4.slot = slot;
    row4.value = value;
    row4.state = flow::State::kEstablished;
    row4.protocol = 6;
    CreateRow<FlowHot6> row6;
    row6.slot = slot;
    row6.value = value;
    row6.state = flow::State::kEstablished;
    row6.protocol = 6;
    bool added = false;
    if (kind == 0) added = is_ipv6 ? writer.AddCreate(row6) : writer.AddCreate(row4);
    if (kind == 1) added = writer.AddUpdate(is_ipv6, {slot, value, flow::State::kEstablished, 0});
    if (kind == 2) added = writer.AddClose(is_ipv6, {slot, value});
    if (kind == 3) added = writer.AddTouch(is_ipv6, slot);
    if (kind == 4) added = writer.AddAudit(is_ipv6, {slot / kRangeSlots, 7});
    REQUIRE(added);
  });
  CHECK(Refused(rig) == refused + 1);
  CheckEqual(rig);  // what it was to bring comes again
}

TEST_CASE("row 15: objects that there are not, of any number, leave a flow unbound", "[mirror]") {
  const uint16_t number =
      GENERATE(uint16_t{0}, uint16_t{6}, uint16_t{255}, uint16_t{4096}, uint16_t{UINT16_MAX});
  const unsigned which = GENERATE(0U, 1U, 2U);
  CAPTURE(number, which);
  StreamRig rig({});
  rig.Open();
  CheckEqual(rig);
  Inject(rig, [&](FlowBatchWriter& writer) {
    CreateRow<FlowHot4> row;
    row.slot = 40;
    row.value = flow::MakeRegister(5, 1);
    row.state = flow::State::kEstablished;
    row.protocol = 6;
    row.virtual_id = which == 0 ? number : config::VirtualId{1};
    row.member_id = which == 1 ? number : config::MemberId{1};
    row.interface_id = which == 2 ? number : config::InterfaceId{1};
    row.client = {1, 2, 3, 4};
    row.server = {5, 6, 7, 8};
    REQUIRE(writer.AddCreate(row));
  });
  const uint32_t there = rig.reader.flows4.pages().SlotAt(kGroup, 40);
  REQUIRE(there != flow::kNoSlot);
  REQUIRE(rig.reader.flows4.IsLive(there));
  // Without a virtual there is nothing to bind to; a member or an interface need not be.
  const bool is_bound = number == 0 && which != 0;
  CHECK(((rig.reader.flows4.hot(there).common.flags & flow::kUnbound) == 0) == is_bound);
}

TEST_CASE("row 15: an acknowledgement's numbers are checked", "[mirror]") {
  StreamRig rig({.seed = 15});
  for (uint32_t client = 0; client < 2000; ++client)
    rig.Create<FlowHot4>(client);
  rig.Open();
  CheckEqual(rig);
  FrameHeader ack;
  ack.type = FrameType::kFlowsAck;
  ack.session = rig.terms.session;
  ack.epoch = rig.terms.epoch;
  ack.floor = rig.sender.first_in_flight();
  SECTION("ranges that it reports") {
    ack.flags = kAuditMismatch;
    for (const uint32_t range : {0U, 15U, 16U, 63U, 64U, 1U << 20, UINT32_MAX >> 1}) {
      for (const uint32_t is_ipv6 : {0U, 1U}) {
        ack.stamp = range << 1 | is_ipv6;
        rig.sender.OnAck(ack, rig.now);
      }
    }
    // None was asked for.
    CHECK(rig.sender.counters().audit_mismatches.Get() == 0);
    CHECK(rig.sender.state() == StreamState::kInSync);
  }
  SECTION("frames that were never sent") {
    const uint64_t next = rig.sender.next_frame();
    for (const uint64_t floor : {next + 1, next + 256, uint64_t{1} << 63, UINT64_MAX}) {
      ack.floor = floor;
      rig.sender.OnAck(ack, rig.now);
    }
    ack.floor = next;
    ack.sack = 1;
    rig.sender.OnAck(ack, rig.now);
    ack.floor = UINT64_MAX - 1;
    ack.sack = UINT64_MAX;
    rig.sender.OnAck(ack, rig.now);
    CHECK(rig.sender.counters().bad_acks.Get() == 6);
  }
  CheckEqual(rig);
}

}  // namespace tandem::mirror::test
