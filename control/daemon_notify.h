// SPDX-License-Identifier: Apache-2.0
//
// Tells the service manager how the daemon is doing: sd_notify(3) without libsystemd.
#pragma once

#include <string_view>

namespace tandem::control {

// "READY=1", "STOPPING=1", lines of it. Nothing happens where nobody wants to know.
void NotifyManager(std::string_view state);

}  // namespace tandem::control
