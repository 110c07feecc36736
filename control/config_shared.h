// SPDX-License-Identifier: Apache-2.0
//
// The part of a configuration that devices of a group share, and the part that is each one's own.
//
// Shared, field by field of Config: limits, route, traffic_group (but `role` and `ha_group`), snat_pool,
// pool, profile_fastl4, profile_persistence, virtual, device_group (but `state_file`, `hook` and
// `hook_timeout`), and the self_ips that float. A device's own: device, port, vlan, self_ips that do
// not float, mirroring with its key. What is the device's own never leaves it; of VLANs the names do,
// because virtuals name them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "control/config_document.h"
#include "proto/config.pb.h"

namespace tandem::control {

// Fields of Config, by name: what is done with them.
enum class FieldShare {
  kOwn,
  kShared,
  kNames,  // own; others see the names
  kMixed,  // in part
};
// nullopt: a field that nobody has decided on; then it is a device's own. A test finds it.
std::optional<FieldShare> ListedShare(std::string_view field);

// What other devices may see of it.
config::v1::Config SharedPart(const config::v1::Config& config);
// The same as text. What ParseConfigText makes of such text of another device has whatever else stood in
// it.
std::string PrintShared(const config::v1::Config& config);

// `own` with the shared part of `other`. A traffic group keeps this device's ha_group where it has one.
config::v1::Config MergeShared(const config::v1::Config& own, const config::v1::Config& other);

// What `running` becomes with the shared part of `text`, as a whole: validated, and possible without a
// restart. Errors begin with `name`.
absl::StatusOr<Document> TakeShared(const config::v1::Config& running, std::string_view text,
                                    const std::string& name);

}  // namespace tandem::control
