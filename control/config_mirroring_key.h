// SPDX-License-Identifier: Apache-2.0
//
// The key that the devices of a group share, as the configuration has it: from there, and out of what is
// shown.
#pragma once

#include <absl/status/statusor.h>

#include "control/mirroring_key_file.h"
#include "proto/config.pb.h"

namespace tandem::control {

// The key that a valid configuration names; zeros when it wants none.
absl::StatusOr<MirroringKey> MirroringKeyOf(const config::v1::Config& config);

// Puts a word for people in the place of the key, if there is one: for what is shown.
void HideMirroringKey(config::v1::Config& config);

}  // namespace tandem::control
