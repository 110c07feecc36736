// SPDX-License-Identifier: Apache-2.0
//
// What the log says of mirroring: a line when something changed that an operator should know.
#pragma once

#include <string>
#include <vector>

#include "dataplane/config/snapshot.h"
#include "dataplane/mirror/endpoint.h"

namespace tandem::control {

// What changed between two looks. `before` may be empty, as at the start.
std::vector<std::string> MirrorChanges(const mirror::EndpointStatus& before,
                                       const mirror::EndpointStatus& after,
                                       const config::Snapshot& snapshot);

}  // namespace tandem::control
