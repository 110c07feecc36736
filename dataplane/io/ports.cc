// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/ports.h"

#include <rte_lcore.h>

#include <algorithm>
#include <bit>

namespace tandem::io {

absl::StatusOr<std::unique_ptr<Ports>> Ports::Open(std::span<const PortOptions> options,
                                                   unsigned workers) {
  std::unique_ptr<Ports> ports(new Ports(PlanBuffers(options, workers), workers));
  for (const PortOptions& option : options) {
    absl::StatusOr<std::unique_ptr<Port>> port = Port::Open(option, workers);
    if (!port.ok()) return port.status();
    ports->locks_.push_back(std::make_unique<Lock[]>((*port)->tx_queues()));
    ports->ports_.push_back(*std::move(port));
  }
  return ports;
}

Ports::~Ports() {
  Stop();
}

absl::Status Ports::Start(const config::Steering& steering) {
  absl::Status status = StartEach(steering);
  if (!status.ok()) Stop();
  return status;
}

absl::Status Ports::StartEach(const config::Steering& steering) {
  for (const auto& port : ports_) {
    // A virtual device has no node; the first one's memory is as good as any.
    const int node = port->node() >= 0 ? port->node() : rte_socket_id_by_idx(0);
    const absl::StatusOr<rte_mempool*> pool = memory_.PoolOf(node);
    if (!pool.ok()) return pool.status();
    pools_.push_back(*pool);
    if (absl::Status status = port->Start(steering, *pool); !status.ok()) return status;
  }
  return absl::OkStatus();
}

void Ports::Stop() {
  for (const auto& port : ports_) {
    port->Stop();
  }
  pools_.clear();
}

size_t Ports::reta_size() const {
  size_t size = config::kRetaSize;
  for (const auto& port : ports_) {
    if (port->rx_queues() > 1 && port->reta_size() > 0) {
      size = std::min(size, std::bit_floor(size_t{port->reta_size()}));
    }
  }
  return size;
}

WorkerQueues Ports::QueuesOf(unsigned worker) {
  WorkerQueues queues;
  for (size_t i = 0; i < ports_.size(); ++i) {
    const Port& port = *ports_[i];
    const auto index = static_cast<uint16_t>(i);
    // With a queue for each worker, queue w is worker w's: RSS has chosen the owner. Fewer queues
    // are spread so that ports of one queue do not all burden the first worker.
    const unsigned shift = port.rx_queues() < workers_ ? index : 0;
    for (uint16_t queue = 0; queue < port.rx_queues(); ++queue) {
      if ((queue + shift) % workers_ == worker) queues.rx.push_back({index, port.id(), queue});
    }
    const auto tx = static_cast<uint16_t>(worker % port.tx_queues());
    const bool shared = port.tx_queues() < workers_;
    queues.tx.push_back({port.id(), tx, port.takes_chains(), shared ? &locks_[i][tx].lock : nullptr,
                         &port.link_up(), i < pools_.size() ? pools_[i] : nullptr});
  }
  return queues;
}

}  // namespace tandem::io
