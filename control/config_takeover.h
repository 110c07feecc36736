// SPDX-License-Identifier: Apache-2.0
//
// Compile, what the takeover machine is told: the device group and the traffic groups as ha::Settings.
//
// Thread safety: control thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/config_ids.h"
#include "dataplane/base/ip_address.h"
#include "dataplane/ha/settings.h"
#include "proto/config.pb.h"

namespace tandem::control {

// REQUIRES: `config` has a device group and passed Validate; `ids` are those that it was compiled with.
ha::Settings TakeoverSettings(const config::v1::Config& config, const ConfigIds& ids);

// This device in its device group. nullptr: there is no group, or it is not of it.
const config::v1::GroupDevice* SelfOf(const config::v1::Config& config);

// The other devices of the group, by unit id: config::PeerIndex counts them so.
std::vector<const config::v1::GroupDevice*> PeersOf(const config::v1::Config& config);

// Where heartbeats go beside the mirroring port; unset: nowhere.
struct ManagementAddresses {
  IpAddress own;
  std::vector<IpAddress> peers;  // as PeersOf has them
};
ManagementAddresses ManagementAddressesOf(const config::v1::Config& config);

// Of the paths that heartbeats go over, by their numbers: the mirroring port, the management network if
// it is one, traffic VLANs.
std::vector<std::string> PathNamesOf(const config::v1::Config& config);

// The port of the witness there; unset: there is none.
struct WitnessAddress {
  IpAddress address;
  uint16_t port = 0;
};
WitnessAddress WitnessAddressOf(const config::v1::Config& config);

// The device's name, for people; "device 3" when there is none of that number.
std::string DeviceNameOf(const config::v1::Config& config, ha::DeviceId device);
// 0: there is none of that name.
ha::DeviceId DeviceIdOf(const config::v1::Config& config, std::string_view name);

}  // namespace tandem::control
