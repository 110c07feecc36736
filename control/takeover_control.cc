// SPDX-License-Identifier: Apache-2.0
#include "control/takeover_control.h"

#include <utility>

#include <absl/time/clock.h>
#include <absl/time/time.h>

#include "control/config_takeover.h"
#include "control/facts_file.h"
#include "control/log.h"
#include "control/text.h"

namespace tandem::control {
namespace {

using Kind = ha::Action::Kind;

}  // namespace

std::string ToText(ha::Epoch epoch) {
  if (epoch.is_none()) return "-";
  return Cat(epoch.ballot(), ".", epoch.device(), epoch.is_planned() ? " planned" : "");
}

TakeoverControl::TakeoverControl(unit::Takeover& takeover, ha::Facts facts,
                                 const config::v1::Config& config, const ConfigIds& ids)
    : takeover_(takeover), facts_(std::move(facts)) {
  path_ = config.device_group().state_file();
  Configure(config, ids);
}

void TakeoverControl::Configure(const config::v1::Config& config, const ConfigIds& ids) {
  device_ = config.device().name();
  const config::v1::DeviceGroup& group = config.device_group();
  hook_.Configure(group.hook(), Nanos{group.hook_timeout()} * kSecond);
  // Names of groups that were removed are still wanted for their last transition.
  for (const config::v1::TrafficGroup& one : config.traffic_group()) {
    groups_[static_cast<config::TrafficGroupId>(ids.traffic_groups.Find(one.name()))] = one.name();
  }
}

void TakeoverControl::Follow(const config::v1::Config& config, const ConfigIds& ids) {
  Configure(config, ids);
  takeover_.Post(ha::Reconfigured{TakeoverSettings(config, ids)});
}

uint32_t TakeoverControl::Begin(ha::Command command) {
  command.ticket = next_ticket_++;
  answers_[command.ticket];
  takeover_.Post(command);
  return command.ticket;
}

std::optional<TakeoverControl::Answer> TakeoverControl::Take(uint32_t ticket) {
  const auto found = answers_.find(ticket);
  if (found == answers_.end() || !found->second) return std::nullopt;
  std::optional<Answer> answer = std::move(found->second);
  answers_.erase(found);
  return answer;
}

void TakeoverControl::Forget(uint32_t ticket) {
  answers_.erase(ticket);
}

void TakeoverControl::OnTransition(const ha::Action& action) {
  ha::Transition transition;
  transition.unix_ms = absl::ToUnixMillis(absl::Now());
  const auto name = groups_.find(action.group);
  if (name != groups_.end()) transition.group = name->second;
  transition.from = action.from;
  transition.to = action.to;
  transition.epoch = action.epoch;
  transition.reason = action.reason;
  LogNotice(Cat("failover: traffic group '", transition.group, "': ", NameOf(action.from), " -> ",
                NameOf(action.to), ", epoch ", ToText(action.epoch), ": ", action.reason));
  const auto role = [](ha::State state) { return ha::Acts(state) ? "active" : "standby"; };
  hook_.Add({Cat("TANDEM_DEVICE=", device_), Cat("TANDEM_GROUP=", transition.group),
             Cat("TANDEM_FROM=", NameOf(action.from)), Cat("TANDEM_TO=", NameOf(action.to)),
             Cat("TANDEM_OLD_ROLE=", role(action.from)), Cat("TANDEM_ROLE=", role(action.to)),
             Cat("TANDEM_EPOCH=", ToText(action.epoch)), Cat("TANDEM_REASON=", action.reason)});
  facts_.Note(std::move(transition));
  has_to_store_ = true;
}

void TakeoverControl::Poll(Nanos now) {
  for (const ha::Action& action : takeover_.Take()) {
    switch (action.kind) {
      case Kind::kTransition:
        OnTransition(action);
        break;
      case Kind::kPersist:
        facts_.ballot = action.ballot;
        facts_.forced_offline = action.forced_offline;
        asked_ = {action.ballot, action.forced_offline};
        has_to_store_ = true;
        store_at_ = 0;
        break;
      case Kind::kAnswer:
        if (const auto waits = answers_.find(action.ticket); waits != answers_.end())
          waits->second = {action.is_done, action.reason};
        break;
      case Kind::kStopped:
        stopped_ = true;
        break;
      case Kind::kSetRole:
      case Kind::kDropBacklog:
      case Kind::kAnnounce:
      case Kind::kMirrorTo:
      case Kind::kFollow:
      case Kind::kFreeze:
      case Kind::kUnfreeze:
      case Kind::kForwardStrays:
      case Kind::kAskLease:
      case Kind::kReleaseLease:
        break;
    }
  }
  if (has_to_store_ && now >= store_at_) Store(now);
  for (const std::string& line : hook_.Poll(now))
    LogWarning(Cat("failover: ", line));
  LogWitness();
}

void TakeoverControl::LogWitness() {
  const auto witness = takeover_.status()->witness;
  // Before it had time to answer it is not silent.
  if (!witness || (!is_witness_logged_ && !witness->is_answered && !witness->is_silent)) return;
  if (!std::exchange(is_witness_logged_, true) || witness->is_answered != witness_answered_) {
    if (witness->is_answered) {
      LogNotice("failover: the witness answers");
    } else {
      LogWarning("failover: the witness does not answer");
    }
  }
  witness_answered_ = witness->is_answered;
  if (witness->is_lease_too_long && !lease_was_too_long_) {
    LogWarning(Cat("failover: the witness grants no lease, for its own are shorter: ",
                   witness->witness_lease / kMillisecond, " ms"));
  }
  lease_was_too_long_ = witness->is_lease_too_long;
}

void TakeoverControl::Store(Nanos now) {
  if (const absl::Status status = StoreFacts(facts_, path_); !status.ok()) {
    LogError(
        Cat("failover: what must not be forgotten is not on disk; this device takes no new epoch: ",
            std::string(status.message())));
    store_at_ = now + kRetryStore;
    return;
  }
  has_to_store_ = false;
  if (const auto asked = std::exchange(asked_, std::nullopt)) takeover_.Post(*asked);
}

}  // namespace tandem::control
