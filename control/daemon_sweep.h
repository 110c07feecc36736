// SPDX-License-Identifier: Apache-2.0
//
// After a configuration took objects away: ends the flows that still use them, on every worker, and
// says which ids no flow has any more.
//
// Theory of operation. A worker may finish a burst with the old snapshot after the new one is
// published; so the sweep waits for a grace period, then posts a query for orphaned flows to each
// worker, and is done when all have answered. It never waits in one place: Poll moves it on.
//
// Thread safety: control thread. Destroy it after the workers have ended.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "control/config_ids.h"
#include "dataplane/unit/unit.h"

namespace tandem::control {

class Sweep {
 public:
  // `unit` outlives this.
  explicit Sweep(unit::Unit& unit);

  // To be called after each Publish with the ids that went with it. A sweep that is under way is
  // followed by another.
  void Start(const ConfigIds& ids);
  bool active() const { return phase_ != Phase::kIdle; }
  // When a round is over, releases in `ids` what was retired before it began.
  void Poll(ConfigIds& ids);

  uint64_t flows_ended() const { return flows_ended_; }

 private:
  enum class Phase : uint8_t { kIdle, kGrace, kQuery };

  struct Retired {
    std::vector<uint16_t> virtuals;
    std::vector<uint16_t> pools;
    std::vector<uint16_t> members;
    std::vector<uint16_t> traffic_groups;
    bool empty() const {
      return virtuals.empty() && pools.empty() && members.empty() && traffic_groups.empty();
    }
  };
  struct Query {
    std::unique_ptr<unit::FlowQuery> query;
    bool posted = false;
  };

  static Retired RetiredOf(const ConfigIds& ids);
  void Begin(const ConfigIds& ids);
  bool AllAnswered();

  unit::Unit& unit_;
  Phase phase_ = Phase::kIdle;
  bool again_ = false;
  uint64_t grace_ = 0;
  Retired retired_;
  std::vector<Query> queries_;  // by worker
  uint64_t flows_ended_ = 0;
};

}  // namespace tandem::control
