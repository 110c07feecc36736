// SPDX-License-Identifier: Apache-2.0
//
// A device of several workers without I/O, full NAT of IPv4, all neighbours known, and what stands in
// for its NICs: RSS over the one endpoint that both legs of a flow share, with the device's key and
// redirection table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/config/steering.h"
#include "dataplane/pipeline/output.h"
#include "dataplane/unit/unit.h"
#include "tools/bench/bench_traffic.h"
#include "tools/bench/huge_memory.h"

namespace tandem::bench {

// Buffers that come and go; those last let go of, and so in the cache, go first.
class FramePool {
 public:
  explicit FramePool(size_t count);
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;

  bool empty() const { return free_.empty(); }
  uint8_t* Take() {
    uint8_t* const buffer = free_.back();
    free_.pop_back();
    return buffer;
  }
  // May be another pool's: packets that were handed over end where they are sent.
  void Give(void* handle) { free_.push_back(static_cast<uint8_t*>(handle)); }
  // All that a turn sent or let go of.
  void TakeBack(pipeline::Output& out);

 private:
  HugeMemory memory_;
  std::vector<uint8_t*> free_;
};

class ScaleDevice {
 public:
  // Flows 0 .. flows-1 are established when it is made; exits with a message when one does not come to
  // be. `protocol`: IPPROTO_UDP or IPPROTO_TCP.
  ScaleDevice(uint8_t protocol, unsigned workers, uint32_t flows);

  // Data of flow `flow` from `side`.
  net::Packet MakePacket(FramePool& pool, uint32_t flow, flow::Side side) const;
  // The packet that begins it, once EndAll has ended it.
  net::Packet MakeFirstPacket(FramePool& pool, uint32_t flow) const;
  void EndAll();
  // The queue that the NIC puts it on, by rte_softrss.
  unsigned QueueOf(const net::Packet& packet) const;
  // Of a worker's flows, so that each can be asked for its own.
  std::span<const uint32_t> FlowsOf(unsigned worker) const { return flows_of_[worker]; }

  // One turn; returns the cycles it took. Each worker has a clock of its own, 100 ns a packet.
  uint64_t Turn(unsigned worker, std::span<const net::Packet> burst, pipeline::Output& out);

  unsigned workers() const { return unit_->workers(); }
  uint32_t flows() const { return flows_; }
  const pipeline::WorkerCounters& counters(unsigned worker) const {
    return unit_->counters(worker);
  }
  uint64_t forwarded() const;
  uint64_t handed_off() const;

 private:
  struct alignas(64) Clock {
    Nanos now = kSecond;
  };

  void AssignOwners();
  void Start();
  void Greet();
  // A packet of each flow, which has to be forwarded.
  void SendAll(flow::Side side, uint8_t tcp_flags);
  net::Packet MakePacket(uint8_t* buffer, uint32_t flow, flow::Side side, uint8_t flags) const;

  Traffic traffic_;
  uint8_t protocol_;
  uint32_t flows_;
  config::Steering steering_;
  // What packets are made by, on pages of the tables' size: so it takes few of the translations that the
  // tables need.
  HugeMemory order_memory_;
  std::vector<std::span<uint32_t>> flows_of_;  // by worker
  HugeMemory server_end_memory_;
  std::span<ServerEnd> server_ends_;  // by flow
  std::vector<std::unique_ptr<HugeMemory>> memory_;
  std::vector<Clock> clocks_;
  std::unique_ptr<unit::Unit> unit_;
};

}  // namespace tandem::bench
