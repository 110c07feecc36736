// SPDX-License-Identifier: Apache-2.0
//
// What devices say to each other every interval, as plain structs: heartbeat_codec.h has the bytes.
// One heartbeat goes to all peers on all paths; when there are more groups than one message holds, it
// comes in several, each with a number of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/base/time.h"
#include "dataplane/ha/epoch.h"
#include "dataplane/ha/settings.h"

namespace tandem::ha {

inline constexpr size_t kGroupsPerHeartbeat = 10;

// The numbers are those of the wire and of the facts file.
enum class State : uint8_t {
  kOffline = 1,
  kConnecting = 2,
  kSyncing = 3,
  kStandby = 4,
  kPromoting = 5,
  kActive = 6,
  kDegraded = 7,
  kStandalone = 8,
  kSwitchingOut = 9,
  kGranted = 10,
  kSwitchingIn = 11,
  kSuspended = 12,
  kFailed = 13,
  kForcedOffline = 14,
};
inline constexpr size_t kStates = 15;

// Whether a device in this state forwards the group's traffic.
constexpr bool Acts(State state) {
  return state == State::kActive || state == State::kDegraded || state == State::kStandalone ||
         state == State::kSwitchingOut;
}
const char* NameOf(State state);

// Stamps are said, and come back, in whole microseconds, rounded down.
inline constexpr Nanos kStampUnit = 1000;

// A device that the sender hears.
struct Heard {
  DeviceId device = 0;
  uint64_t incarnation = 0;  // of the run that it hears
  uint32_t paths = 0;        // bit i: on path i
  Nanos stamp = 0;           // of the newest heartbeat, by that device's clock; whole microseconds
  Nanos age = 0;             // since that came
};

// The sender gives, or is about to give, the group to `target`.
struct HandOver {
  DeviceId target = 0;       // 0: it does not
  Epoch epoch;               // none: prepare; else GO, with this epoch
  uint64_t incarnation = 0;  // of the target's run
  uint32_t session = 0;      // that the target's shadow is in sync in
  Nanos holds = 0;           // GO: for so long, from this heartbeat on
};

struct GroupSays {
  uint64_t name_hash = 0;
  State state = State::kOffline;
  Epoch epoch;  // who acts: its own; else the highest it knew anybody to act in
  bool acts = false;
  bool follows = false;   // hears the device of `epoch` act in it, directly
  bool eligible = false;  // may take over
  bool in_sync = false;   // its shadow, for `epoch`
  uint32_t session = 0;   // that it is in sync in
  uint32_t order = 0;     // place in HA order; 0: none
  uint32_t score = 0;
  DeviceId next_active = 0;  // of who acts
  DeviceId mirror_to = 0;
  DeviceId given_by = 0;  // of who acts in a planned epoch: who gave it
  HandOver hand_over;
};

struct Heartbeat {
  DeviceId device = 0;
  uint64_t incarnation = 0;  // random, of this run; not 0
  uint64_t sequence = 0;     // from 1 on
  Nanos interval = 0;        // whole microseconds, as every time here
  uint32_t multiplier = 0;
  Nanos stamp = 0;  // the sender's clock
  bool goodbye = false;
  uint32_t ballot = 0;  // highest that it has seen, minted, or reserved in an earlier run
  uint32_t load = 0;
  std::vector<Heard> heard;
  std::vector<GroupSays> groups;
};

}  // namespace tandem::ha
