// SPDX-License-Identifier: Apache-2.0
//
// Names what other devices have configured differently: a while after this device's configuration or
// another's changed, fetches the other's shared part and compares. The log has a line when the outcome
// is another one.
//
// Thread safety: control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/config_difference.h"
#include "control/config_peers.h"
#include "proto/config.pb.h"

namespace tandem::control {

class ConfigCompare {
 public:
  static constexpr Nanos kSettle = kSecond;  // after a change
  // After a fetch, by what it moved: 10 us a byte. How long it waited for a device that was busy says
  // nothing of what the next one costs.
  static constexpr Nanos kRestPerByte = 10'000;
  static constexpr Nanos kRetry = 10 * kSecond;  // after a failure

  struct Outcome {
    Differences differences;
    std::string error;  // why it could not be compared; then there are none

    bool operator==(const Outcome&) const = default;
  };

  // `generation`: of `config`. `is_free`: nothing else is being fetched.
  void Poll(const ConfigPeers& peers, const config::v1::Config& config, uint64_t generation,
            bool is_free, Nanos now);
  // nullptr: nothing is known of that device.
  const Outcome* Find(std::string_view device) const;

 private:
  // What an outcome was found of.
  struct Basis {
    uint64_t incarnation = 0;
    uint32_t version = 0;  // of the other's configuration
    uint64_t generation = 0;
    bool is_equal = false;

    bool operator==(const Basis&) const = default;
  };
  struct Known {
    std::string device;
    std::optional<Basis> wanted;  // seen last
    std::optional<Basis> compared;
    Nanos due_at = 0;
    std::optional<ConfigWait> wait;
    std::optional<Outcome> outcome;
    Outcome logged;
  };

  void Poll(Known& known, const ConfigPeers& peers, const config::v1::Config& config,
            const Basis& basis, Nanos now);

  std::vector<Known> known_;
};

}  // namespace tandem::control
