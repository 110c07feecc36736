// SPDX-License-Identifier: Apache-2.0
//
// The requests that change the device: each edits a copy of the running configuration, which then
// takes the same way as a loaded one, so nothing half valid ever runs. Changes last until the daemon
// ends, unless saved.
#pragma once

#include "control/operations.h"
#include "proto/admin.pb.h"

namespace tandem::control {

// Each fills `response`, with a result or with an error; on an error nothing has changed.
void ModifyMember(Operations& operations, const admin::v1::ModifyMember& request,
                  admin::v1::Response& response);
void ModifyVirtual(Operations& operations, const admin::v1::ModifyVirtual& request,
                   admin::v1::Response& response);
void ModifyMirror(Operations& operations, const admin::v1::ModifyMirror& request,
                  admin::v1::Response& response);
void LoadConfiguration(Operations& operations, const admin::v1::Load& request,
                       admin::v1::Response& response);
void SaveConfiguration(Operations& operations, admin::v1::Response& response);

}  // namespace tandem::control
