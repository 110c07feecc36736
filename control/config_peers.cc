// SPDX-License-Identifier: Apache-2.0
#include "control/config_peers.h"

#include <algorithm>
#include <utility>

#include "control/config_report.h"
#include "control/config_shared.h"
#include "control/text.h"
#include "dataplane/base/fnv.h"
#include "dataplane/unit/mirroring.h"

namespace tandem::control {
namespace {

// Never 0.
uint64_t TextId(std::string_view text) {
  return std::max(Fnv1a(text), uint64_t{1});
}

absl::Status Unavailable(const std::string& why) {
  return absl::UnavailableError(why);
}

}  // namespace

ConfigPeers ConfigPeersOf(const unit::Unit& unit) {
  ConfigPeers peers;
  if (unit.mirroring() == nullptr) return peers;
  for (config::PeerIndex peer = 0; peer < unit.mirroring()->peers().size(); ++peer) {
    const auto status = unit.mirror_status(peer);
    peers.push_back({.device = status->peer_device,
                     .is_up = status->peer == mirror::PeerState::kUp,
                     .is_equal = status->config_equal,
                     .exchange = &unit.mirroring()->endpoint(peer).config_exchange()});
  }
  return peers;
}

const ConfigPeer* FindPeer(const ConfigPeers& peers, std::string_view device) {
  const auto found = std::ranges::find(peers, device, &ConfigPeer::device);
  return found == peers.end() || device.empty() ? nullptr : &*found;
}

std::shared_ptr<const mirror::ConfigText> SharedText(const config::v1::Config& config) {
  auto text = std::make_shared<mirror::ConfigText>();
  text->bytes = PrintShared(config);
  text->id = TextId(text->bytes);
  return text;
}

absl::Status ConfigWait::Check(const ConfigPeers& peers, const std::string& device) {
  const ConfigPeer* peer = FindPeer(peers, device);
  if (peer == nullptr || !peer->is_up) return Unavailable("is down");
  if (!peer->exchange->peer().exchanges) {
    return Unavailable("runs an older version, which does not know config-sync");
  }
  return absl::OkStatus();
}

ConfigWait ConfigWait::ForText(const ConfigPeers& peers, const std::string& device, Nanos now) {
  ConfigWait wait(device, now);
  wait.number_ = FindPeer(peers, device)->exchange->Fetch();
  return wait;
}

ConfigWait ConfigWait::ForAnswer(const ConfigPeers& peers, const std::string& device, Nanos now) {
  ConfigWait wait(device, now);
  wait.number_ = FindPeer(peers, device)->exchange->Ask();
  return wait;
}

absl::Status ConfigWait::StillThere(const ConfigPeer* peer, Nanos now) {
  if (peer == nullptr || !peer->is_up) return Unavailable("went down meanwhile");
  if (const uint64_t progress = peer->exchange->progress(); progress != progress_) {
    progress_ = progress;
    heard_at_ = now;
  }
  if (now > heard_at_ + kSilence) return Unavailable("does not answer");
  if (now > began_ + kLongest) return Unavailable("takes too long");
  return absl::OkStatus();
}

std::optional<absl::StatusOr<mirror::ConfigText>> ConfigWait::TakeText(const ConfigPeers& peers,
                                                                       Nanos now) {
  const ConfigPeer* peer = FindPeer(peers, device_);
  if (peer != nullptr) {
    if (auto fetched = peer->exchange->TakeFetched(number_)) {
      if (fetched->is_too_large) {
        return absl::InvalidArgumentError(
            Cat("its configuration is larger than ", mirror::ConfigExchange::kTextMax, " bytes"));
      }
      if (TextId(fetched->text.bytes) != fetched->text.id) {
        return absl::InvalidArgumentError("its configuration came damaged");
      }
      return std::move(fetched->text);
    }
  }
  const absl::Status status = StillThere(peer, now);
  if (status.ok()) return std::nullopt;
  if (peer != nullptr) peer->exchange->Stop();
  return status;
}

std::optional<absl::StatusOr<mirror::ConfigSyncAnswer>> ConfigWait::TakeAnswer(
    const ConfigPeers& peers, Nanos now) {
  const ConfigPeer* peer = FindPeer(peers, device_);
  if (peer != nullptr) {
    if (auto answer = peer->exchange->TakeAnswer(number_)) return *std::move(answer);
  }
  const absl::Status status = StillThere(peer, now);
  if (status.ok()) return std::nullopt;
  if (peer != nullptr) peer->exchange->Stop();
  return status;
}

}  // namespace tandem::control
