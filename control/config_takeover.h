// SPDX-License-Identifier: Apache-2.0
//
// Compile, what the takeover machine is told: the device group and the traffic groups as ha::Settings.
//
// Thread safety: control thread.
#pragma once

#include <string>
#include <string_view>

#include "control/config_ids.h"
#include "dataplane/base/ip_address.h"
#include "dataplane/ha/settings.h"
#include "proto/config.pb.h"

namespace tandem::control {

// REQUIRES: `config` has a device group and passed Validate; `ids` are those that it was compiled with.
ha::Settings TakeoverSettings(const config::v1::Config& config, const ConfigIds& ids);

// Where heartbeats go beside the mirroring port; both unset: nowhere.
struct ManagementAddresses {
  IpAddress own;
  IpAddress peer;
};
ManagementAddresses ManagementAddressesOf(const config::v1::Config& config);

// The device's name, for people; "device 3" when there is none of that number.
std::string DeviceNameOf(const config::v1::Config& config, ha::DeviceId device);
// 0: there is none of that name.
ha::DeviceId DeviceIdOf(const config::v1::Config& config, std::string_view name);

}  // namespace tandem::control
