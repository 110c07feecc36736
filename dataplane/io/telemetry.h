// SPDX-License-Identifier: Apache-2.0
//
// What dpdk-telemetry.py can ask beside DPDK's own commands:
//   /tandem/version           what runs
//   /tandem/drops[,W]         dropped packets by reason, of all workers or of worker W
//   /tandem/workers           the workers' numbers
//   /tandem/workers,W         the counters of worker W
//   /tandem/virtuals          names of virtual servers (512 at most: EAL's arrays hold no more)
//   /tandem/virtuals,NAME     the counters of one
//
// Thread safety: EAL answers in a thread of its own, from counters that anyone may read and from a
// copy of the names.
#pragma once

#include <string>

#include "dataplane/config/snapshot.h"
#include "dataplane/unit/unit.h"

namespace tandem::io {

// One at a time in a process; while there is none the commands fail. REQUIRES: EAL.
class Telemetry {
 public:
  // `unit` outlives this.
  Telemetry(const unit::Unit& unit, std::string version);
  ~Telemetry();
  Telemetry(const Telemetry&) = delete;
  Telemetry& operator=(const Telemetry&) = delete;

  // To be called after each Publish.
  void Follow(const config::Snapshot& snapshot);
};

}  // namespace tandem::io
