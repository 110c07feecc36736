// SPDX-License-Identifier: Apache-2.0
//
// What the main thread does while workers forward: signals, the admin socket, and Daemon::Tend.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "control/daemon.h"
#include "control/unique_fd.h"

namespace tandem::control {

// SIGTERM, SIGINT and SIGHUP as something to read from. To be made before any thread is, so that all
// of them leave these signals alone; SIGPIPE is ignored.
absl::StatusOr<UniqueFd> TakeSignals();

// Returns when told to stop.
absl::Status RunLoop(Daemon& daemon, const UniqueFd& signals);

}  // namespace tandem::control
