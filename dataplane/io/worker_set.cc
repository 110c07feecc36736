// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/worker_set.h"

#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include <absl/strings/str_cat.h>

#include "dataplane/base/assert.h"

namespace tandem::io {
namespace {

int RunWorker(void* worker) {
  static_cast<Worker*>(worker)->Run();
  return 0;
}

}  // namespace

WorkerSet::WorkerSet(unit::Unit& unit, Ports& ports, bool adaptive) : unit_(unit) {
  for (unsigned i = 0; i < unit.workers(); ++i) {
    workers_.push_back(
        std::make_unique<Worker>(WorkerOptions{i, adaptive}, unit, ports.QueuesOf(i)));
  }
}

absl::Status WorkerSet::Launch(const std::vector<unsigned>& lcores) {
  TANDEM_ASSERT(lcores.size() == workers_.size());
  for (size_t i = 0; i < lcores.size(); ++i) {
    const int code = rte_eal_remote_launch(RunWorker, workers_[i].get(), lcores[i]);
    if (code != 0) {
      return absl::InternalError(
          absl::StrCat("worker ", i, " on lcore ", lcores[i], ": ", rte_strerror(-code)));
    }
    running_.push_back(lcores[i]);
  }
  return absl::OkStatus();
}

void WorkerSet::Stop() {
  if (running_.empty()) return;
  for (const auto& worker : workers_) {
    worker->Stop();
  }
  for (const unsigned lcore : running_) {
    rte_eal_wait_lcore(lcore);
  }
  running_.clear();
  std::vector<void*> handles;
  unit_.Drain(handles);
  for (void* const handle : handles) {
    rte_pktmbuf_free(static_cast<rte_mbuf*>(handle));
  }
}

}  // namespace tandem::io
