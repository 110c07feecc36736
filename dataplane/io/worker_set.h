// SPDX-License-Identifier: Apache-2.0
//
// The workers of a device on their lcores, from launch to the last packet.
//
// Thread safety: the main thread.
#pragma once

#include <memory>
#include <vector>

#include <absl/status/status.h>

#include "dataplane/io/ports.h"
#include "dataplane/io/worker.h"
#include "dataplane/unit/unit.h"

namespace tandem::io {

class WorkerSet {
 public:
  // Worker w uses ports.QueuesOf(w). `unit` and `ports` outlive this.
  WorkerSet(unit::Unit& unit, Ports& ports, bool adaptive);
  ~WorkerSet() { Stop(); }

  // Worker w on lcores[w]. REQUIRES: as many lcores as workers.
  absl::Status Launch(const std::vector<unsigned>& lcores);
  // Waits until all have ended, and frees the packets the unit still holds.
  void Stop();

  const Worker& worker(unsigned index) const { return *workers_[index]; }

 private:
  unit::Unit& unit_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<unsigned> running_;  // lcores
};

}  // namespace tandem::io
