// SPDX-License-Identifier: Apache-2.0
//
// Compile, what makes this device unfit, and its scores: failsafes and HA groups as ha::HealthSettings.
//
// Thread safety: control thread.
#pragma once

#include "control/config_ids.h"
#include "dataplane/ha/health.h"
#include "proto/config.pb.h"

namespace tandem::control {

// REQUIRES: `config` has a device group and passed Validate; `ids` are those that it was compiled with.
ha::HealthSettings HealthSettingsOf(const config::v1::Config& config, const ConfigIds& ids,
                                    unsigned workers);

}  // namespace tandem::control
