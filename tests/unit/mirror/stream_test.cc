// SPDX-License-Identifier: Apache-2.0
//
// A writer and a reader of a flow stream, over links of all kinds: the shadow equals the flows.
#include <catch2/catch.hpp>

#include "tests/unit/mirror/stream_check.h"

namespace tandem::mirror::test {
namespace {

using flow::FlowHot4;
using flow::FlowHot6;

constexpr LinkFaults kBad = {.loss = 0.1, .duplicates = 0.05, .delay = 50'000, .jitter = 200'000};

uint32_t ReaderSlot(StreamRig& rig, uint32_t writer_slot) {
  const uint32_t logical = rig.writer.flows4.pages().LogicalSlot(writer_slot);
  return rig.reader.flows4.pages().SlotAt(kGroup, logical);
}

}  // namespace

TEST_CASE("over a good link, changes come within the flush time", "[mirror]") {
  StreamRig rig({});
  rig.Open();
  rig.Run(10 * kMillisecond);
  const uint32_t slot = rig.Create<FlowHot4>(7);
  const uint32_t six = rig.Create<FlowHot6>(8);
  rig.Run(kMillisecond);
  CHECK(rig.Difference() == "");
  rig.Change<FlowHot4>(slot);
  rig.Run(kMillisecond);
  CHECK(rig.Difference() == "");
  CHECK(rig.sender.counters().updates.Get() == 1);
  rig.Close<FlowHot4>(slot);
  rig.Close<FlowHot6>(six);
  rig.Run(kMillisecond);
  CHECK(rig.reader.flows4.size() == 0);
  CheckEqual(rig);
}

TEST_CASE("changes that come fast fill the frames, however short they are", "[mirror]") {
  StreamRig rig({});
  for (uint32_t client = 0; client < 2000; ++client)
    rig.Create<FlowHot4>(client);
  rig.Open();
  CheckEqual(rig);
  const mirror::SenderCounters& counters = rig.sender.counters();
  uint64_t frames = 0;
  uint64_t bytes = 0;
  for (int round = 0; round < 200; ++round) {
    if (round == 100) {
      frames = counters.frames.Get();
      bytes = counters.bytes.Get();
    }
    for (uint32_t i = 0; i < 40; ++i)
      rig.Change<FlowHot4>(rig.names()[(static_cast<size_t>(round) * 40 + i) % 2000].slot);
    rig.Run(10'000);
  }
  // A row takes about four bytes.
  CHECK((counters.bytes.Get() - bytes) / (counters.frames.Get() - frames) > 800);
  CheckEqual(rig);
  CHECK(counters.updates.Get() == 200 * 40);
}

TEST_CASE("over bad links, the shadow equals the flows once they rest", "[mirror]") {
  const uint64_t seed = GENERATE(1U, 2U, 3U, 4U, 5U, 6U);
  CAPTURE(seed);
  StreamRig rig({.seed = seed});
  rig.to_reader = kBad;
  rig.to_writer = kBad;
  for (int i = 0; i < 2000; ++i)
    rig.Churn(3000);
  rig.Open();
  for (int i = 0; i < 3000; ++i) {
    for (int k = 0; k < 10; ++k)
      rig.Churn(3000);
    rig.Run(50'000);
    if (i % 10 == 0) REQUIRE(rig.Impossible() == "");
  }
  CheckEqual(rig);
  CHECK(rig.receiver.counters().displaced.Get() > 0);
  CHECK(rig.receiver.counters().stale_rows.Get() > 0);
  rig.CloseAll();
  CheckEqual(rig);
}

TEST_CASE("tables that are larger than the writer's hold its flows as well", "[mirror]") {
  StreamRig rig({.capacity4 = 2 * kFlowsPerPage, .capacity6 = kFlowsPerPage, .readers_pages = 3});
  rig.to_reader = kBad;
  rig.to_writer = kBad;
  for (uint32_t client = 0; client < 2 * kFlowsPerPage - 100; ++client)
    rig.Create<FlowHot4>(client);
  rig.Open();
  for (int i = 0; i < 500; ++i) {
    for (int k = 0; k < 10; ++k)
      rig.Churn(2 * kFlowsPerPage);
    rig.Run(50'000);
    if (i % 10 == 0) REQUIRE(rig.Impossible() == "");
  }
  CHECK(rig.writer.flows4.size() > kFlowsPerPage);
  CheckEqual(rig);
}

TEST_CASE("pages go back on both ends, and their numbers begin anew", "[mirror]") {
  const uint64_t seed = GENERATE(1U, 2U, 3U);
  CAPTURE(seed);
  StreamRig rig({.seed = seed});
  rig.to_reader = kBad;
  rig.to_writer = kBad;
  rig.Open();
  for (int round = 0; round < 6; ++round) {
    // Nearly all there is; another group's page moves this group's to other places each round.
    const uint32_t others = rig.writer.flows4.pages().Allocate(kGroup + 1);
    for (uint32_t client = 0; client < 8000; ++client)
      rig.Create<FlowHot4>(client + static_cast<uint32_t>(round) * 3);
    rig.Run(20 * kMillisecond);
    REQUIRE(rig.Impossible() == "");
    rig.CloseAll();
    if (round % 2 == 0) rig.Run(2 * kMillisecond);
    if (others != flow::kNoSlot) rig.writer.flows4.pages().Free(others);
    REQUIRE(rig.Impossible() == "");
  }
  rig.Create<FlowHot4>(1);
  CheckEqual(rig);
  rig.CloseAll();
  rig.Run(3 * kSecond, 100'000);
  CheckEqual(rig);
  CHECK(rig.writer.flows4.pages().SlotAt(kGroup, 0) == flow::kNoSlot);
  CHECK(rig.reader.flows4.pages().SlotAt(kGroup, 0) == flow::kNoSlot);
  CHECK(rig.reader.flows4.pages().SlotAt(kGroup, kFlowsPerPage) == flow::kNoSlot);
}

TEST_CASE("a session may begin anew in the middle of the first pass", "[mirror]") {
  StreamRig rig({.seed = 5});
  rig.to_reader = kBad;
  for (uint32_t client = 0; client < 8000; ++client)
    rig.Create<FlowHot4>(client);
  for (int i = 0; i < 20; ++i) {
    rig.Open();
    rig.Run(rig.prng.Below(3'000'000));
    CHECK(rig.sender.state() != StreamState::kInSync);
    for (int k = 0; k < 50; ++k)
      rig.Churn(8000);
    if (i % 4 == 3) {
      rig.sender.Close();
      CHECK_FALSE(rig.sender.is_open());
      rig.Run(rig.prng.Below(3'000'000));
    }
  }
  rig.Open();
  CheckEqual(rig);
  CHECK(rig.receiver.counters().swept.Get() > 0);
}

TEST_CASE("the reader's new session finds the writer still in the old one", "[mirror]") {
  StreamRig rig({});
  for (uint32_t client = 0; client < 1000; ++client)
    rig.Create<FlowHot4>(client);
  rig.Open();
  CheckEqual(rig);
  rig.OpenReceiver();
  rig.Run(100 * kMillisecond);
  CHECK_FALSE(rig.receiver.in_sync());
  CHECK_FALSE(rig.receiver.is_settled(1));
  rig.sender.Open(rig.terms, rig.now);
  CheckEqual(rig);
}

TEST_CASE("an update that overtakes its create is not acknowledged", "[mirror]") {
  StreamRig rig({});
  rig.Open();
  CheckEqual(rig);
  const uint32_t slot = rig.Create<FlowHot4>(1);
  rig.to_reader.loss = 1;
  rig.Run(800'000);
  REQUIRE(rig.sender.counters().creates.Get() == 1);
  rig.to_reader.loss = 0;
  rig.Change<FlowHot4>(slot);
  CheckEqual(rig);
  CHECK(rig.receiver.counters().early_updates.Get() == 1);
  CHECK(rig.sender.counters().creates.Get() >= 2);
}

TEST_CASE("a flow that uses up its versions goes on under a new birth", "[mirror]") {
  StreamRig rig({});
  rig.writer.flows4.RaiseBirth(flow::kBirthMax - (flow::Birth{1} << 33));
  rig.Open();
  const uint32_t slot = rig.Create<FlowHot4>(1);
  const flow::Birth birth = flow::BirthOf(rig.writer.flows4.register_of(slot));
  for (uint32_t i = 0; i < 3 * flow::kVersionMax; ++i) {
    rig.Change<FlowHot4>(slot);
    if (i % 100 == 0) rig.Run(kMillisecond, 100'000);
  }
  CheckEqual(rig);
  CHECK(flow::BirthOf(rig.writer.flows4.register_of(slot)) > birth);
  CHECK(rig.reader.flows4.last_birth() == rig.writer.flows4.last_birth());
}

TEST_CASE("a birth that leaves none for a takeover is refused", "[mirror]") {
  StreamRig rig({});
  rig.writer.flows4.RaiseBirth(flow::kBirthMax - 10);
  rig.Open();
  rig.Create<FlowHot4>(1);
  rig.Run(100 * kMillisecond);
  CHECK(rig.reader.flows4.size() == 0);
  CHECK(rig.reader.flows4.last_birth() == 0);
  CHECK(rig.receiver.counters().malformed[static_cast<size_t>(BatchError::kValue)].Get() > 0);
}

TEST_CASE("digests find what a reader has wrong, and it is put right", "[mirror]") {
  StreamRig rig({.seed = 9});
  for (uint32_t client = 0; client < 5000; ++client)
    rig.Create<FlowHot4>(client);
  rig.Open();
  CheckEqual(rig);
  flow::FlowTable<FlowHot4>& shadow = rig.reader.flows4;
  const uint32_t victim = ReaderSlot(rig, rig.names()[700].slot);
  SECTION("a state") {
    shadow.hot(victim).common.state = flow::State::kTimeWait;
  }
  SECTION("a flow is gone") {
    shadow.Erase(victim);
  }
  SECTION("a client's MAC") {
    shadow.hot(victim).common.client_mac[0] ^= 4;
  }
  SECTION("a register") {
    shadow.register_of(victim) += flow::kVersionMax + 7;
  }
  SECTION("the virtual") {
    shadow.hot(victim).common.virtual_id ^= 1;
  }
  SECTION("a flow more than there should be") {
    const FlowHot4 like = shadow.hot(victim);
    net::FlowKey4 client = like.client;
    client.source ^= 0xff;
    net::FlowKey4 server = like.server;
    server.destination ^= 0xff;
    const uint32_t logical = 5200;
    const auto result = shadow.InsertAt(kGroup, logical, client, server, 6, false);
    REQUIRE(result.status == flow::InsertStatus::kInserted);
    shadow.hot(result.slot).common = like.common;
    shadow.cold(result.slot).mirror_link = shadow.cold(victim).mirror_link;
    shadow.register_of(result.slot) = flow::MakeRegister(shadow.last_birth(), 9);
  }
  SECTION("a flow in a page that the writer has no more") {
    rig.Run(100 * kMillisecond);
    std::vector<StreamRig::Name> names = rig.names();
    for (const StreamRig::Name& name : names) {
      if (name.slot >= kFlowsPerPage) rig.Close<FlowHot4>(name.slot);
    }
    rig.Run(3 * kSecond, 100'000);
    REQUIRE(rig.writer.flows4.pages().SlotAt(kGroup, kFlowsPerPage) == flow::kNoSlot);
    net::FlowKey4 client = shadow.hot(victim).client;
    client.source ^= 0xff;
    net::FlowKey4 server = shadow.hot(victim).server;
    server.destination ^= 0xff;
    const auto result = shadow.InsertAt(kGroup, kFlowsPerPage + 9, client, server, 6, false);
    REQUIRE(result.status == flow::InsertStatus::kInserted);
    shadow.hot(result.slot).common = shadow.hot(victim).common;
    shadow.cold(result.slot).mirror_link = shadow.cold(victim).mirror_link;
    shadow.register_of(result.slot) = flow::MakeRegister(shadow.last_birth(), 9);
  }
  CHECK(rig.Difference() != "");
  REQUIRE(rig.RunUntil([&rig] { return rig.sender.counters().audit_mismatches.Get() != 0; },
                       130 * kSecond, kMillisecond));
  CHECK(rig.sender.state() == StreamState::kAuditing);
  REQUIRE(rig.RunUntilInSync());
  CHECK(rig.Difference() == "");
}

TEST_CASE("ranges that are never quiet do not keep a stream from being in sync", "[mirror]") {
  StreamRig rig({});
  for (uint32_t client = 0; client < 200; ++client)
    rig.Create<FlowHot4>(client);
  rig.Open();
  const std::vector<StreamRig::Name> names = rig.names();
  const bool in_sync = rig.RunUntil(
      [&] {
        for (int i = 0; i < 4; ++i)
          rig.Change<FlowHot4>(names[rig.prng.Below(200)].slot);
        return rig.sender.state() == StreamState::kInSync;
      },
      5 * kSecond, 20'000);
  CHECK(in_sync);
  CheckEqual(rig);
}

TEST_CASE("an outage makes a stream lag, and nothing else", "[mirror]") {
  StreamRig rig({});
  for (uint32_t client = 0; client < 1000; ++client)
    rig.Create<FlowHot4>(client);
  rig.Open();
  CheckEqual(rig);
  rig.to_reader.loss = 1;
  for (int i = 0; i < 300; ++i) {
    for (int k = 0; k < 10; ++k)
      rig.Churn(3000);
    rig.Run(10 * kMillisecond, 100'000);
  }
  CHECK(rig.sender.state() == StreamState::kLagging);
  CHECK(rig.sender.counters().lag_ns.Get() > 2 * kSecond);
  rig.to_reader.loss = 0;
  REQUIRE(rig.RunUntilInSync());
  CheckEqual(rig);
}

TEST_CASE("acknowledgements of another session are not heard", "[mirror]") {
  StreamRig rig({});
  rig.Open();
  rig.Create<FlowHot4>(1);
  rig.on_ack = [](FrameSlot& ack) { ack.header.session ^= 1; };
  rig.Run(100 * kMillisecond);
  CHECK(rig.sender.counters().in_flight.Get() != 0);
  CHECK(rig.sender.state() == StreamState::kSyncing);
  rig.on_ack = nullptr;
  CheckEqual(rig);
}

TEST_CASE("frames of another session or epoch are not applied", "[mirror]") {
  StreamRig rig({});
  rig.Open();
  rig.Create<FlowHot4>(1);
  SECTION("session") {
    rig.on_frame = [](FrameSlot& frame) { frame.header.session ^= 1; };
  }
  SECTION("epoch") {
    rig.on_frame = [](FrameSlot& frame) { frame.header.epoch ^= 1; };
  }
  rig.Run(100 * kMillisecond);
  CHECK(rig.reader.flows4.size() == 0);
  rig.on_frame = nullptr;
  CheckEqual(rig);
}

TEST_CASE("a reader that lies costs its writer counters", "[mirror]") {
  StreamRig rig({.seed = 11});
  for (uint32_t client = 0; client < 2000; ++client)
    rig.Create<FlowHot4>(client);
  rig.Open();
  rig.on_ack = [&rig](FrameSlot& ack) {
    if (rig.prng.Below(2) == 0) return;
    ack.header.floor = rig.prng.Below(2) == 0 ? rig.prng.Next() : rig.prng.Below(400);
    ack.header.sack = rig.prng.Next();
    ack.header.credit = static_cast<uint16_t>(rig.prng.Next());
    ack.header.flags = static_cast<uint16_t>(rig.prng.Next());
    ack.header.stamp = static_cast<uint32_t>(rig.prng.Next());
  };
  for (int i = 0; i < 2000; ++i) {
    rig.Churn(3000);
    rig.Run(100'000);
  }
  CHECK(rig.sender.counters().bad_acks.Get() > 0);
  rig.on_ack = nullptr;
  rig.Open();
  REQUIRE(rig.RunUntilInSync());
  CHECK(rig.Difference() == "");
}

TEST_CASE("frames that make no sense are counted and change nothing", "[mirror]") {
  StreamRig rig({.seed = 12});
  for (uint32_t client = 0; client < 2000; ++client)
    rig.Create<FlowHot4>(client);
  rig.on_frame = [&rig](FrameSlot& frame) {
    if (rig.prng.Below(3) != 0 || frame.body_size == 0) return;
    for (int i = 0; i < 3; ++i)
      frame.body[rig.prng.Below(frame.body_size)] = static_cast<uint8_t>(rig.prng.Next());
    if (rig.prng.Below(4) == 0) frame.body_size = static_cast<uint16_t>(rig.prng.Below(9000));
    if (rig.prng.Below(4) == 0) frame.header.floor = rig.prng.Next();
  };
  rig.Open();
  rig.Run(500 * kMillisecond);
  rig.on_frame = nullptr;
  rig.Open();
  REQUIRE(rig.RunUntilInSync());
  CHECK(rig.Difference() == "");
}

TEST_CASE("what a shadow takes over is told to the next peer, and births go on", "[mirror]") {
  StreamRig rig({.seed = 13});
  for (int i = 0; i < 5000; ++i)
    rig.Churn(4000);
  rig.Open();
  CheckEqual(rig);
  // The reader takes over, and has a reader of its own.
  rig.receiver.Close(/*discard=*/false);
  Slots third(4 * kFlowsPerPage, 2 * kFlowsPerPage, 99);
  config::LiveTotals third_totals(kWorker + 1);
  config::LiveCounts third_live(third_totals, kWorker);
  const auto third_snapshot = MakeSnapshot(1, 1);
  const auto translation = Translate(*rig.reader_snapshot, *third_snapshot);
  FlowSender sender(kGroup, kWorker, rig.reader.tables(), rig.batch_writer);
  ReceiverShare share;
  FlowReceiver receiver(kGroup, kWorker, third.tables(), third_live, share);
  SessionTerms terms = rig.terms;
  terms.session = 500;
  sender.Open(terms, rig.now);
  receiver.Open(terms, rig.now);
  FrameSlot frame;
  for (int turn = 0; turn < 20000 && !receiver.in_sync(); ++turn) {
    rig.now += 10'000;
    sender.OnClock(rig.now);
    for (int i = 0; i < 8 && sender.Build(frame, *rig.reader_snapshot, rig.now); ++i)
      receiver.Apply(frame, *translation, *third_snapshot, rig.now);
    receiver.Tidy(translation.get(), *third_snapshot, 1024);
    while (receiver.BuildAck(frame, 64, rig.now))
      sender.OnAck(frame.header, rig.now);
  }
  CHECK(receiver.in_sync());
  CHECK(third.flows4.size() == rig.writer.flows4.size());
  CHECK(third.flows6.size() == rig.writer.flows6.size());
  CHECK(sender.counters().audit_mismatches.Get() == 0);
  for (const StreamRig::Name& name : rig.names()) {
    if (name.is_ipv6) continue;
    const FlowHot4& flow = rig.writer.flows4.hot(name.slot);
    const flow::FlowRef found = third.flows4.FindOne(flow.client, flow.common.protocol);
    REQUIRE(found);
    CHECK(third.flows4.hot(found.slot).common.virtual_id == flow.common.virtual_id);
    CHECK(third.flows4.register_of(found.slot) == rig.writer.flows4.register_of(name.slot));
    CHECK(flow::BirthOf(third.flows4.register_of(found.slot)) <= rig.reader.flows4.last_birth());
  }
  // Its pages are the new writer's alone, who gives them back.
  for (uint32_t slot = 0; slot < rig.reader.flows4.capacity(); ++slot) {
    if (!rig.reader.flows4.IsLive(slot)) continue;
    sender.End<FlowHot4>(slot);
    rig.reader.flows4.Erase(slot);
  }
  for (int turn = 0; turn < 3000; ++turn) {
    rig.now += kMillisecond;
    sender.OnClock(rig.now);
    for (int i = 0; i < 8 && sender.Build(frame, *rig.reader_snapshot, rig.now); ++i)
      receiver.Apply(frame, *translation, *third_snapshot, rig.now);
    rig.receiver.Tidy(nullptr, *rig.reader_snapshot, 1);
    receiver.Tidy(translation.get(), *third_snapshot, 1024);
    while (receiver.BuildAck(frame, 64, rig.now))
      sender.OnAck(frame.header, rig.now);
  }
  CHECK(third.flows4.size() == 0);
  CHECK(third.flows4.pages().SlotAt(kGroup, 0) == flow::kNoSlot);
  CHECK(rig.reader.flows4.pages().SlotAt(kGroup, 0) == flow::kNoSlot);
}

TEST_CASE("numbers of another run of the writer mean nothing, whatever their version", "[mirror]") {
  StreamRig rig({});
  for (uint32_t client = 0; client < 100; ++client)
    rig.Create<FlowHot4>(client);
  const auto translate = [&rig](uint64_t incarnation) {
    auto translation = Translate(*rig.writer_snapshot, *rig.reader_snapshot);
    translation->incarnation = incarnation;
    rig.translation = std::move(translation);
  };
  rig.terms.incarnation = 2;
  translate(1);
  rig.Open();
  rig.Run(kSecond, 100'000);
  CHECK(rig.reader.flows4.size() == 0);
  CHECK(rig.receiver.counters().not_translatable.Get() > 0);
  translate(2);
  REQUIRE(rig.RunUntilInSync());
  CHECK(rig.receiver.is_bound(1));
  CheckEqual(rig);
}

TEST_CASE("flows of objects that are not configured wait for them", "[mirror]") {
  StreamRig rig({});
  const auto configure = [&rig](uint64_t generation, const std::vector<std::string>& without) {
    rig.reader_snapshot = MakeSnapshot(4, generation, without);
    rig.translation = Translate(*rig.writer_snapshot, *rig.reader_snapshot);
  };
  const auto live = [&rig] {
    uint32_t sum = 0;
    for (uint16_t id = 4; id < 4 + kObjects; ++id)
      sum += rig.live.OfVirtual(id);
    return sum;
  };
  configure(2, {"v2", "m1", "i4"});
  for (uint32_t client = 0; client < 1000; ++client)
    rig.Create<FlowHot4>(client);
  rig.Open();
  CheckEqual(rig);
  const uint64_t unbound = rig.receiver.counters().unbound.Get();
  uint64_t expected = 0;
  for (uint32_t client = 0; client < 1000; ++client) {
    expected +=
        client % kObjects == 2 || client / kObjects % kObjects == 1 || client / 3 % kObjects == 4;
  }
  CHECK(unbound == expected);
  CHECK(live() == 1000 - unbound);
  configure(3, {});
  rig.Run(kSecond, 100'000);
  CHECK(rig.receiver.counters().unbound.Get() == 0);
  CHECK(live() == 1000);
  CheckEqual(rig);
  // What is gone they may call by its writer's number only; back under the same id or another, it is
  // theirs again, and no digest ever differed.
  configure(4, {"v1"});
  rig.Run(kMillisecond * 100, 100'000);
  CHECK(rig.receiver.counters().unbound.Get() == 200);
  CHECK(live() == 800);
  CHECK(rig.live.OfVirtual(5) == 0);
  CHECK_FALSE(rig.receiver.is_bound(4));
  configure(5, {});
  CHECK_FALSE(rig.receiver.is_bound(5));
  rig.Run(kMillisecond * 100, 100'000);
  CHECK(rig.receiver.is_bound(5));
  CHECK(live() == 1000);
  CHECK(rig.Difference() == "");
  configure(6, {"v1"});
  rig.Run(130 * kSecond, kMillisecond);
  REQUIRE(rig.RunUntilInSync());
  CHECK(rig.Difference() == "");
  configure(7, {});
  rig.Run(kMillisecond * 100, 100'000);
  CHECK(rig.receiver.is_bound(7));
  CHECK(live() == 1000);
  CHECK(rig.Difference() == "");
  CHECK(rig.sender.counters().audit_mismatches.Get() == 0);
  rig.CloseAll();
  rig.Run(kSecond, 100'000);
  CHECK(live() == 0);
}

TEST_CASE("row 6: flows that come and go, many times what there is room for, leave no trace",
          "[mirror]") {
  StreamRig rig({.seed = 14, .body_max = 8900});
  rig.to_reader = kBad;
  rig.to_writer = kBad;
  rig.Open();
  uint32_t client = 0;
  while (client < 200'000) {
    for (int i = 0; i < 200; ++i)
      rig.Create<FlowHot4>(client++);
    rig.Run(200'000, 50'000);
    while (rig.size() > 3000)
      rig.Close<FlowHot4>(rig.names()[rig.prng.Below(200)].slot);
    REQUIRE(rig.reader.flows4.pages().LogicalEnd(kGroup) <= 2 * kFlowsPerPage);
  }
  CheckEqual(rig);
  rig.CloseAll();
  rig.Run(3 * kSecond, 100'000);
  CheckEqual(rig);
  CHECK(rig.reader.flows4.size() == 0);
  CHECK(rig.reader.flows4.pages().SlotAt(kGroup, 0) == flow::kNoSlot);
}

}  // namespace tandem::mirror::test
