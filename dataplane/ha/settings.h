// SPDX-License-Identifier: Apache-2.0
//
// What is configured about takeover: this device, its group of devices, and the traffic groups. Equal
// on all devices of the group but for `self`.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/base/limits.h"
#include "dataplane/base/time.h"
#include "dataplane/config/ids.h"
#include "dataplane/ha/epoch.h"

namespace tandem::ha {

inline constexpr size_t kPathsMax = 16;  // ways between two devices; one bit each

// How many detection times a device waits whose shadow is not complete, for a device that acted and is
// silent, or suspended: what is not in the shadow is lost when it takes over.
inline constexpr uint32_t kUnsyncedWait = 10;

// Bounds of Settings. The shortest detection is 10 ms, the longest 50 s.
inline constexpr Nanos kIntervalMin = 3'300'000;
inline constexpr Nanos kIntervalMax = kSecond;
inline constexpr uint32_t kMultiplierMin = 3;
inline constexpr uint32_t kMultiplierMax = 50;

// How candidates for a group are put in order.
enum class Method : uint8_t {
  kHaOrder,  // GroupSettings::ha_order
  kHaScore,  // the highest score
  kLoad,     // the lowest load
};

struct GroupSettings {
  config::TrafficGroupId id = 0;
  uint64_t name_hash = 0;  // the group's name between devices; not 0
  Method method = Method::kHaOrder;
  std::vector<DeviceId> ha_order;  // first is best; who is not in it comes after
  uint32_t load_factor = 1;        // 1..1000, of kLoad
  // kHaOrder: the group goes back to the first in order. kHaScore: to whom has more.
  bool auto_failback = false;
  Nanos failback_hold = 60 * kSecond;  // how long the target has to be in sync, kHaOrder
  Nanos move_hold = kSecond;           // how long it has to be better, kHaScore
  uint32_t active_bonus = 10;  // on the score of who acts, so that small changes move nothing
};

struct Settings {
  DeviceId self = 0;
  std::vector<DeviceId> peers;  // the other devices of the group
  uint8_t paths = 1;            // of each peer: numbers 0..paths-1
  Nanos interval = 10 * kMillisecond;
  uint32_t multiplier = 5;
  Nanos boot_wait = 3 * kSecond;             // T_boot
  Nanos drain_max = 20 * kMillisecond;       // of a planned switchover
  Nanos grant_wait_min = 10 * kMillisecond;  // for the target to act; 3 round trips when longer,
  Nanos grant_wait_max = kSecond;            // but no more: nobody acts meanwhile
  Nanos strays = 2 * kSecond;                // forwarded to the target so long
  Nanos sync_wait = 30 * kSecond;            // a target by command may take to get in sync
  bool witness = false;                      // nobody acts without lease or confirmation
  Nanos lease = kSecond;                     // granted by the witness
  uint32_t capacity = 1;                     // of this device, of kLoad
  std::vector<GroupSettings> groups;

  Nanos detection() const { return interval * multiplier; }
};

// A time by the clock of somebody else that runs `span` here: 1 % off at most, either way.
constexpr Nanos ShortOf(Nanos span) {
  return span - span / 50;
}
constexpr Nanos LongOf(Nanos span) {
  return span + span / 50;
}
// For how long after its last word a device may take itself to be believed by its peers.
constexpr Nanos FenceOf(Nanos detection) {
  return detection - detection / 8;
}

}  // namespace tandem::ha
