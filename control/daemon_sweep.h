// SPDX-License-Identifier: Apache-2.0
//
// After a configuration took objects away: ends the flows that still use them, on every worker,
// removes the persistence records that name them, and says which ids nothing has any more.
//
// Theory of operation. A worker may finish a burst with the old snapshot after the new one is
// published; so the sweep waits for a grace period, then posts a query for orphaned flows to each
// worker, and when all have answered goes through the records itself. It never waits in one place:
// Poll moves it on.
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
  void Poll(ConfigIds& ids, Nanos now);

  uint64_t flows_ended() const { return flows_ended_; }
  uint64_t records_removed() const { return records_removed_; }

 private:
  enum class Phase : uint8_t { kIdle, kGrace, kQuery, kRecords };

  struct Retired {
    std::vector<uint16_t> virtuals;
    std::vector<uint16_t> pools;
    std::vector<uint16_t> members;
    std::vector<uint16_t> traffic_groups;
    std::vector<uint16_t> persistences;
    bool empty() const {
      return virtuals.empty() && pools.empty() && members.empty() && traffic_groups.empty() &&
             persistences.empty();
    }
  };
  struct Query {
    std::unique_ptr<unit::FlowQuery> query;
    bool posted = false;
  };

  static Retired RetiredOf(const ConfigIds& ids);
  void Begin(const ConfigIds& ids);
  bool AllAnswered();
  bool RecordsDone(Nanos now);

  unit::Unit& unit_;
  Phase phase_ = Phase::kIdle;
  bool again_ = false;
  uint64_t grace_ = 0;
  Retired retired_;
  std::vector<Query> queries_;  // by worker
  unit::RecordQuery records_;
  uint64_t flows_ended_ = 0;
  uint64_t records_removed_ = 0;
};

}  // namespace tandem::control
