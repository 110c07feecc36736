// SPDX-License-Identifier: Apache-2.0
//
// Validate: what makes this device unfit for its traffic groups.
#include "control/config_check_context.h"
#include "control/text.h"

namespace tandem::control {
namespace {

namespace v1 = config::v1;

void CheckWorkerStall(CheckContext& context) {
  const v1::DeviceGroup& group = context.config.device_group();
  if (group.worker_stall_ms() == 0) return;
  context.InRange(context.document.Object("device_group"), "worker_stall_ms",
                  group.worker_stall_ms(), 100, 60'000);
}

}  // namespace

void CheckHealth(CheckContext& context) {
  if (context.config.has_device_group()) CheckWorkerStall(context);
}

}  // namespace tandem::control
