// SPDX-License-Identifier: Apache-2.0
//
// Admin requests about takeover: what is shown of the device group and the transitions, and commands.
//
// Thread safety: control thread.
#pragma once

#include <memory>

#include "control/admin_exchange.h"
#include "control/admin_show.h"
#include "control/operations.h"
#include "proto/admin.pb.h"

namespace tandem::control {

void ShowDeviceGroup(const AdminView& view, admin::v1::Response& response);
void ShowFailover(const AdminView& view, admin::v1::Response& response);
// What takeover knows of a traffic group; nothing without a device group.
void FillTakeover(const AdminView& view, config::TrafficGroupId group,
                  admin::v1::TrafficGroupResult::TrafficGroup& out);

// Waits for the machine's answer.
std::unique_ptr<AdminExchange> RunFailover(Operations& operations,
                                           const admin::v1::RunFailover& request);

}  // namespace tandem::control
