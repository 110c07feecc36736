// SPDX-License-Identifier: Apache-2.0
//
// Answers to the show requests that need no worker's help: what is configured, and counters.
#pragma once

#include "control/mirror_report.h"
#include "control/operations.h"
#include "control/statistics.h"
#include "proto/admin.pb.h"

namespace tandem::control {

// What the answers are made of; all outlive it.
struct AdminView {
  Operations& operations;
  const Statistics& statistics;
  const MirrorReport& mirror;

  const config::Snapshot& snapshot() const { return operations.unit().snapshot(); }
};

// Each fills `response`, with a result or with an error.
void ShowVersion(const AdminView& view, admin::v1::Response& response);
void ShowVirtuals(const AdminView& view, const admin::v1::ShowVirtual& request,
                  admin::v1::Response& response);
void ShowPools(const AdminView& view, const admin::v1::ShowPool& request,
               admin::v1::Response& response);
void ShowArp(const AdminView& view, admin::v1::Response& response);
void ShowPorts(const AdminView& view, const admin::v1::ShowPort& request,
               admin::v1::Response& response);
void ShowWorkers(const AdminView& view, admin::v1::Response& response);
void ShowDrops(const AdminView& view, const admin::v1::ShowDrops& request,
               admin::v1::Response& response);
void ShowRoutes(const AdminView& view, admin::v1::Response& response);
void ShowMirror(const AdminView& view, admin::v1::Response& response);
void ShowTrafficGroups(const AdminView& view, admin::v1::Response& response);
void ShowConfig(const AdminView& view, admin::v1::Response& response);

// Turns `response` into an error.
void Fail(admin::v1::Response& response, admin::v1::Response::Code code, std::string message);

}  // namespace tandem::control
