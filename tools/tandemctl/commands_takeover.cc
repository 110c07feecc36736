// SPDX-License-Identifier: Apache-2.0
#include "tools/tandemctl/commands_takeover.h"

#include "control/text.h"

namespace tandem::tandemctl {
namespace {

namespace v1 = admin::v1;
using control::Cat;
using Names = Completion::Names;

const std::vector<std::string_view> kKinds = {"standby", "offline", "online"};
const std::vector<std::string_view> kStandbyWords = {"device", "at-once"};
const std::vector<std::string_view> kDirections = {"to-group", "from-group"};

absl::Status ParseStandby(Words& words, v1::RunFailover& request) {
  auto group = words.Need("the name of the traffic group");
  if (!group.ok()) return group.status();
  request.set_traffic_group(*std::move(group));
  while (!words.empty()) {
    if (words.TakeIf("device")) {
      auto device = words.Need("the name of the device");
      if (!device.ok()) return device.status();
      request.set_device(*std::move(device));
    } else if (words.TakeIf("at-once")) {
      request.set_at_once(true);
    } else {
      return Unknown("word", std::string(words.Peek()), kStandbyWords);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ParseShowDeviceGroup(Words&, Invocation& invocation) {
  invocation.request.mutable_show_device_group();
  return absl::OkStatus();
}

absl::Status ParseShowFailover(Words&, Invocation& invocation) {
  invocation.request.mutable_show_failover();
  return absl::OkStatus();
}

absl::Status ParseRunFailover(Words& words, Invocation& invocation) {
  auto kind = words.Need("standby, offline or online");
  if (!kind.ok()) return kind.status();
  v1::RunFailover& request = *invocation.request.mutable_run_failover();
  if (*kind == "standby") return ParseStandby(words, request);
  if (*kind == "offline") {
    request.set_kind(v1::RunFailover::OFFLINE);
  } else if (*kind == "online") {
    request.set_kind(v1::RunFailover::ONLINE);
  } else {
    return Unknown("word", *kind, kKinds);
  }
  return absl::OkStatus();
}

Completion CompleteRunFailover(const std::vector<std::string>& before) {
  if (before.empty()) return {.words = kKinds};
  if (before[0] != "standby") return {};
  if (before.size() == 1) return {.names = Names::kTrafficGroups};
  if (before.back() == "device") return {.names = Names::kDevices};
  return {.words = kStandbyWords};
}

absl::Status ParseRunConfigSync(Words& words, Invocation& invocation) {
  auto direction = words.Need("to-group or from-group");
  if (!direction.ok()) return direction.status();
  if (*direction != "to-group" && *direction != "from-group") {
    return Unknown("word", *direction, kDirections);
  }
  auto group = words.Need("the name of the device group");
  if (!group.ok()) return group.status();
  v1::RunConfigSync& request = *invocation.request.mutable_run_config_sync();
  request.set_direction(*direction == "to-group" ? v1::RunConfigSync::TO_GROUP
                                                 : v1::RunConfigSync::FROM_GROUP);
  request.set_device_group(*std::move(group));
  return absl::OkStatus();
}

Completion CompleteRunConfigSync(const std::vector<std::string>& before) {
  if (before.empty()) return {.words = kDirections};
  if (before.size() == 1) return {.names = Names::kDeviceGroups};
  return {};
}

}  // namespace tandem::tandemctl
