// SPDX-License-Identifier: Apache-2.0
//
// What the takeover machine is told, and what it wants done. Both are plain data: whoever drives the
// machine (the mirror thread; the simulator) performs the actions in their order.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "dataplane/base/time.h"
#include "dataplane/config/ids.h"
#include "dataplane/config/roles.h"
#include "dataplane/ha/heartbeat.h"

namespace tandem::ha {

using config::TrafficGroupId;

// ---- events -------------------------------------------------------------------------------------

// Time passed. At next_tick() at the latest, and after everything received.
struct Tick {};

// From a peer whose authenticity is proved, on path `path` of it.
struct HeartbeatCame {
  Heartbeat heartbeat;
  unsigned path = 0;
};

// The mirror, as reader: whether this device's shadow is in sync with the writer's table, in which
// session and for which epoch of the writer.
struct ShadowSays {
  TrafficGroupId group = 0;
  bool in_sync = false;
  uint32_t session = 0;
  Epoch epoch;
};

// The mirror, as writer, after kFreeze: everything that changed before was acknowledged in `session`.
struct Drained {
  TrafficGroupId group = 0;
  uint32_t session = 0;
};

// What an earlier kPersist asked for is on disk, and its directory synced.
struct FactsDurable {
  uint32_t ballot = 0;
  bool forced_offline = false;
};

// The witness answered kAskLease, with its ticket. Refused: another device holds the lease.
struct LeaseAnswered {
  TrafficGroupId group = 0;
  uint32_t ticket = 0;
  bool is_granted = false;
};

// A fault of this device: of one group (a VLAN, a gateway), or with group 0 of all (a worker that
// stalls). nullptr: none any more.
struct FaultSays {
  TrafficGroupId group = 0;
  const char* fault = nullptr;
};

// The score of this device for a group, without the bonus of who is active.
struct ScoreSays {
  TrafficGroupId group = 0;
  uint32_t score = 0;
};

// The operator, or a clean stop.
struct Command {
  enum class Kind : uint8_t {
    kStandby,        // give `group` up, to `target` or, with 0, to the next-active
    kStandbyAtOnce,  // the same without a switchover: nobody in sync is asked for
    kForcedOffline,  // give all groups up, and take none
    kOnline,         // the end of that
    kStop,           // give all groups up, say goodbye
  };
  Kind kind = Kind::kStandby;
  TrafficGroupId group = 0;
  DeviceId target = 0;
  uint32_t ticket = 0;  // of the answer
};

// Another configuration. Groups are told apart by their ids.
struct Reconfigured {
  Settings settings;
};

using Event = std::variant<Tick, HeartbeatCame, ShadowSays, Drained, FactsDurable, LeaseAnswered,
                           FaultSays, ScoreSays, Command, Reconfigured>;

// ---- actions ------------------------------------------------------------------------------------

// Texts are literals.
struct Action {
  enum class Kind : uint8_t {
    kSetRole,  // group, role, epoch. Reaches the workers before anything else is done. is_pause:
               // standby for a moment, maybe; what the mirror does for the active one goes on
    kDropBacklog,  // group: what waits in receive queues is older than this takeover
    kAnnounce,  // group: gratuitous ARP and neighbour advertisements of all floating addresses, with
                // the repetitions that they need
    kMirrorTo,  // group, device (0: nobody): whom the group's shadow is for
    kFollow,    // group, epoch, is_warm: the epoch whose writer's shadow this device keeps. Not
                // warm: what it has of the group's flows is emptied first
    kFreeze,    // group, device: hold what would change mirrored state, drain, say Drained
    kUnfreeze,  // group: the end of that
    kForwardStrays,  // group, device, until: packets of the group that still come go there
    kPersist,        // ballot, forced_offline: make durable, say FactsDurable
    kAskLease,       // group, ticket: of the witness
    kReleaseLease,   // group
    kTransition,     // group, from, to, epoch, reason: for the history, the log and the hook
    kAnswer,         // ticket, is_done, reason: of a command
    kStopped,        // goodbye was said: the process may end
  };

  Kind kind = Kind::kSetRole;
  TrafficGroupId group = 0;
  config::Role role = config::Role::kStandby;
  DeviceId device = 0;
  State from = State::kOffline;
  State to = State::kOffline;
  bool is_warm = false;
  bool is_pause = false;
  bool is_done = false;
  bool forced_offline = false;
  Epoch epoch;
  uint32_t ballot = 0;
  uint32_t ticket = 0;
  Nanos until = 0;
  const char* reason = "";
};

using Actions = std::vector<Action>;

}  // namespace tandem::ha
