// SPDX-License-Identifier: Apache-2.0
//
// Compile, what makes this device unfit: the failsafes as ha::HealthSettings.
//
// Thread safety: control thread.
#pragma once

#include "dataplane/ha/health.h"
#include "proto/config.pb.h"

namespace tandem::control {

// REQUIRES: `config` has a device group and passed Validate.
ha::HealthSettings HealthSettingsOf(const config::v1::Config& config);

}  // namespace tandem::control
