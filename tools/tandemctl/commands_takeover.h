// SPDX-License-Identifier: Apache-2.0
//
// Commands about takeover: device group, transitions, failover, config-sync.
#pragma once

#include <string>
#include <vector>

#include <absl/status/status.h>

#include "tools/tandemctl/commands.h"

namespace tandem::tandemctl {

absl::Status ParseShowDeviceGroup(Words& words, Invocation& invocation);
absl::Status ParseShowFailover(Words& words, Invocation& invocation);
// standby GROUP [device NAME] [at-once] | offline | online
absl::Status ParseRunFailover(Words& words, Invocation& invocation);
Completion CompleteRunFailover(const std::vector<std::string>& before);
// to-group DEVICE-GROUP | from-group DEVICE-GROUP
absl::Status ParseRunConfigSync(Words& words, Invocation& invocation);
Completion CompleteRunConfigSync(const std::vector<std::string>& before);

}  // namespace tandem::tandemctl
