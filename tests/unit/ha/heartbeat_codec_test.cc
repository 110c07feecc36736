// SPDX-License-Identifier: Apache-2.0
//
// Heartbeats as bytes: what is written is read, the bytes themselves, and everything else is refused.
#include "dataplane/ha/heartbeat_codec.h"

#include <array>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "dataplane/base/prng.h"
#include "proto/ha.pb.h"

namespace tandem::ha {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes Encode(const Heartbeat& heartbeat) {
  Bytes bytes(kHeartbeatBodyMax);
  bytes.resize(EncodeHeartbeat(heartbeat, bytes));
  return bytes;
}

Heartbeat Example() {
  Heartbeat heartbeat;
  heartbeat.device = 2;
  heartbeat.incarnation = 0x1122334455667788;
  heartbeat.sequence = 300;
  heartbeat.interval = 10 * kMillisecond;
  heartbeat.multiplier = 5;
  heartbeat.stamp = 7 * kSecond;
  heartbeat.ballot = 40;
  heartbeat.load = 1500;
  heartbeat.heard.push_back({.device = 1,
                             .incarnation = 0x99,
                             .paths = 3,
                             .stamp = 9 * kSecond,
                             .age = 4 * kMillisecond});
  GroupSays& group = heartbeat.groups.emplace_back();
  group.name_hash = 0xabcdef;
  group.state = State::kGranted;
  group.epoch = Epoch::Promoted(33, 2);
  group.eligible = true;
  group.order = 1;
  group.score = 50;
  group.hand_over = {.target = 1,
                     .epoch = Epoch::Planned(34, 1),
                     .incarnation = 0x99,
                     .session = 5,
                     .holds = 7 * kMillisecond};
  return heartbeat;
}

std::string Hex(const Bytes& bytes) {
  std::string text;
  for (const uint8_t byte : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

v1::Heartbeat Parsed(const Heartbeat& heartbeat) {
  v1::Heartbeat message;
  const Bytes bytes = Encode(heartbeat);
  REQUIRE(message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return message;
}

bool IsRefused(const v1::Heartbeat& message) {
  const std::string bytes = message.SerializeAsString();
  return !DecodeHeartbeat({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

}  // namespace

TEST_CASE("heartbeat: the bytes") {
  CHECK(Hex(Encode(Example())) ==
        "0802"                // device 2
        "118877665544332211"  // incarnation
        "18ac02"              // sequence 300
        "20904e"              // interval 10000 us
        "2805"                // multiplier
        "30c09fab03"          // stamp 7 s
        "40dc0b"              // load 1500
        "4a15"                // heard, 21 bytes:
        "0801"                //   device 1
        "119900000000000000"  //   incarnation
        "1803"                //   paths 0 and 1
        "20c0a8a504"          //   stamp 9 s
        "28a01f"              //   age 4000 us
        "522d"                // group, 45 bytes:
        "09efcdab0000000000"  //   name_hash
        "100a"                //   state granted
        "1d04420000"          //   epoch: ballot 33, device 2
        "3001"                //   eligible
        "4801"                //   order
        "5032"                //   score 50
        "6a15"                //   hand_over, 21 bytes:
        "0801"                //     target
        "1503440000"          //     epoch: ballot 34, device 1, planned
        "199900000000000000"  //     incarnation
        "2005"                //     session
        "28d836"              //     holds 7000 us
        "5828");              // ballot 40
}

TEST_CASE("heartbeat: what is written is read") {
  const Heartbeat sent = Example();
  const auto read = DecodeHeartbeat(Encode(sent));
  REQUIRE(read);
  CHECK(read->device == sent.device);
  CHECK(read->incarnation == sent.incarnation);
  CHECK(read->sequence == sent.sequence);
  CHECK(read->interval == sent.interval);
  CHECK(read->multiplier == sent.multiplier);
  CHECK(read->stamp == sent.stamp);
  CHECK(read->ballot == sent.ballot);
  CHECK(read->load == sent.load);
  CHECK_FALSE(read->goodbye);
  REQUIRE(read->heard.size() == 1);
  CHECK(read->heard[0].paths == 3);
  CHECK(read->heard[0].stamp == sent.heard[0].stamp);
  CHECK(read->heard[0].age == sent.heard[0].age);
  REQUIRE(read->groups.size() == 1);
  const GroupSays& group = read->groups[0];
  CHECK(group.state == State::kGranted);
  CHECK(group.epoch == sent.groups[0].epoch);
  CHECK(group.hand_over.epoch == sent.groups[0].hand_over.epoch);
  CHECK(group.hand_over.holds == 7 * kMillisecond);
  CHECK(Encode(*read) == Encode(sent));
}

TEST_CASE("heartbeat: the largest one fits") {
  Heartbeat heartbeat = Example();
  heartbeat.device = 255;
  heartbeat.sequence = UINT64_MAX;
  heartbeat.interval = kSecond;
  heartbeat.multiplier = kMultiplierMax;
  heartbeat.stamp = (uint64_t{1} << 53) * 1000;
  heartbeat.ballot = kBallotMax;
  heartbeat.load = 1'000'000'000;
  heartbeat.goodbye = true;
  heartbeat.heard.assign(kDevicesMax - 1, {.device = 254,
                                           .incarnation = UINT64_MAX,
                                           .paths = 0xffff,
                                           .stamp = (uint64_t{1} << 53) * 1000,
                                           .age = 60 * kSecond});
  GroupSays group;
  group.name_hash = UINT64_MAX;
  group.state = State::kForcedOffline;
  group.epoch = Epoch::Planned(kBallotMax, 255);
  group.follows = group.eligible = group.in_sync = true;
  group.session = UINT32_MAX;
  group.order = kDevicesMax;
  group.score = 1'000'000;
  group.next_active = group.mirror_to = group.given_by = 255;
  group.hand_over = {255, Epoch::Planned(kBallotMax, 255), UINT64_MAX, UINT32_MAX, 60 * kSecond};
  heartbeat.groups.assign(kGroupsPerHeartbeat, group);
  const Bytes bytes = Encode(heartbeat);
  CHECK(bytes.size() > 900);
  CHECK(DecodeHeartbeat(bytes));
  heartbeat.groups.resize(kGroupsPerHeartbeat + 4, group);
  CHECK(Encode(heartbeat).empty());
}

TEST_CASE("heartbeat: numbers beyond their limits refuse it") {
  const auto refused = [](auto change) {
    v1::Heartbeat message = Parsed(Example());
    change(message);
    return IsRefused(message);
  };
  CHECK_FALSE(refused([](v1::Heartbeat&) {}));
  CHECK(refused([](v1::Heartbeat& m) { m.set_device(0); }));
  CHECK(refused([](v1::Heartbeat& m) { m.set_device(256); }));
  CHECK(refused([](v1::Heartbeat& m) { m.set_incarnation(0); }));
  CHECK(refused([](v1::Heartbeat& m) { m.set_sequence(0); }));
  CHECK(refused([](v1::Heartbeat& m) { m.set_interval_us(3299); }));
  CHECK(refused([](v1::Heartbeat& m) { m.set_interval_us(1'000'001); }));
  CHECK(refused([](v1::Heartbeat& m) { m.set_multiplier(2); }));
  CHECK(refused([](v1::Heartbeat& m) { m.set_multiplier(51); }));
  CHECK(refused([](v1::Heartbeat& m) { m.set_stamp_us(UINT64_MAX); }));
  CHECK(refused([](v1::Heartbeat& m) { m.set_ballot(kBallotMax + 1); }));
  CHECK(refused([](v1::Heartbeat& m) { m.set_load(UINT32_MAX); }));
  CHECK(refused([](v1::Heartbeat& m) { m.mutable_heard(0)->set_device(0); }));
  CHECK(refused([](v1::Heartbeat& m) { m.mutable_heard(0)->set_paths(1U << kPathsMax); }));
  CHECK(refused([](v1::Heartbeat& m) { m.mutable_heard(0)->set_age_us(UINT32_MAX); }));
  CHECK(refused([](v1::Heartbeat& m) { m.mutable_group(0)->set_name_hash(0); }));
  CHECK(refused([](v1::Heartbeat& m) { m.mutable_group(0)->set_state(0); }));
  CHECK(refused([](v1::Heartbeat& m) { m.mutable_group(0)->set_state(kStates); }));
  CHECK(refused([](v1::Heartbeat& m) { m.mutable_group(0)->set_epoch(1); }));
  CHECK(refused([](v1::Heartbeat& m) { m.mutable_group(0)->set_order(kDevicesMax + 1); }));
  CHECK(refused([](v1::Heartbeat& m) { m.mutable_group(0)->set_score(UINT32_MAX); }));
  CHECK(refused([](v1::Heartbeat& m) { m.mutable_group(0)->set_next_active(256); }));
  CHECK(refused([](v1::Heartbeat& m) { m.mutable_group(0)->mutable_hand_over()->set_target(0); }));
  CHECK(refused(
      [](v1::Heartbeat& m) { m.mutable_group(0)->mutable_hand_over()->set_holds_us(UINT32_MAX); }));
}

TEST_CASE("heartbeat: what contradicts itself refuses it") {
  Heartbeat heartbeat = Example();
  GroupSays& group = heartbeat.groups[0];
  group.hand_over.epoch = Epoch::Promoted(34, 1);  // not planned
  CHECK_FALSE(DecodeHeartbeat(Encode(heartbeat)));
  group.hand_over.epoch = Epoch::Planned(34, 2);  // of another than the target
  CHECK_FALSE(DecodeHeartbeat(Encode(heartbeat)));
  group.hand_over = {};
  group.acts = true;  // in a state that does not act
  CHECK_FALSE(DecodeHeartbeat(Encode(heartbeat)));
  group.state = State::kActive;
  CHECK(DecodeHeartbeat(Encode(heartbeat)));
  group.epoch = Epoch::Promoted(34, 1);  // somebody else's
  CHECK_FALSE(DecodeHeartbeat(Encode(heartbeat)));
  group.epoch = {};
  CHECK_FALSE(DecodeHeartbeat(Encode(heartbeat)));
  group.state = State::kSyncing;
  group.acts = false;
  group.follows = true;  // nothing
  CHECK_FALSE(DecodeHeartbeat(Encode(heartbeat)));
}

TEST_CASE("heartbeat: more than the limits is refused, unknown fields are skipped") {
  v1::Heartbeat message = Parsed(Example());
  for (size_t i = 0; i < kDevicesMax; ++i)
    *message.add_heard() = message.heard(0);
  CHECK(IsRefused(message));
  message = Parsed(Example());
  for (size_t i = 0; i < kGroupsPerHeartbeat; ++i) {
    *message.add_group() = message.group(0);
    message.mutable_group(static_cast<int>(i))->clear_hand_over();
  }
  CHECK(IsRefused(message));
  Bytes bytes = Encode(Example());
  bytes.insert(bytes.end(), {0xf8, 0x07, 0x01});  // field 127
  CHECK(DecodeHeartbeat(bytes));
  bytes.resize(kHeartbeatBodyMax + 1);
  CHECK_FALSE(DecodeHeartbeat(bytes));
}

TEST_CASE("heartbeat: any bytes are read as something sound, or not at all") {
  Prng prng(11);
  const Bytes good = Encode(Example());
  unsigned taken = 0;
  for (int i = 0; i < 50'000; ++i) {
    Bytes bytes = good;
    for (uint32_t edits = 1 + prng.Below(4); edits > 0; --edits) {
      const size_t at = prng.Below(static_cast<uint32_t>(bytes.size()));
      if (prng.Below(4) == 0) {
        bytes.resize(at + 1);
      } else {
        bytes[at] = static_cast<uint8_t>(prng.Next());
      }
    }
    const auto heartbeat = DecodeHeartbeat(bytes);
    if (!heartbeat) continue;
    ++taken;
    const auto again = DecodeHeartbeat(Encode(*heartbeat));
    REQUIRE(again);
    CHECK(Encode(*again) == Encode(*heartbeat));
    CHECK(heartbeat->heard.size() <= kDevicesMax);
    CHECK(heartbeat->groups.size() <= kGroupsPerHeartbeat);
  }
  CHECK(taken > 1000);
}

}  // namespace tandem::ha
