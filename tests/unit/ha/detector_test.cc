// SPDX-License-Identifier: Apache-2.0
//
// Who is there: silence, paths, goodbyes, runs and numbers, and our own stalls.
#include "dataplane/ha/detector.h"

#include <catch2/catch.hpp>

namespace tandem::ha {
namespace {

constexpr Nanos kBegin = 100 * kSecond;
constexpr uint64_t kOurs = 0xaaaa;
constexpr uint64_t kRun = 0xb1;

Settings TwoPaths() {
  Settings settings;
  settings.self = 1;
  settings.peers = {2, 3};
  settings.paths = 2;
  return settings;
}

Heartbeat From(DeviceId device, uint64_t sequence, uint64_t run = kRun) {
  Heartbeat heartbeat;
  heartbeat.device = device;
  heartbeat.incarnation = run;
  heartbeat.sequence = sequence;
  heartbeat.interval = 10 * kMillisecond;
  heartbeat.multiplier = 5;
  heartbeat.stamp = 50 * kSecond + sequence * 10 * kMillisecond;
  return heartbeat;
}

Heartbeat WithGroup(Heartbeat heartbeat, uint64_t name_hash = 7) {
  GroupSays& says = heartbeat.groups.emplace_back();
  says.name_hash = name_hash;
  says.state = State::kStandby;
  return heartbeat;
}

bool IsAlive(const Detector& detector, DeviceId device) {
  return detector.Find(device)->is_alive;
}

}  // namespace

TEST_CASE("detector: a peer is dead when all paths were silent for the detection time") {
  Detector detector(TwoPaths(), kOurs, kBegin);
  CHECK_FALSE(IsAlive(detector, 2));
  CHECK(detector.OnHeartbeat(From(2, 1), 0, kBegin));
  CHECK(IsAlive(detector, 2));
  CHECK(detector.OnHeartbeat(From(2, 2), 1, kBegin + 30 * kMillisecond));
  CHECK_FALSE(detector.Judge(kBegin + 60 * kMillisecond));
  CHECK(detector.SilentPaths(*detector.Find(2), kBegin + 60 * kMillisecond) == 1);
  CHECK(detector.next_deadline() == kBegin + 80 * kMillisecond);
  CHECK_FALSE(detector.Judge(kBegin + 80 * kMillisecond - 1));
  CHECK(detector.Judge(kBegin + 80 * kMillisecond));
  CHECK_FALSE(IsAlive(detector, 2));
  CHECK(detector.counters().deaths.Get() == 1);
  CHECK_FALSE(detector.Judge(kBegin + 90 * kMillisecond));
}

TEST_CASE("detector: the same heartbeat on another path tells that the path is alive, no more") {
  Detector detector(TwoPaths(), kOurs, kBegin);
  CHECK(detector.OnHeartbeat(From(2, 1), 0, kBegin));
  CHECK_FALSE(detector.OnHeartbeat(From(2, 1), 1, kBegin + kMillisecond));
  CHECK(detector.SilentPaths(*detector.Find(2), kBegin + kMillisecond) == 0);
  CHECK(detector.counters().repeated.Get() == 1);
}

TEST_CASE("detector: old numbers keep nobody alive") {
  Detector detector(TwoPaths(), kOurs, kBegin);
  CHECK(detector.OnHeartbeat(From(2, 5), 0, kBegin));
  for (Nanos at = 0; at < 50; ++at)
    CHECK_FALSE(detector.OnHeartbeat(From(2, 1 + at % 5), 0, kBegin + at * kMillisecond));
  CHECK(detector.counters().old.Get() == 50);
  CHECK(detector.Judge(kBegin + 50 * kMillisecond));
}

TEST_CASE("detector: strangers, ourselves and unknown paths are not heard") {
  Detector detector(TwoPaths(), kOurs, kBegin);
  CHECK_FALSE(detector.OnHeartbeat(From(9, 1), 0, kBegin));
  CHECK_FALSE(detector.OnHeartbeat(From(1, 1), 0, kBegin));
  CHECK_FALSE(detector.OnHeartbeat(From(2, 1, kOurs), 0, kBegin));
  CHECK_FALSE(detector.OnHeartbeat(From(2, 1), 2, kBegin));
  CHECK(detector.counters().strangers.Get() == 4);
  CHECK_FALSE(detector.AnyAlive());
}

TEST_CASE("detector: goodbye is dead at once, until it is heard again") {
  Detector detector(TwoPaths(), kOurs, kBegin);
  detector.OnHeartbeat(From(2, 1), 0, kBegin);
  Heartbeat goodbye = From(2, 2);
  goodbye.goodbye = true;
  CHECK(detector.OnHeartbeat(goodbye, 0, kBegin + 1));
  CHECK_FALSE(IsAlive(detector, 2));
  CHECK(detector.OnHeartbeat(From(2, 1, kRun + 1), 0, kBegin + 2));
  CHECK(IsAlive(detector, 2));
}

TEST_CASE("detector: another run counts when the present one is gone") {
  Detector detector(TwoPaths(), kOurs, kBegin);
  detector.OnHeartbeat(WithGroup(From(2, 100)), 0, kBegin);
  CHECK_FALSE(detector.OnHeartbeat(From(2, 1, kRun + 1), 0, kBegin + 40 * kMillisecond));
  CHECK(detector.Find(2)->incarnation == kRun);
  CHECK(detector.OnHeartbeat(From(2, 2, kRun + 1), 0, kBegin + 50 * kMillisecond));
  CHECK(detector.Find(2)->incarnation == kRun + 1);
  CHECK(detector.Find(2)->Of(7, kBegin + 50 * kMillisecond) == nullptr);
  // What the earlier run said may still be under way.
  CHECK_FALSE(detector.OnHeartbeat(From(2, 101), 0, kBegin + 51 * kMillisecond));
  CHECK_FALSE(detector.Find(2)->was_back);
}

TEST_CASE("detector: another run counts at once when it has heard us later") {
  Detector detector(TwoPaths(), kOurs, kBegin);
  const auto from = [&](uint64_t run, uint64_t sequence, Nanos stamp) {
    Heartbeat heartbeat = From(2, sequence, run);
    heartbeat.heard.push_back({.device = 1, .incarnation = kOurs, .stamp = stamp});
    return heartbeat;
  };
  CHECK(detector.OnHeartbeat(from(kRun, 100, kBegin), 0, kBegin + kMillisecond));
  CHECK_FALSE(detector.OnHeartbeat(from(kRun + 1, 1, kBegin), 0, kBegin + 2 * kMillisecond));
  CHECK(detector.OnHeartbeat(from(kRun + 1, 2, kBegin + 1), 0, kBegin + 3 * kMillisecond));
  CHECK(detector.Find(2)->incarnation == kRun + 1);
  CHECK_FALSE(detector.OnHeartbeat(from(kRun, 101, kBegin), 0, kBegin + 4 * kMillisecond));
}

TEST_CASE("detector: the same run heard again after silence is a path that healed") {
  Detector detector(TwoPaths(), kOurs, kBegin);
  detector.OnHeartbeat(From(2, 1), 0, kBegin);
  CHECK_FALSE(detector.Find(2)->was_back);
  detector.Judge(kBegin + kSecond);
  detector.OnHeartbeat(From(2, 90), 0, kBegin + kSecond);
  CHECK(detector.Find(2)->was_back);
  detector.ClearBack();
  CHECK_FALSE(detector.Find(2)->was_back);
}

TEST_CASE("detector: the longer of both detection times counts") {
  Detector detector(TwoPaths(), kOurs, kBegin);
  Heartbeat slow = From(2, 1);
  slow.interval = 100 * kMillisecond;
  detector.OnHeartbeat(slow, 0, kBegin);
  CHECK_FALSE(detector.Judge(kBegin + 499 * kMillisecond));
  CHECK(detector.Judge(kBegin + 500 * kMillisecond));
  Heartbeat fast = From(3, 1);
  fast.interval = kIntervalMin;
  fast.multiplier = 3;
  detector.OnHeartbeat(fast, 0, kBegin + kSecond);
  CHECK_FALSE(detector.Judge(kBegin + kSecond + 49 * kMillisecond));
  CHECK(detector.Judge(kBegin + kSecond + 50 * kMillisecond));
  CHECK(detector.counters().interval_differs.Get() == 2);
}

TEST_CASE("detector: after a stall of ours everybody has all of the time again") {
  Detector detector(TwoPaths(), kOurs, kBegin);
  detector.OnHeartbeat(WithGroup(From(2, 1)), 0, kBegin);
  detector.OnHeartbeat(WithGroup(From(3, 1)), 1, kBegin);
  CHECK_FALSE(detector.IsStalled(kBegin + 25 * kMillisecond));
  const Nanos back = kBegin + 2 * kSecond;
  CHECK(detector.IsStalled(back));
  CHECK_FALSE(detector.Judge(back));
  CHECK(detector.Find(2)->Of(7, back) != nullptr);
  CHECK(detector.SilentPaths(*detector.Find(2), back) == 2);
  CHECK_FALSE(detector.IsStalled(back + 20 * kMillisecond));
  CHECK_FALSE(detector.Judge(back + 49 * kMillisecond));
  CHECK(detector.Judge(back + 50 * kMillisecond));
  CHECK(detector.counters().stalls.Get() == 1);
}

TEST_CASE("detector: a stall wakes nobody who was dead before") {
  Detector detector(TwoPaths(), kOurs, kBegin);
  detector.OnHeartbeat(From(2, 1), 0, kBegin);
  for (Nanos at = kBegin; at < kBegin + 60 * kMillisecond; at += 10 * kMillisecond)
    detector.IsStalled(at);
  detector.Judge(kBegin + 55 * kMillisecond);
  detector.IsStalled(kBegin + kSecond);
  CHECK_FALSE(IsAlive(detector, 2));
}

TEST_CASE("detector: it says whom it hears, where, and how fresh") {
  Detector detector(TwoPaths(), kOurs, kBegin);
  detector.OnHeartbeat(From(2, 4), 1, kBegin);
  std::vector<Heard> heard;
  detector.Report(kBegin + 3 * kMillisecond, heard);
  REQUIRE(heard.size() == 1);
  CHECK(heard[0].device == 2);
  CHECK(heard[0].incarnation == kRun);
  CHECK(heard[0].paths == 2);
  CHECK(heard[0].stamp == From(2, 4).stamp);
  CHECK(heard[0].age == 3 * kMillisecond);
}

TEST_CASE("detector: of a peer with many groups, the stamp is of what it said first") {
  Detector detector(TwoPaths(), kOurs, kBegin);
  detector.OnHeartbeat(WithGroup(From(2, 1), 7), 0, kBegin);
  detector.OnHeartbeat(WithGroup(From(2, 3), 8), 0, kBegin + 2 * kMillisecond);
  std::vector<Heard> heard;
  detector.Report(kBegin + 2 * kMillisecond, heard);
  CHECK(heard[0].stamp == From(2, 1).stamp);
  CHECK(heard[0].age == 2 * kMillisecond);
}

TEST_CASE("detector: who hears us, and how long a heartbeat is under way") {
  Detector detector(TwoPaths(), kOurs, kBegin);
  Heartbeat heartbeat = From(2, 1);
  heartbeat.heard.push_back(
      {.device = 1, .incarnation = kOurs, .paths = 1, .stamp = kBegin, .age = 2 * kMillisecond});
  detector.OnHeartbeat(heartbeat, 0, kBegin + 3 * kMillisecond);
  const Peer& peer = *detector.Find(2);
  CHECK(peer.hears_us);
  CHECK(peer.hears_on == 1);
  CHECK(peer.confirmed == kBegin);
  CHECK(peer.round_trip == kMillisecond);
  CHECK(peer.sent_after == kBegin + ShortOf(2 * kMillisecond));
  // An earlier run of ours, or a stamp that we never gave.
  heartbeat = From(2, 2);
  heartbeat.heard.push_back({.device = 1, .incarnation = 5, .stamp = kBegin});
  detector.OnHeartbeat(heartbeat, 0, kBegin + 4 * kMillisecond);
  CHECK_FALSE(peer.hears_us);
  heartbeat = From(2, 3);
  heartbeat.heard.push_back({.device = 1, .incarnation = kOurs, .stamp = kBegin + kSecond});
  detector.OnHeartbeat(heartbeat, 0, kBegin + 5 * kMillisecond);
  CHECK(peer.confirmed == kBegin);
  CHECK(peer.sent_after == 0);
}

TEST_CASE("detector: what a peer says of a group ends with it, or when it says it no more") {
  Detector detector(TwoPaths(), kOurs, kBegin);
  detector.OnHeartbeat(WithGroup(From(2, 1)), 0, kBegin);
  CHECK(detector.Find(2)->Of(7, kBegin + 49 * kMillisecond) != nullptr);
  for (uint64_t i = 2; i < 8; ++i)
    detector.OnHeartbeat(From(2, i), 0, kBegin + i * 10 * kMillisecond);
  CHECK(IsAlive(detector, 2));
  CHECK(detector.Find(2)->Of(7, kBegin + 70 * kMillisecond) == nullptr);
}

TEST_CASE("detector: a peer cannot name groups without bounds") {
  Detector detector(TwoPaths(), kOurs, kBegin);
  for (uint64_t i = 1; i < 1000; ++i)
    detector.OnHeartbeat(WithGroup(From(2, i), i), 0, kBegin + i * kMillisecond);
  CHECK(detector.Find(2)->groups.size() == kTrafficGroupsMax);
  CHECK(detector.Find(2)->Of(999, kBegin + 999 * kMillisecond) != nullptr);
}

TEST_CASE("detector: another configuration keeps the peers that stay") {
  Detector detector(TwoPaths(), kOurs, kBegin);
  detector.OnHeartbeat(From(2, 1), 0, kBegin);
  detector.OnHeartbeat(From(3, 1), 0, kBegin);
  Settings settings = TwoPaths();
  settings.peers = {2, 4};
  detector.Reconfigure(settings);
  CHECK(IsAlive(detector, 2));
  CHECK(detector.Find(3) == nullptr);
  CHECK_FALSE(IsAlive(detector, 4));
  CHECK_FALSE(detector.AllHeard());
}

}  // namespace tandem::ha
