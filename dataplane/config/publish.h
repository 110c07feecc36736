// SPDX-License-Identifier: Apache-2.0
//
// Hands a new configuration to the workers while they forward, and frees the old one when the last
// worker has let go of it (quiescent-state reclamation, DPDK's rte_rcu_qsbr, which needs no EAL).
//
// Theory of operation: between two calls of Current a worker uses the snapshot that the first one
// returned; calling again says that it is done with it. A worker that stops calling (it ends, or
// sleeps for long) goes offline, so that nobody waits for it.
//
// "Worker" here is whoever reads snapshots in turns; the mirror thread is one more.
//
// Thread safety: Current, Online and Offline by the worker named, StartGrace and GraceOver by any
// thread, everything else by one control thread. Construction before, destruction after all workers.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>

#include "dataplane/base/limits.h"
#include "dataplane/base/one_at_a_time.h"
#include "dataplane/config/snapshot.h"

struct rte_rcu_qsbr;

namespace tandem::config {

class Publisher {
 public:
  // All workers start offline. REQUIRES: 1 <= workers <= kReadersMax.
  static constexpr unsigned kReadersMax = kWorkersMax + 1;
  explicit Publisher(unsigned workers);
  ~Publisher();
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  // Control. The snapshot before this one is freed by this or a later Publish or Reclaim.
  void Publish(std::unique_ptr<const Snapshot> snapshot);
  // Frees what every worker has let go of; returns how many snapshots still wait.
  unsigned Reclaim();
  // REQUIRES: something was published.
  const Snapshot& Latest() const { return *latest_; }
  bool HasSnapshot() const { return latest_ != nullptr; }

  // Grace periods for others that share data with the workers: once GraceOver(token), every worker
  // that was online at StartGrace has begun a new burst since, or is offline. Any thread; one
  // that asks while another does is told false, and asks again.
  uint64_t StartGrace() noexcept;
  bool GraceOver(uint64_t token) noexcept;

  // Worker. Current: once a burst, REQUIRES: online. The result is valid until the next Current or
  // Offline of this worker; nullptr before the first Publish.
  void Online(unsigned worker) noexcept;
  const Snapshot* Current(unsigned worker) noexcept;
  void Offline(unsigned worker) noexcept;

 private:
  struct Retired {
    uint64_t token;
    std::unique_ptr<const Snapshot> snapshot;
  };
  struct Free {
    void operator()(rte_rcu_qsbr* memory) const noexcept;
  };

  std::unique_ptr<rte_rcu_qsbr, Free> qsbr_;
  // rte_rcu_qsbr_check lets a thread learn what another one found out, but orders nothing between them.
  OneAtATime grace_;
  std::atomic<const Snapshot*> current_{nullptr};
  std::unique_ptr<const Snapshot> latest_;
  std::deque<Retired> retired_;  // oldest first
};

}  // namespace tandem::config
