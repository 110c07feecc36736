// SPDX-License-Identifier: Apache-2.0
#include "dataplane/ha/heartbeat_codec.h"

#include "dataplane/base/limits.h"
#include "proto/ha.pb.h"

namespace tandem::ha {
namespace {

constexpr uint64_t kMicrosecond = 1000;
constexpr uint64_t kStampMax = uint64_t{1} << 53;  // µs: 285 years
constexpr uint64_t kSpanMax = 60'000'000;          // µs: a minute
constexpr uint32_t kScoreMax = 1'000'000;
constexpr uint32_t kLoadMax = 1'000'000'000;

// Spans are far below an hour.
uint32_t Microseconds(Nanos span) {
  return static_cast<uint32_t>(span / kMicrosecond);
}

// ---- writing ------------------------------------------------------------------------------------

void Write(const Heard& from, v1::Heard& to) {
  to.set_device(from.device);
  to.set_incarnation(from.incarnation);
  to.set_paths(from.paths);
  to.set_stamp_us(from.stamp / kMicrosecond);
  to.set_age_us(Microseconds(from.age));
}

void Write(const HandOver& from, v1::HandOver& to) {
  to.set_target(from.target);
  to.set_epoch(from.epoch.bits());
  to.set_incarnation(from.incarnation);
  to.set_session(from.session);
  to.set_holds_us(Microseconds(from.holds));
}

void Write(const GroupSays& from, v1::Group& to) {
  to.set_name_hash(from.name_hash);
  to.set_state(static_cast<uint32_t>(from.state));
  to.set_epoch(from.epoch.bits());
  to.set_acts(from.acts);
  to.set_follows(from.follows);
  to.set_eligible(from.eligible);
  to.set_in_sync(from.in_sync);
  to.set_session(from.session);
  to.set_order(from.order);
  to.set_score(from.score);
  to.set_next_active(from.next_active);
  to.set_mirror_to(from.mirror_to);
  to.set_given_by(from.given_by);
  if (from.hand_over.target != 0) Write(from.hand_over, *to.mutable_hand_over());
}

// ---- reading ------------------------------------------------------------------------------------

bool ReadDevice(uint32_t from, DeviceId& to) {
  to = static_cast<DeviceId>(from);
  return from <= UINT8_MAX;
}

bool ReadEpoch(uint32_t from, Epoch& to) {
  to = Epoch::FromBits(from);
  return to.is_sound();
}

bool ReadSpan(uint64_t from_us, uint64_t max_us, Nanos& to) {
  to = from_us * kMicrosecond;
  return from_us <= max_us;
}

bool Read(const v1::Heard& from, Heard& to) {
  to.incarnation = from.incarnation();
  to.paths = from.paths();
  return ReadDevice(from.device(), to.device) && to.device != 0 && to.incarnation != 0 &&
         to.paths < 1U << kPathsMax && ReadSpan(from.stamp_us(), kStampMax, to.stamp) &&
         ReadSpan(from.age_us(), kSpanMax, to.age);
}

bool Read(const v1::HandOver& from, HandOver& to) {
  to.incarnation = from.incarnation();
  to.session = from.session();
  if (!ReadDevice(from.target(), to.target) || to.target == 0) return false;
  if (!ReadEpoch(from.epoch(), to.epoch) || !ReadSpan(from.holds_us(), kSpanMax, to.holds))
    return false;
  return to.epoch.is_none() || (to.epoch.is_planned() && to.epoch.device() == to.target);
}

bool Read(const v1::Group& from, GroupSays& to) {
  if (from.name_hash() == 0 || from.state() == 0 || from.state() >= kStates) return false;
  if (from.order() > kDevicesMax || from.score() > kScoreMax) return false;
  to.name_hash = from.name_hash();
  to.state = static_cast<State>(from.state());
  to.acts = from.acts();
  to.follows = from.follows();
  to.eligible = from.eligible();
  to.in_sync = from.in_sync();
  to.session = from.session();
  to.order = from.order();
  to.score = from.score();
  if (!ReadEpoch(from.epoch(), to.epoch)) return false;
  if (!ReadDevice(from.next_active(), to.next_active)) return false;
  if (!ReadDevice(from.mirror_to(), to.mirror_to)) return false;
  if (!ReadDevice(from.given_by(), to.given_by)) return false;
  if (from.has_hand_over() && !Read(from.hand_over(), to.hand_over)) return false;
  // Who acts does so in an epoch of its own, and nobody both acts and follows.
  return to.acts == Acts(to.state) && !(to.acts && to.follows) &&
         (!to.follows || !to.epoch.is_none());
}

bool Read(const v1::Heartbeat& from, Heartbeat& to) {
  if (!ReadDevice(from.device(), to.device) || to.device == 0) return false;
  if (from.incarnation() == 0 || from.sequence() == 0) return false;
  if (from.multiplier() < kMultiplierMin || from.multiplier() > kMultiplierMax) return false;
  if (from.interval_us() < kIntervalMin / kMicrosecond) return false;
  if (!ReadSpan(from.interval_us(), kIntervalMax / kMicrosecond, to.interval)) return false;
  if (!ReadSpan(from.stamp_us(), kStampMax, to.stamp) || from.load() > kLoadMax) return false;
  if (from.ballot() > kBallotMax) return false;
  if (static_cast<size_t>(from.heard_size()) > kDevicesMax) return false;
  if (static_cast<size_t>(from.group_size()) > kGroupsPerHeartbeat) return false;
  to.incarnation = from.incarnation();
  to.sequence = from.sequence();
  to.multiplier = from.multiplier();
  to.goodbye = from.goodbye();
  to.ballot = from.ballot();
  to.load = from.load();
  for (const v1::Heard& heard : from.heard()) {
    if (!Read(heard, to.heard.emplace_back())) return false;
  }
  for (const v1::Group& group : from.group()) {
    GroupSays& says = to.groups.emplace_back();
    if (!Read(group, says) || (says.acts && says.epoch.device() != to.device)) return false;
  }
  return true;
}

}  // namespace

size_t EncodeHeartbeat(const Heartbeat& heartbeat, std::span<uint8_t> out) {
  v1::Heartbeat to;
  to.set_device(heartbeat.device);
  to.set_incarnation(heartbeat.incarnation);
  to.set_sequence(heartbeat.sequence);
  to.set_interval_us(Microseconds(heartbeat.interval));
  to.set_multiplier(heartbeat.multiplier);
  to.set_stamp_us(heartbeat.stamp / kMicrosecond);
  to.set_goodbye(heartbeat.goodbye);
  to.set_ballot(heartbeat.ballot);
  to.set_load(heartbeat.load);
  for (const Heard& heard : heartbeat.heard)
    Write(heard, *to.add_heard());
  for (const GroupSays& group : heartbeat.groups)
    Write(group, *to.add_group());
  const size_t size = to.ByteSizeLong();
  if (size > out.size() || size > kHeartbeatBodyMax) return 0;
  return to.SerializeToArray(out.data(), static_cast<int>(size)) ? size : 0;
}

std::optional<Heartbeat> DecodeHeartbeat(std::span<const uint8_t> body) {
  v1::Heartbeat from;
  if (body.size() > kHeartbeatBodyMax ||
      !from.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return std::nullopt;
  }
  std::optional<Heartbeat> heartbeat(std::in_place);
  if (!Read(from, *heartbeat)) return std::nullopt;
  return heartbeat;
}

}  // namespace tandem::ha
