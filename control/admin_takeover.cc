// SPDX-License-Identifier: Apache-2.0
#include "control/admin_takeover.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/admin_config_sync.h"
#include "control/admin_known.h"
#include "control/config_takeover.h"
#include "control/fault_log.h"
#include "control/mirror_status.h"
#include "control/takeover_control.h"
#include "control/text.h"
#include "dataplane/config/dictionary.h"

namespace tandem::control {
namespace {

namespace v1 = admin::v1;
using Shown = unit::TakeoverStatus;

constexpr Nanos kMicrosecond = kMillisecond / 1000;

std::string GroupNameOf(const config::Snapshot& snapshot, uint64_t name_hash) {
  for (const config::TrafficGroup& group : snapshot.traffic_groups) {
    if (group.id != 0 &&
        config::NameHash(config::ObjectKind::kTrafficGroup, group.name) == name_hash) {
      return group.name;
    }
  }
  return "";
}

void FillSelf(const AdminView& view, const Shown& status, v1::DeviceGroupResult::Device& out) {
  out.set_is_self(true);
  out.set_state("up");
  for (const Shown::Group& group : status.groups) {
    if (group.id >= view.snapshot().traffic_groups.size()) continue;
    v1::DeviceGroupResult::Group& shown = *out.add_group();
    shown.set_traffic_group(view.snapshot().traffic_groups[group.id].name);
    shown.set_state(ha::NameOf(group.state));
  }
}

void FillPeer(const AdminView& view, const Shown::Peer& peer, const std::vector<std::string>& paths,
              v1::DeviceGroupResult::Device& out) {
  const Nanos now = view.operations.Now();
  out.set_state(peer.is_alive ? "up" : peer.said_goodbye ? "stopped" : "down");
  out.set_heard(peer.heard_at != 0);
  if (peer.heard_at != 0 && now > peer.heard_at) {
    out.set_last_heard_ms((now - peer.heard_at) / kMillisecond);
  }
  out.set_detection_us(peer.detection / kMicrosecond);
  out.set_round_trip_us(peer.round_trip / kMicrosecond);
  for (size_t path = 0; path < paths.size(); ++path) {
    v1::DeviceGroupResult::Path& shown = *out.add_path();
    shown.set_name(paths[path]);
    shown.set_heard((peer.paths >> path & 1) != 0);
    shown.set_hears_us(peer.is_alive && (peer.heard_on >> path & 1) != 0);
  }
  for (const auto& [name_hash, state] : peer.groups) {
    v1::DeviceGroupResult::Group& shown = *out.add_group();
    shown.set_traffic_group(GroupNameOf(view.snapshot(), name_hash));
    shown.set_state(ha::NameOf(state));
  }
}

void FillFault(const AdminView& view, const ha::Fault& fault, v1::FailoverResult::Fault& out) {
  const auto& groups = view.snapshot().traffic_groups;
  out.set_what(ha::TextOf(fault.kind));
  out.set_object(SubjectOf(fault, view.snapshot()));
  if (fault.group != 0 && fault.group < groups.size())
    out.set_traffic_group(groups[fault.group].name);
  out.set_is_over(fault.is_over);
  out.set_seconds(fault.lasts / kSecond);
}

void FillWitness(const AdminView& view, const Shown& status, v1::FailoverResult& out) {
  if (!status.witness) return;
  const witness::LinkStatus& from = *status.witness;
  const Nanos now = view.operations.Now();
  const config::v1::Witness& configured = view.operations.running().device_group().witness();
  v1::FailoverResult::Witness& to = *out.mutable_witness();
  to.set_address(configured.address());
  to.set_port(configured.port());
  to.set_answers(from.is_answered);
  to.set_answered(from.answered_at != 0);
  if (from.answered_at != 0 && now > from.answered_at)
    to.set_last_answer_ms((now - from.answered_at) / kMillisecond);
  to.set_lease_ms(configured.lease_ms());
  to.set_witness_lease_ms(static_cast<uint32_t>(from.witness_lease / kMillisecond));
  to.set_lease_too_long(from.is_lease_too_long);
  to.set_questions(from.questions);
  to.set_answers_received(from.answers);
  to.set_refused(from.refused);
  for (const Shown::Group& group : status.groups) {
    if (group.id >= view.snapshot().traffic_groups.size()) continue;
    v1::FailoverResult::Lease& lease = *out.add_lease();
    lease.set_traffic_group(view.snapshot().traffic_groups[group.id].name);
    lease.set_held(group.lease_until > now);
    if (group.lease_until > now) lease.set_remaining_ms((group.lease_until - now) / kMillisecond);
  }
}

void FillScore(const AdminView& view, const Shown::Group& group,
               v1::TrafficGroupResult::TrafficGroup& out) {
  out.set_has_score(group.has_score);
  if (!group.has_score) return;
  out.set_score(group.score);
  for (const ha::ScorePart& part : view.operations.unit().watchdog()->status().score_parts) {
    if (part.group != group.id) continue;
    v1::TrafficGroupResult::ScorePart& to = *out.add_score_part();
    to.set_name(part.name);
    to.set_weight(part.weight);
    to.set_up(part.up);
    to.set_total(part.total);
    to.set_minimum(part.needed);
  }
}

// An answer that the machine gives.
class FailoverExchange final : public AdminExchange {
 public:
  FailoverExchange(TakeoverControl& takeover, uint32_t ticket)
      : takeover_(takeover), ticket_(ticket) {}
  ~FailoverExchange() override { takeover_.Forget(ticket_); }

  Step Next(v1::Response& response) override {
    std::optional<TakeoverControl::Answer> answer = takeover_.Take(ticket_);
    if (!answer) return Step::kWait;
    if (answer->is_done) {
      response.mutable_failover_done()->set_what(answer->reason);
    } else {
      Fail(response, v1::Response::FAILED, answer->reason);
    }
    return Step::kResponse;
  }

 private:
  TakeoverControl& takeover_;
  const uint32_t ticket_;
};

absl::Status ToStandby(Operations& operations, const v1::RunFailover& request,
                       ha::Command& command) {
  command.kind =
      request.at_once() ? ha::Command::Kind::kStandbyAtOnce : ha::Command::Kind::kStandby;
  const auto& groups = operations.unit().snapshot().traffic_groups;
  const auto group = std::ranges::find_if(groups, [&](const config::TrafficGroup& one) {
    return one.id != 0 && one.name == request.traffic_group();
  });
  if (group == groups.end()) {
    return absl::NotFoundError(Cat("there is no traffic group \"", request.traffic_group(), "\""));
  }
  command.group = group->id;
  if (request.device().empty()) return absl::OkStatus();
  command.target = DeviceIdOf(operations.running(), request.device());
  if (command.target != 0) return absl::OkStatus();
  return absl::NotFoundError(
      Cat("there is no device \"", request.device(), "\" in the device group"));
}

}  // namespace

void ShowDeviceGroup(const AdminView& view, v1::Response& response) {
  v1::DeviceGroupResult& result = *response.mutable_device_group();
  const config::v1::Config& config = view.operations.running();
  const TakeoverControl* takeover = view.operations.takeover();
  if (takeover == nullptr) return;
  const auto status = takeover->takeover().status();
  const std::vector<std::string> paths = PathNamesOf(config);
  result.set_configured(true);
  result.set_name(config.device_group().name());
  result.set_heartbeat_interval_us(config.device_group().heartbeat_interval_us());
  result.set_heartbeat_multiplier(config.device_group().heartbeat_multiplier());
  result.set_config_equal(MirrorStatus(view.operations.unit()).are_configs_equal());
  for (const config::v1::GroupDevice& device : config.device_group().device()) {
    v1::DeviceGroupResult::Device& out = *result.add_device();
    out.set_name(device.name());
    out.set_unit_id(device.unit_id());
    if (device.unit_id() == status->self) {
      FillSelf(view, *status, out);
      continue;
    }
    const auto peer = std::ranges::find(status->peers, device.unit_id(), &Shown::Peer::device);
    if (peer != status->peers.end()) FillPeer(view, *peer, paths, out);
  }
  FillConfigSync(view.operations, result);
}

void ShowFailover(const AdminView& view, v1::Response& response) {
  v1::FailoverResult& result = *response.mutable_failover();
  const TakeoverControl* takeover = view.operations.takeover();
  result.set_device(view.operations.running().device().name());
  if (takeover == nullptr) return;
  const auto status = takeover->takeover().status();
  result.set_configured(true);
  result.set_forced_offline(status->forced_offline);
  result.set_stalls(status->stalls);
  result.set_bad_heartbeats(takeover->takeover().bad_heartbeats().Get());
  for (const ha::Fault& fault : view.operations.unit().watchdog()->status().faults)
    FillFault(view, fault, *result.add_fault());
  FillWitness(view, *status, result);
  for (const ha::Transition& from : takeover->facts().history) {
    v1::FailoverResult::Transition& to = *result.add_transition();
    to.set_unix_ms(from.unix_ms);
    to.set_traffic_group(from.group);
    to.set_from(ha::NameOf(from.from));
    to.set_to(ha::NameOf(from.to));
    to.set_epoch(ToText(from.epoch));
    to.set_reason(from.reason);
  }
}

void FillTakeover(const AdminView& view, config::TrafficGroupId id,
                  v1::TrafficGroupResult::TrafficGroup& out) {
  const TakeoverControl* takeover = view.operations.takeover();
  if (takeover == nullptr) return;
  const auto status = takeover->takeover().status();
  const auto group = std::ranges::find(status->groups, id, &Shown::Group::id);
  if (group == status->groups.end()) return;
  const config::v1::Config& config = view.operations.running();
  const Nanos now = view.operations.Now();
  out.set_state(ha::NameOf(group->state));
  out.set_state_reason(group->reason);
  if (now > group->since) out.set_state_seconds((now - group->since) / kSecond);
  out.set_epoch(ToText(group->epoch));
  if (group->active != 0) out.set_active_device(DeviceNameOf(config, group->active));
  if (group->next_active != 0) out.set_next_active(DeviceNameOf(config, group->next_active));
  if (group->fault != nullptr) out.set_fault(group->fault);
  FillScore(view, *group, out);
}

std::unique_ptr<AdminExchange> RunFailover(Operations& operations, const v1::RunFailover& request) {
  TakeoverControl* const takeover = operations.takeover();
  if (takeover == nullptr) {
    return Refuse(v1::Response::REFUSED,
                  "there is no device_group: roles are as configured (traffic_group.role)");
  }
  ha::Command command;
  if (request.kind() == v1::RunFailover::OFFLINE) {
    command.kind = ha::Command::Kind::kForcedOffline;
  } else if (request.kind() == v1::RunFailover::ONLINE) {
    command.kind = ha::Command::Kind::kOnline;
  } else if (request.kind() == v1::RunFailover::STANDBY) {
    const absl::Status status = ToStandby(operations, request, command);
    if (!status.ok()) return Refuse(status);
  } else {
    return Refuse(v1::Response::INVALID, "a failover command is standby, offline or online");
  }
  return std::make_unique<FailoverExchange>(*takeover, takeover->Begin(command));
}

}  // namespace tandem::control
