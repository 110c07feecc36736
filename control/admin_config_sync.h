// SPDX-License-Identifier: Apache-2.0
//
// Admin requests about config-sync.
//
// Thread safety: control thread.
#pragma once

#include <memory>
#include <string_view>

#include "control/admin_exchange.h"
#include "control/operations.h"
#include "proto/admin.pb.h"

namespace tandem::control {

// Waits for the other devices.
std::unique_ptr<AdminExchange> RunConfigSync(Operations& operations,
                                             const admin::v1::RunConfigSync& request);

// The last config-sync, and how other devices' configurations compare; of `result`'s devices.
void FillConfigSync(Operations& operations, admin::v1::DeviceGroupResult& result);

}  // namespace tandem::control
