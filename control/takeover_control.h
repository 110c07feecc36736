// SPDX-License-Identifier: Apache-2.0
//
// Control's side of takeover: keeps the facts on disk, the history, the log and the hook up to date with
// what the machine (unit/takeover.h) decides, and brings it commands and configurations. The machine goes
// on without it, but for what has to be durable first.
//
// Thread safety: control thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "control/config_ids.h"
#include "control/failover_hook.h"
#include "dataplane/ha/epoch_store.h"
#include "dataplane/unit/takeover.h"
#include "proto/config.pb.h"

namespace tandem::control {

class TakeoverControl {
 public:
  struct Answer {
    bool is_done = false;
    std::string reason;
  };

  // `takeover` outlives this. `facts`: as loaded from the configuration's state_file.
  TakeoverControl(unit::Takeover& takeover, ha::Facts facts, const config::v1::Config& config,
                  const ConfigIds& ids);

  // What the machine wants since the last call; to be called every few milliseconds.
  void Poll(Nanos now);
  // Another configuration was applied.
  void Follow(const config::v1::Config& config, const ConfigIds& ids);

  // Gives the machine a command; the answer comes some time after.
  uint32_t Begin(ha::Command command);
  // nullopt: not yet. An answer is given once.
  std::optional<Answer> Take(uint32_t ticket);
  // Nobody will take it.
  void Forget(uint32_t ticket);

  // Gives all groups up and says goodbye.
  void Stop() { Begin({.kind = ha::Command::Kind::kStop}); }
  // That is done, and so are the hooks for it.
  bool stopped() const { return stopped_ && hook_.is_idle(); }

  const ha::Facts& facts() const { return facts_; }
  const unit::Takeover& takeover() const { return takeover_; }

 private:
  static constexpr Nanos kRetryStore = kSecond;

  void Configure(const config::v1::Config& config, const ConfigIds& ids);
  void OnTransition(const ha::Action& action);
  void LogWitness();
  void Store(Nanos now);

  unit::Takeover& takeover_;
  ha::Facts facts_;
  std::string path_;
  std::string device_;
  std::map<config::TrafficGroupId, std::string> groups_;  // names
  FailoverHook hook_;
  uint32_t next_ticket_ = 1;
  std::map<uint32_t, std::optional<Answer>> answers_;
  bool has_to_store_ = false;
  Nanos store_at_ = 0;  // not before
  std::optional<ha::FactsDurable> asked_;
  bool stopped_ = false;
  // What the log knows of the witness.
  bool is_witness_logged_ = false;
  bool witness_answered_ = false;
  bool lease_was_too_long_ = false;
};

// "7.1", "8.2 planned"; "-" for none.
std::string ToText(ha::Epoch epoch);

}  // namespace tandem::control
