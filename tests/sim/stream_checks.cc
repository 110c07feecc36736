// SPDX-License-Identifier: Apache-2.0
//
// What must hold in the small world, whatever happens to it; checked from outside the streams.
#include <algorithm>

#include "tests/sim/stream_world.h"

namespace tandem::sim {
namespace {

// A stream whose oldest unacknowledged change is older says that it lags.
constexpr Nanos kLagMax = 3 * kSecond;

constexpr const char* kNames[kGroups] = {"group 0", "group 1"};

unsigned long long Number(uint64_t value) {
  return value;
}

}  // namespace

void StreamWorld::CheckSteps() {
  if (is_damaged_) return;
  for (unsigned group = 0; group < kGroups; ++group) {
    CheckNewClaim(group);
    if (steps_ % 16 == group) {
      StreamDevice& standby = Standby(group);
      auto& books = groups_[group].books;
      books[0].CheckRegisters(standby.flows4, standby.Group(group), kNames[group]);
      books[1].CheckRegisters(standby.flows6, standby.Group(group), kNames[group]);
    }
    if (steps_ % 256 == 3 + group) {
      CheckShadow(group);
      CheckClaim(group);
      CheckDirty(group);
      if (IsInSync(group)) Compare(group, "both ends say in sync");
    }
    if (!mismatches_allowed_ && SenderOf(group).counters().audit_mismatches.Get() != 0)
      Violate("audit found a difference in group %u", group);
    if (SenderOf(group).counters().bad_acks.Get() != 0)
      Violate("group %u: an acknowledgement of a frame never sent", group);
  }
}

// I1.
void StreamWorld::CheckShadow(unsigned group) {
  for (const FlowImage& image : Standby(group).Images(group, flow::kShadow))
    groups_[group].books[image.is_ipv6].CheckKnown(image, kNames[group]);
}

// The moment at which the standby begins to say so is when it may be too early.
void StreamWorld::CheckNewClaim(unsigned group) {
  Group& state = groups_[group];
  const bool claims = state.receiver_open && ReceiverOf(group).in_sync();
  const bool is_new = claims && !state.claimed;
  state.claimed = claims;
  if (is_new) CheckClaim(group);
}

// What "in sync" promises while the world goes on: whatever has not changed of late is there.
void StreamWorld::CheckClaim(unsigned group) {
  const unsigned writer = writer_[group];
  const Group& state = groups_[group];
  if (paused_until_[writer] > now_ || !state.sender_open || !state.receiver_open ||
      state.receiver_opens_at != 0 || state.sender_opens_at != 0) {
    return;
  }
  SenderOf(group).OnClock(ClockOf(writer));
  if (SenderOf(group).state() != mirror::StreamState::kInSync || !ReceiverOf(group).in_sync())
    return;
  std::unordered_map<uint64_t, FlowImage> shadow;
  const auto name = [](const FlowImage& image) {
    return uint64_t{image.logical} << 1 | (image.is_ipv6 ? 1 : 0);
  };
  for (const FlowImage& image : Standby(group).Images(group, flow::kShadow))
    shadow.emplace(name(image), image);
  for (const FlowImage& image : Writer(group).Images(group, flow::kMirrored)) {
    const auto found = shadow.find(name(image));
    const bool is_there = found != shadow.end() && found->second.value == image.value;
    if (found != shadow.end() && found->second.value >= image.value) shadow.erase(found);
    if (is_there) continue;
    const FlowBook::Past* past = state.books[image.is_ipv6].Find(image.value);
    if (past != nullptr && now_ - past->when > kLagMax)
      Violate("I3: group %u says in sync without %s", group, image.ToText().c_str());
  }
}

// I7: a slot is in the list of dirty ones exactly when its link says so.
void StreamWorld::CheckDirty(unsigned group) {
  now_ += 20 * kMillisecond;  // the levels are brought up to date now and then
  SenderOf(group).OnClock(ClockOf(writer_[group]));
  const uint32_t counted = Writer(group).CountDirtySlots(group);
  const uint64_t said = SenderOf(group).counters().dirty.Get();
  if (counted != said)
    Violate("I7: group %u: %u slots are marked dirty, %llu are said to be", group, counted,
            Number(said));
}

void StreamWorld::CompareAll(const char* when) {
  for (unsigned group = 0; group < kGroups; ++group)
    Compare(group, when);
}

void StreamWorld::Compare(unsigned group, const char* when) {
  const std::vector<FlowImage> there = Standby(group).Images(group, flow::kShadow);
  const std::string where = std::string(kNames[group]) + ", " + when;
  CheckEqual(Writer(group).Images(group, flow::kMirrored), there, faults_on_, where.c_str());
  for (const FlowImage& image : there) {
    StreamDevice& standby = Standby(group);
    if (image.is_ipv6) {
      CheckFound(standby.flows6, standby.Group(group), image, where.c_str());
    } else {
      CheckFound(standby.flows4, standby.Group(group), image, where.c_str());
    }
  }
}

}  // namespace tandem::sim
