// SPDX-License-Identifier: Apache-2.0
//
// Config-sync: devices of a group take over from each other what they share of their configurations, by
// command (BIG-IP: `run cm config-sync`), and show each other what differs (config_compare.h).
//
//   to-group    each other device of the group is asked to take this one's. It fetches the text, makes a
//               whole configuration of it and of what is its own, checks that, applies it and saves it,
//               or refuses and stays as it is. Its answer comes back.
//   from-group  this device fetches another one's and does the same here. When there are several, theirs
//               have to be equal.
//
// One command at a time, whichever device it was given on: two that push into each other would exchange
// what they have. Nothing is taken over a link without authentication.
//
// Thread safety: control thread. mirror/config_exchange.h is what lies between it and the mirror lcore.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "control/config_compare.h"
#include "control/config_peers.h"
#include "control/operations.h"

namespace tandem::control {

class ConfigSync {
 public:
  enum class Direction { kToGroup, kFromGroup };

  struct Result {
    std::string device;
    bool is_done = false;
    std::string message;
  };
  // What was done last, by a command here or on another device.
  struct Last {
    int64_t unix_ms = 0;
    std::string what;  // "to-group", "from-group"; "to-group on b": taken here
    std::vector<Result> results;
  };

  // `operations` outlives this.
  explicit ConfigSync(Operations& operations) : operations_(operations) {}

  // To be called every few milliseconds.
  void Poll(Nanos now);
  // Another configuration runs.
  void Follow();

  // Begins a command; an error says why not. The results come some time after.
  absl::StatusOr<uint32_t> Begin(Direction direction, std::string_view device_group);
  // nullopt: not yet. Results, one for each other device of the group, are given once.
  std::optional<std::vector<Result>> Take(uint32_t ticket);

  const std::optional<Last>& last() const { return last_; }
  const ConfigCompare& compare() const { return compare_; }

 private:
  // The text is kept so long after it was made, for devices that have fetched half of it.
  static constexpr Nanos kTextKept = 60 * kSecond;

  struct Target {
    std::string device;
    std::optional<ConfigWait> wait;
    std::optional<mirror::ConfigText> text;  // kFromGroup: fetched
    std::optional<Result> result;
  };
  struct Command {
    uint32_t ticket = 0;
    Direction direction = Direction::kToGroup;
    std::vector<Target> targets;
  };
  // A question of another device: whether its configuration is taken.
  struct Taking {
    uint32_t number = 0;
    ConfigWait wait;
  };

  absl::Status MayTake() const;
  void OfferText(const ConfigPeers& peers, Nanos now);
  void PollCommand(const ConfigPeers& peers, Nanos now);
  void PollTarget(const ConfigPeers& peers, Target& target, Nanos now);
  void FinishFrom(Command& command);
  void PollTaking(const ConfigPeers& peers, Nanos now);
  void FinishTaking(const ConfigPeers& peers, const absl::Status& status);
  absl::Status TakeOver(const std::string& device, const mirror::ConfigText& text);
  void Note(std::string what, std::vector<Result> results);

  Operations& operations_;
  ConfigCompare compare_;
  std::shared_ptr<const mirror::ConfigText> text_;  // nullptr: nobody asks for it
  Nanos text_made_at_ = 0;
  uint32_t next_ticket_ = 1;
  std::optional<Command> command_;
  uint32_t done_ticket_ = 0;
  std::vector<Result> done_;
  std::optional<Taking> taking_;
  std::optional<Last> last_;
};

}  // namespace tandem::control
