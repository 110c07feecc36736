// SPDX-License-Identifier: Apache-2.0
#include "control/config_shared.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include <google/protobuf/descriptor.h>

#include "control/config_compile.h"
#include "control/config_edit.h"
#include "control/config_load.h"
#include "control/text.h"

namespace tandem::control {
namespace {

namespace v1 = config::v1;
using google::protobuf::FieldDescriptor;

struct Share {
  std::string_view field;
  FieldShare share;
};
constexpr std::array<Share, 14> kShares = {{
    {"device", FieldShare::kOwn},
    {"limits", FieldShare::kShared},
    {"port", FieldShare::kOwn},
    {"vlan", FieldShare::kNames},
    {"self_ip", FieldShare::kMixed},
    {"route", FieldShare::kShared},
    {"traffic_group", FieldShare::kMixed},
    {"snat_pool", FieldShare::kShared},
    {"pool", FieldShare::kShared},
    {"profile_fastl4", FieldShare::kShared},
    {"virtual", FieldShare::kShared},
    {"profile_persistence", FieldShare::kShared},
    {"mirroring", FieldShare::kOwn},
    {"device_group", FieldShare::kMixed},
}};

// What is not listed stays where it is.
FieldShare ShareOf(std::string_view field) {
  return ListedShare(field).value_or(FieldShare::kOwn);
}

void KeepFloating(v1::Config& config) {
  auto& self_ips = *config.mutable_self_ip();
  const auto own = std::remove_if(self_ips.begin(), self_ips.end(), [](const v1::SelfIp& one) {
    return one.traffic_group().empty();
  });
  self_ips.erase(own, self_ips.end());
}

void KeepFixed(v1::Config& config) {
  auto& self_ips = *config.mutable_self_ip();
  const auto shared = std::remove_if(self_ips.begin(), self_ips.end(), [](const v1::SelfIp& one) {
    return !one.traffic_group().empty();
  });
  self_ips.erase(shared, self_ips.end());
}

void ClearOwn(v1::DeviceGroup& group) {
  group.clear_state_file();
  group.clear_hook();
  group.clear_hook_timeout();
}

void MergeTrafficGroups(const v1::Config& own, v1::Config& merged) {
  std::map<std::string_view, const v1::TrafficGroup*> known;
  for (const v1::TrafficGroup& group : own.traffic_group())
    known.emplace(group.name(), &group);
  for (v1::TrafficGroup& group : *merged.mutable_traffic_group()) {
    group.clear_role();
    const auto before = known.find(group.name());
    if (before == known.end()) continue;
    if (before->second->has_role()) group.set_role(before->second->role());
    if (before->second->has_ha_group()) *group.mutable_ha_group() = before->second->ha_group();
  }
}

void MergeDeviceGroup(const v1::Config& own, v1::Config& merged) {
  if (!merged.has_device_group()) return;
  v1::DeviceGroup& group = *merged.mutable_device_group();
  ClearOwn(group);
  const v1::DeviceGroup& before = own.device_group();
  if (before.has_state_file()) group.set_state_file(before.state_file());
  if (before.has_hook()) group.set_hook(before.hook());
  if (before.has_hook_timeout()) group.set_hook_timeout(before.hook_timeout());
}

}  // namespace

std::optional<FieldShare> ListedShare(std::string_view field) {
  const auto found = std::ranges::find(kShares, field, &Share::field);
  if (found == kShares.end()) return std::nullopt;
  return found->share;
}

v1::Config SharedPart(const v1::Config& config) {
  v1::Config shared = config;
  const auto* type = shared.GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (ShareOf(field->name()) == FieldShare::kOwn)
      shared.GetReflection()->ClearField(&shared, field);
  }
  for (v1::Vlan& vlan : *shared.mutable_vlan()) {
    v1::Vlan named;
    named.set_name(vlan.name());
    vlan.Swap(&named);
  }
  KeepFloating(shared);
  for (v1::TrafficGroup& group : *shared.mutable_traffic_group())
    group.clear_role();
  if (shared.has_device_group()) ClearOwn(*shared.mutable_device_group());
  return shared;
}

std::string PrintShared(const v1::Config& config) {
  return PrintConfig(SharedPart(config), "What devices of a group share.");
}

v1::Config MergeShared(const v1::Config& own, const v1::Config& other) {
  v1::Config merged = own;
  const auto* type = merged.GetDescriptor();
  const auto* reflection = merged.GetReflection();
  v1::Config shared = other;
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    const FieldShare share = ShareOf(field->name());
    if (share == FieldShare::kOwn || share == FieldShare::kNames) {
      reflection->ClearField(&shared, field);
    } else if (field->name() != "self_ip") {
      reflection->ClearField(&merged, field);
    }
  }
  KeepFixed(merged);
  KeepFloating(shared);
  merged.MergeFrom(shared);
  MergeTrafficGroups(own, merged);
  MergeDeviceGroup(own, merged);
  return merged;
}

absl::StatusOr<Document> TakeShared(const v1::Config& running, std::string_view text,
                                    const std::string& name) {
  const absl::StatusOr<v1::Config> other = ParseConfigText(text, name);
  if (!other.ok()) return other.status();
  absl::StatusOr<Document> merged = LoadConfig(MergeShared(running, *other), name);
  if (!merged.ok()) return merged;
  if (const absl::Status status = CheckReloadable(running, *merged); !status.ok()) return status;
  return merged;
}

}  // namespace tandem::control
