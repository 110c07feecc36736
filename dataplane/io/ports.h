// SPDX-License-Identifier: Apache-2.0
//
// All ports of the device, in configured order (the order of Snapshot::ports), their buffers, and
// which worker uses which queue.
//
// Thread safety: control.
#pragma once

#include <rte_spinlock.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "dataplane/config/steering.h"
#include "dataplane/io/packet_memory.h"
#include "dataplane/io/port.h"

namespace tandem::io {

struct RxQueue {
  uint16_t port = 0;  // index into Snapshot::ports
  uint16_t port_id = 0;
  uint16_t queue = 0;
};

struct TxQueue {
  uint16_t port_id = 0;
  uint16_t queue = 0;
  bool takes_chains = false;  // packets of several buffers
  // Held around each burst where workers share the queue; nullptr where this worker has it alone.
  rte_spinlock_t* lock = nullptr;
  const std::atomic<bool>* link_up = nullptr;
  rte_mempool* pool = nullptr;  // for frames of our own
};

// What one worker polls and sends through. `tx` has an entry for every port.
struct WorkerQueues {
  std::vector<RxQueue> rx;
  std::vector<TxQueue> tx;
};

class Ports {
 public:
  // Opens every port, and starts none; an error has opened nothing that stays.
  static absl::StatusOr<std::unique_ptr<Ports>> Open(std::span<const PortOptions> options,
                                                     unsigned workers);
  ~Ports();  // stops and closes all; no worker may use a queue any more

  // All of them; an error leaves none started. After Stop they can be started again.
  absl::Status Start(const config::Steering& steering);
  void Stop();

  // The smallest redirection table among the ports that spread packets themselves, for Steering.
  size_t reta_size() const;
  // Without pools while the ports are not started.
  WorkerQueues QueuesOf(unsigned worker);

  size_t size() const { return ports_.size(); }
  Port& port(size_t index) { return *ports_[index]; }
  const Port& port(size_t index) const { return *ports_[index]; }
  const PacketMemory& memory() const { return memory_; }

 private:
  Ports(const BufferPlan& plan, unsigned workers) : workers_(workers), memory_(plan) {}
  absl::Status StartEach(const config::Steering& steering);

  struct alignas(64) Lock {
    rte_spinlock_t lock = RTE_SPINLOCK_INITIALIZER;
  };

  unsigned workers_;
  PacketMemory memory_;  // outlives the ports, whose queues have buffers of it
  std::vector<std::unique_ptr<Port>> ports_;
  std::vector<rte_mempool*> pools_;             // by port, from Start to Stop
  std::vector<std::unique_ptr<Lock[]>> locks_;  // by port and transmit queue
};

}  // namespace tandem::io
