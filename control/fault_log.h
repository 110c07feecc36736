// SPDX-License-Identifier: Apache-2.0
//
// Faults of this device in words, and what the log says of them.
#pragma once

#include <string>
#include <vector>

#include "dataplane/config/snapshot.h"
#include "dataplane/ha/health.h"

namespace tandem::control {

// What it is a fault of: "worker 1", "vlan clients".
std::string SubjectOf(const ha::Fault& fault, const config::Snapshot& snapshot);

// A line for each fault that has begun or ended between two looks.
std::vector<std::string> FaultChanges(const std::vector<ha::Fault>& before,
                                      const std::vector<ha::Fault>& after,
                                      const config::Snapshot& snapshot);

}  // namespace tandem::control
