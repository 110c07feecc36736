// SPDX-License-Identifier: Apache-2.0
//
// The other devices as config-sync sees them, and waiting for one of them.
//
// Thread safety: control thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "dataplane/base/time.h"
#include "dataplane/mirror/config_exchange.h"
#include "dataplane/unit/unit.h"
#include "proto/config.pb.h"

namespace tandem::control {

// Another device, as the mirror knows it now.
struct ConfigPeer {
  std::string device;  // empty: it has not been heard yet
  bool is_up = false;
  bool is_equal = false;                       // what decides forwarding
  mirror::ConfigExchange* exchange = nullptr;  // lasts as long as the unit
};
using ConfigPeers = std::vector<ConfigPeer>;

ConfigPeers ConfigPeersOf(const unit::Unit& unit);
// nullptr: it was not heard yet.
const ConfigPeer* FindPeer(const ConfigPeers& peers, std::string_view device);

// The shared part of a configuration, as other devices fetch it.
std::shared_ptr<const mirror::ConfigText> SharedText(const config::v1::Config& config);

// Something that was asked of a device.
class ConfigWait {
 public:
  // Without a word of the device for so long, or after so long, it is not waited for any more.
  static constexpr Nanos kSilence = 5 * kSecond;
  static constexpr Nanos kLongest = 50 * kSecond;

  // Why nothing can be asked of the device; ok: it can.
  static absl::Status Check(const ConfigPeers& peers, const std::string& device);

  // REQUIRES: Check was ok.
  static ConfigWait ForText(const ConfigPeers& peers, const std::string& device, Nanos now);
  static ConfigWait ForAnswer(const ConfigPeers& peers, const std::string& device, Nanos now);

  const std::string& device() const { return device_; }

  // nullopt: not yet. An error: it does not come, and is not asked for any more.
  std::optional<absl::StatusOr<mirror::ConfigText>> TakeText(const ConfigPeers& peers, Nanos now);
  std::optional<absl::StatusOr<mirror::ConfigSyncAnswer>> TakeAnswer(const ConfigPeers& peers,
                                                                     Nanos now);

 private:
  ConfigWait(std::string device, Nanos now)
      : device_(std::move(device)), began_(now), heard_at_(now) {}
  absl::Status StillThere(const ConfigPeer* peer, Nanos now);

  std::string device_;
  uint32_t number_ = 0;
  uint64_t progress_ = 0;
  Nanos began_;
  Nanos heard_at_;
};

}  // namespace tandem::control
