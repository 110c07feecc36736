// SPDX-License-Identifier: Apache-2.0
//
// The file with the facts of takeover (ha/epoch_store.h), on a file system of the kernel's.
//
// Thread safety: control thread. Writing waits for the disk.
#pragma once

#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "dataplane/ha/epoch_store.h"

namespace tandem::control {

// No file: a new device's facts. A damaged one: an error that says line and reason.
absl::StatusOr<ha::Facts> LoadFacts(const std::string& path);

// Makes the directory of `path` where there is none. OK: durable.
absl::Status StoreFacts(const ha::Facts& facts, const std::string& path);

}  // namespace tandem::control
