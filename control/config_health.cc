// SPDX-License-Identifier: Apache-2.0
#include "control/config_health.h"

namespace tandem::control {

ha::HealthSettings HealthSettingsOf(const config::v1::Config& config) {
  ha::HealthSettings to;
  to.worker_stall = config.device_group().worker_stall_ms() * kMillisecond;
  return to;
}

}  // namespace tandem::control
