// SPDX-License-Identifier: Apache-2.0
#include "control/config_sync.h"

#include <algorithm>
#include <utility>

#include <absl/time/clock.h>
#include <absl/time/time.h>

#include "control/config_load.h"
#include "control/config_report.h"
#include "control/config_shared.h"
#include "control/log.h"
#include "control/text.h"

namespace tandem::control {
namespace {

using mirror::ConfigSyncState;
using Result = ConfigSync::Result;

std::string NameOf(std::string_view device) {
  return Cat("configuration of ", device);
}

Result ResultOf(const std::string& device, const absl::Status& status) {
  return {device, status.ok(),
          status.ok() ? "configuration taken and saved" : std::string(status.message())};
}

}  // namespace

// ---- commands -------------------------------------------------------------------------------------

absl::Status ConfigSync::MayTake() const {
  if (!operations_.unit().snapshot().mirroring.authenticated) {
    return absl::FailedPreconditionError(
        "mirroring has no authentication; config-sync needs it, for whoever reaches the port "
        "could configure the devices");
  }
  if (command_ || taking_) return absl::FailedPreconditionError("another config-sync is under way");
  return absl::OkStatus();
}

absl::StatusOr<uint32_t> ConfigSync::Begin(Direction direction, std::string_view device_group) {
  const config::v1::Config& config = operations_.running();
  if (!config.has_device_group()) {
    return absl::FailedPreconditionError("there is no device_group");
  }
  if (config.device_group().name() != device_group) {
    return absl::NotFoundError(Cat("there is no device group ", Quote(device_group)));
  }
  if (absl::Status status = MayTake(); !status.ok()) return status;
  const ConfigPeers peers = ConfigPeersOf(operations_.unit());
  const Nanos now = operations_.Now();
  command_ = Command{.ticket = next_ticket_++, .direction = direction, .targets = {}};
  for (const config::v1::GroupDevice& device : config.device_group().device()) {
    if (device.name() == config.device().name()) continue;
    Target& target = command_->targets.emplace_back();
    target.device = device.name();
    if (const absl::Status status = ConfigWait::Check(peers, target.device); !status.ok()) {
      target.result = ResultOf(target.device, status);
    } else if (direction == Direction::kToGroup) {
      target.wait = ConfigWait::ForAnswer(peers, target.device, now);
    } else {
      target.wait = ConfigWait::ForText(peers, target.device, now);
    }
  }
  return command_->ticket;
}

std::optional<std::vector<Result>> ConfigSync::Take(uint32_t ticket) {
  if (ticket != done_ticket_) return std::nullopt;
  done_ticket_ = 0;
  return std::exchange(done_, {});
}

void ConfigSync::Poll(Nanos now) {
  const ConfigPeers peers = ConfigPeersOf(operations_.unit());
  if (peers.empty()) return;
  OfferText(peers, now);
  PollTaking(peers, now);
  if (command_) PollCommand(peers, now);
  compare_.Poll(peers, operations_.running(), operations_.unit().snapshot().generation,
                /*is_free=*/!command_ && !taking_, now);
}

void ConfigSync::Follow() {
  text_ = nullptr;
  for (const ConfigPeer& peer : ConfigPeersOf(operations_.unit()))
    peer.exchange->SetText(nullptr);
}

// Made when it is asked for: most configurations nobody fetches.
void ConfigSync::OfferText(const ConfigPeers& peers, Nanos now) {
  const bool is_wanted =
      std::ranges::any_of(peers, [](const ConfigPeer& peer) { return peer.exchange->is_wanted(); });
  if (is_wanted) {
    if (text_ == nullptr) text_ = SharedText(operations_.running());
    text_made_at_ = now;
  } else if (text_ == nullptr || now < text_made_at_ + kTextKept) {
    return;
  } else {
    text_ = nullptr;
  }
  for (const ConfigPeer& peer : peers)
    peer.exchange->SetText(text_);
}

void ConfigSync::PollTarget(const ConfigPeers& peers, Target& target, Nanos now) {
  if (!target.wait) return;
  absl::Status status;
  if (command_->direction == Direction::kFromGroup) {
    auto text = target.wait->TakeText(peers, now);
    if (!text) return;
    if (text->ok()) target.text = *std::move(*text);
    status = text->status();
  } else {
    const auto answer = target.wait->TakeAnswer(peers, now);
    if (!answer) return;
    status = answer->status();
    if (status.ok() && (*answer)->state != ConfigSyncState::kTaken)
      status = absl::FailedPreconditionError((*answer)->message);
  }
  target.wait.reset();
  if (!target.text) target.result = ResultOf(target.device, status);
}

void ConfigSync::PollCommand(const ConfigPeers& peers, Nanos now) {
  for (Target& target : command_->targets)
    PollTarget(peers, target, now);
  if (std::ranges::any_of(command_->targets,
                          [](const Target& target) { return target.wait.has_value(); })) {
    return;
  }
  Command command = *std::exchange(command_, std::nullopt);
  if (command.direction == Direction::kFromGroup) FinishFrom(command);
  done_.clear();
  for (Target& target : command.targets) {
    if (target.result) done_.push_back(*std::move(target.result));
  }
  done_ticket_ = command.ticket;
  Note(command.direction == Direction::kToGroup ? "to-group" : "from-group", done_);
}

// Of several devices' texts the first is taken, as they are equal.
void ConfigSync::FinishFrom(Command& command) {
  Target* source = nullptr;
  for (Target& target : command.targets) {
    if (!target.text) continue;
    if (source == nullptr) {
      source = &target;
      continue;
    }
    const auto first = ParseConfigText(source->text->bytes, NameOf(source->device));
    const auto other = ParseConfigText(target.text->bytes, NameOf(target.device));
    absl::Status status = first.ok() ? other.status() : first.status();
    if (status.ok()) {
      const Differences differences = DifferencesOf(*first, *other, /*with_vlans=*/false);
      if (differences.count == 0) continue;
      status = absl::FailedPreconditionError(
          Cat("differs from that of ", source->device, ": ", differences.listed.front().object,
              "; run config-sync to-group on the one that is right"));
    }
    source->result = ResultOf(source->device, status);
    target.result = ResultOf(target.device, status);
    return;
  }
  if (source == nullptr) return;
  source->result = ResultOf(source->device, TakeOver(source->device, *source->text));
}

// ---- of another device --------------------------------------------------------------------------------

void ConfigSync::PollTaking(const ConfigPeers& peers, Nanos now) {
  for (const ConfigPeer& peer : peers) {
    const std::optional<uint32_t> number = peer.exchange->TakeQuestion();
    if (!number) continue;
    absl::Status status = MayTake();
    // It has given an earlier question up.
    if (taking_ && taking_->wait.device() == peer.device) status = absl::OkStatus();
    if (status.ok()) status = ConfigWait::Check(peers, peer.device);
    if (status.ok()) {
      taking_ = Taking{*number, ConfigWait::ForText(peers, peer.device, now)};
    } else {
      peer.exchange->Answer(*number, ConfigSyncState::kRefused, std::string(status.message()));
    }
  }
  if (!taking_) return;
  const auto text = taking_->wait.TakeText(peers, now);
  if (!text) return;
  FinishTaking(peers, text->ok() ? TakeOver(taking_->wait.device(), **text) : text->status());
}

void ConfigSync::FinishTaking(const ConfigPeers& peers, const absl::Status& status) {
  const Taking taking = *std::exchange(taking_, std::nullopt);
  const std::string& device = taking.wait.device();
  if (const ConfigPeer* peer = FindPeer(peers, device); peer != nullptr) {
    peer->exchange->Answer(taking.number,
                           status.ok() ? ConfigSyncState::kTaken : ConfigSyncState::kRefused,
                           std::string(status.message()));
  }
  Note(Cat("to-group on ", device), {ResultOf(device, status)});
}

absl::Status ConfigSync::TakeOver(const std::string& device, const mirror::ConfigText& text) {
  const absl::StatusOr<Document> next =
      TakeShared(operations_.running(), text.bytes, NameOf(device));
  if (!next.ok()) return next.status();
  if (next->config().SerializeAsString() != operations_.running().SerializeAsString()) {
    if (absl::Status status = operations_.Apply(next->config(), /*check_only=*/false);
        !status.ok()) {
      return status;
    }
  }
  const absl::Status saved = operations_.Save();
  if (saved.ok()) return saved;
  return absl::Status(saved.code(), Cat("applied, but not saved: ", std::string(saved.message())));
}

void ConfigSync::Note(std::string what, std::vector<Result> results) {
  for (const Result& result : results) {
    const std::string line = Cat("config-sync ", what, ": ", result.device, ": ", result.message);
    if (result.is_done) {
      LogNotice(line);
    } else {
      LogWarning(line);
    }
  }
  last_ = Last{absl::ToUnixMillis(absl::Now()), std::move(what), std::move(results)};
}

}  // namespace tandem::control
