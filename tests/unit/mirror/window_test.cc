// SPDX-License-Identifier: Apache-2.0
//
// Both ends of a stream's numbering: against a naive record of what was sent, over links that lose,
// double and reorder; and by hand, for what the rules say.
#include "dataplane/mirror/window.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <vector>

#include "dataplane/base/prng.h"

namespace tandem::mirror {
namespace {

using Notes = std::vector<Note>;

FrameHeader Ack(uint64_t floor, uint64_t sack = 0, uint16_t credit = 64, uint64_t number = 1) {
  FrameHeader header;
  header.type = FrameType::kFlowsAck;
  header.floor = floor;
  header.sack = sack;
  header.credit = credit;
  header.sequence = number;
  return header;
}

struct Fates {
  std::vector<uint64_t> acknowledged;
  std::vector<uint64_t> lost;
};

bool Give(SendWindow& window, const FrameHeader& ack, Nanos now, Fates& fates) {
  return window.OnAck(
      ack, now, [&](std::span<const Note>) { fates.acknowledged.push_back(window.current()); },
      [&](std::span<const Note>) { fates.lost.push_back(window.current()); });
}

void Wait(SendWindow& window, Nanos now, Fates& fates) {
  window.OnClock(now, [&](std::span<const Note>) { fates.lost.push_back(window.current()); });
}

void SendMany(SendWindow& window, unsigned count, Nanos now) {
  for (unsigned i = 0; i < count; ++i) {
    REQUIRE(window.CanSend(1));
    const Note note = i;
    window.Send({&note, 1}, now);
  }
}

// What a sender would keep without bounds.
struct Model {
  std::map<uint64_t, Notes> in_flight;
  std::set<uint64_t> applied;  // by the reader
};

struct OnTheWay {
  uint64_t sequence = 0;
  uint64_t floor = 0;
};

}  // namespace

TEST_CASE("every frame meets one fate, and what is acknowledged was applied", "[mirror]") {
  const uint64_t seed = GENERATE(1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U);
  CAPTURE(seed);
  Prng prng(seed);
  SendWindow window({.frames = 256, .notes = 4096});
  ReceiveWindow reader;
  Model model;
  std::multimap<Nanos, OnTheWay> data;
  std::multimap<Nanos, FrameHeader> acks;
  Nanos now = kSecond;
  window.Reset(now);
  uint64_t ack_number = 0;
  uint64_t count_acknowledged = 0;
  uint64_t count_lost = 0;
  Note next_note = 0;
  Notes heard;
  uint64_t heard_of = 0;
  // A frame's notes may come in two parts.
  const auto settle = [&] {
    if (heard_of == 0) return;
    REQUIRE(model.in_flight.contains(heard_of));
    CHECK(model.in_flight[heard_of] == heard);
    model.in_flight.erase(heard_of);
    heard.clear();
    heard_of = 0;
  };
  const auto hear = [&](std::span<const Note> notes) {
    if (window.current() != heard_of) settle();
    heard_of = window.current();
    heard.insert(heard.end(), notes.begin(), notes.end());
  };
  const auto acknowledged = [&](std::span<const Note> notes) {
    CHECK(model.applied.contains(window.current()));
    if (window.current() != heard_of) ++count_acknowledged;
    hear(notes);
  };
  const auto lost = [&](std::span<const Note> notes) {
    if (window.current() != heard_of) ++count_lost;
    hear(notes);
  };
  for (int step = 0; step < 20000; ++step) {
    now += prng.Below(30'000);
    const uint32_t size = prng.Below(60);
    if (window.CanSend(size)) {
      Notes notes(size);
      for (Note& note : notes)
        note = next_note++;
      const uint64_t sequence = window.Send(notes, now);
      model.in_flight[sequence] = notes;
      const int copies = prng.Below(10) == 0 ? 0 : 1 + static_cast<int>(prng.Below(10) == 0);
      for (int i = 0; i < copies; ++i)
        data.emplace(now + 10'000 + prng.Below(300'000), OnTheWay{sequence, window.floor()});
    }
    while (!data.empty() && data.begin()->first <= now) {
      const OnTheWay frame = data.extract(data.begin()).mapped();
      reader.Advance(frame.floor);
      if (reader.IsNew(frame.sequence)) {
        REQUIRE(model.applied.insert(frame.sequence).second);  // never twice
        reader.Accept(frame.sequence);
      }
      if (prng.Below(10) == 0) continue;
      acks.emplace(now + 10'000 + prng.Below(300'000),
                   Ack(reader.floor(), reader.sack(), 100, ++ack_number));
    }
    while (!acks.empty() && acks.begin()->first <= now) {
      REQUIRE(window.OnAck(acks.extract(acks.begin()).mapped(), now, acknowledged, lost));
      settle();
    }
    window.OnClock(now, lost);
    settle();
    REQUIRE(window.in_flight() == model.in_flight.size());
    REQUIRE(window.floor() ==
            (model.in_flight.empty() ? window.next() : model.in_flight.begin()->first));
  }
  CHECK(count_acknowledged > 1000);
  CHECK(count_lost > 50);
  CHECK(window.lost_frames() == count_lost);
  CHECK(window.round_trip() > 20'000);
}

TEST_CASE("a frame is lost when three later ones have come", "[mirror]") {
  SendWindow window;
  Fates fates;
  SendMany(window, 5, 0);
  REQUIRE(Give(window, Ack(1, 0b011), 1000, fates));  // 2 and 3
  CHECK(fates.acknowledged == std::vector<uint64_t>{2, 3});
  CHECK(fates.lost.empty());
  REQUIRE(Give(window, Ack(1, 0b111), 2000, fates));  // 4
  CHECK(fates.lost == std::vector<uint64_t>{1});
  CHECK(window.floor() == 5);
  CHECK(window.in_flight() == 1);
}

TEST_CASE("acknowledgements of frames never sent are ignored whole", "[mirror]") {
  SendWindow window;
  Fates fates;
  SendMany(window, 5, 0);  // 1 to 5
  CHECK_FALSE(Give(window, Ack(7), 1, fates));
  CHECK_FALSE(Give(window, Ack(UINT64_MAX), 1, fates));
  CHECK_FALSE(Give(window, Ack(UINT64_MAX, 1), 1, fates));
  CHECK_FALSE(Give(window, Ack(1, uint64_t{1} << 63), 1, fates));
  CHECK_FALSE(Give(window, Ack(1, 0b10000), 1, fates));  // 6
  CHECK_FALSE(Give(window, Ack(6, 1), 1, fates));
  CHECK(fates.acknowledged.empty());
  CHECK(window.in_flight() == 5);
  CHECK(Give(window, Ack(0), 1, fates));
  CHECK(Give(window, Ack(6), 1, fates));
  CHECK(fates.acknowledged.size() == 5);
  CHECK(Give(window, Ack(1, 0b1111), 1, fates));  // an old one
  CHECK(fates.acknowledged.size() == 5);
}

TEST_CASE("time without an answer loses frames, later and later", "[mirror]") {
  SendWindow window;
  Fates fates;
  SendMany(window, 1, 0);
  REQUIRE(Give(window, Ack(2), 50'000, fates));
  CHECK(window.round_trip() == 50'000);
  Nanos now = kSecond;
  Nanos timeout = kMillisecond;  // not 4 x 50 us
  for (int i = 0; i < 12; ++i) {
    SendMany(window, 1, now);
    Wait(window, now + timeout - 1, fates);
    REQUIRE(window.in_flight() == 1);
    Wait(window, now + timeout, fates);
    REQUIRE(window.in_flight() == 0);
    now += timeout;
    timeout = std::min(2 * timeout, SendWindow::kTimeoutMax);
  }
  CHECK(fates.lost.size() == 12);
}

TEST_CASE("the work of one call is bounded", "[mirror]") {
  SendWindow window;
  Fates fates;
  SendMany(window, 30, 0);
  Wait(window, 10 * kSecond, fates);
  CHECK(fates.lost.size() == SendWindow::kLostPerCall);
  for (int i = 0; i < 3; ++i)
    Wait(window, 10 * kSecond + kSecond, fates);
  CHECK(fates.lost.size() == 30);
}

TEST_CASE("credit, congestion and memory for notes limit what is in flight", "[mirror]") {
  SendWindow window({.frames = 256, .notes = 64});
  Fates fates;
  const Notes many(60);
  window.Send(many, 0);
  CHECK(window.CanSend(4));
  CHECK_FALSE(window.CanSend(5));
  REQUIRE(Give(window, Ack(2, 0, 3, 1), 1000, fates));
  CHECK(window.CanSend(64));
  CHECK_FALSE(window.CanSend(65));
  for (int i = 0; i < 3; ++i)
    window.Send({}, 1000);
  CHECK_FALSE(window.CanSend(0));                         // 2, 3 and 4 were granted
  REQUIRE(Give(window, Ack(2, 0, 100, 0), 1000, fates));  // older: knows nothing new
  CHECK_FALSE(window.CanSend(0));
  REQUIRE(Give(window, Ack(5, 0, 0, 2), 1000, fates));
  CHECK(window.CanSend(0));  // no credit, but somebody has to ask
  window.Send({}, 1000);
  CHECK_FALSE(window.CanSend(0));
  const uint32_t before = window.congestion_window();
  Wait(window, 10 * kSecond, fates);
  CHECK(window.congestion_window() == std::max(before / 2, SendWindow::kCongestionFloor));
}

TEST_CASE("a reader takes a number once, and none that its writer gave up", "[mirror]") {
  ReceiveWindow window;
  CHECK_FALSE(window.IsNew(0));
  CHECK(window.IsNew(256));
  CHECK_FALSE(window.IsNew(257));
  window.Accept(3);
  CHECK_FALSE(window.IsNew(3));
  CHECK(window.floor() == 1);
  CHECK(window.sack() == 0b10);
  window.Advance(2);
  CHECK_FALSE(window.IsNew(1));
  CHECK(window.sack() == 0b1);
  window.Accept(2);
  CHECK(window.floor() == 4);
  window.Advance(UINT64_MAX - 100);
  CHECK_FALSE(window.IsNew(4));
  window.Accept(UINT64_MAX - 100);
  CHECK(window.floor() == UINT64_MAX - 99);
}

}  // namespace tandem::mirror
