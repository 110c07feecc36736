// SPDX-License-Identifier: Apache-2.0
//
// The loop of one worker lcore: receive from its queue of every port, take a turn of the unit, send
// what comes out, free what is let go; for ever, until told to stop.
//
// Busy, it never pauses. Adaptive, it sleeps when idle (io/backoff.h).
//
// Thread safety: Run by the worker's thread, Stop by any, the counters read by any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/base/counter.h"
#include "dataplane/base/limits.h"
#include "dataplane/base/time.h"
#include "dataplane/io/ports.h"
#include "dataplane/net/packet.h"
#include "dataplane/pipeline/output.h"
#include "dataplane/unit/unit.h"

namespace tandem::io {

struct WorkerOptions {
  unsigned index = 0;
  bool adaptive = false;
};

class Worker {
 public:
  Worker(const WorkerOptions& options, unit::Unit& unit, WorkerQueues queues);

  // Returns after Stop. The unit may still hold packets then (Unit::Drain).
  void Run() noexcept;
  void Stop() noexcept { stop_.store(true, std::memory_order_relaxed); }

  // One round of the loop; whether there was something to do.
  bool Turn() noexcept;

  // Packets of `port` that never reached the unit for lack of a buffer to copy them to.
  uint64_t not_copied(size_t port) const { return not_copied_[port].Get(); }

 private:
  static constexpr size_t kSendMax =
      pipeline::Output::kPacketsMax + pipeline::Output::kOriginatedMax;

  // What one turn sends through one port, in order.
  struct Batch {
    uint16_t count = 0;
    std::array<rte_mbuf*, kSendMax> mbufs;
    std::array<net::Packet, kSendMax> packets;
  };

  size_t Receive() noexcept;
  bool Take(rte_mbuf* mbuf, const RxQueue& queue, net::Packet& packet) noexcept;
  void Queue(rte_mbuf* mbuf, const net::Packet& packet) noexcept;
  void Send() noexcept;
  void SendBatch(const TxQueue& queue, Batch& batch) noexcept;
  bool IsStale() const noexcept;
  void Unsent(Batch& batch, uint16_t first, DropReason reason) noexcept;
  rte_mbuf* ToMbuf(const pipeline::OriginatedFrame& frame) noexcept;

  const unsigned index_;
  const bool adaptive_;
  const bool has_fence_;
  unit::Unit& unit_;
  const WorkerQueues queues_;
  size_t next_queue_ = 0;      // where receiving begins, so that no queue is always first
  bool more_waiting_ = false;  // a queue may hold more than Receive took
  Nanos turn_began_ = 0;
  std::unique_ptr<pipeline::Output> out_ = std::make_unique<pipeline::Output>();
  std::vector<Batch> batches_;  // by port
  std::array<net::Packet, kBurstMax> received_;
  std::array<Counter, kPortsMax> not_copied_;
  alignas(64) std::atomic<bool> stop_{false};
};

}  // namespace tandem::io
