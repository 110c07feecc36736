// SPDX-License-Identifier: Apache-2.0
#include "dataplane/ha/heartbeat.h"

namespace tandem::ha {

const char* NameOf(State state) {
  switch (state) {
    case State::kOffline:
      return "offline";
    case State::kConnecting:
      return "connecting";
    case State::kSyncing:
      return "syncing";
    case State::kStandby:
      return "standby";
    case State::kPromoting:
      return "promoting";
    case State::kActive:
      return "active";
    case State::kDegraded:
      return "degraded";
    case State::kStandalone:
      return "standalone";
    case State::kSwitchingOut:
      return "switching-out";
    case State::kGranted:
      return "granted";
    case State::kSwitchingIn:
      return "switching-in";
    case State::kSuspended:
      return "suspended";
    case State::kFailed:
      return "failed";
    case State::kForcedOffline:
      return "forced-offline";
  }
  return "unknown";
}

}  // namespace tandem::ha
