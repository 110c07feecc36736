// SPDX-License-Identifier: Apache-2.0
//
// Buffers for packets: one pool on each NUMA node that has a port, large enough for every
// descriptor of every queue and for all that workers may hold at a time, so that it can never be the
// first thing to run out.
//
// A buffer takes the largest frame of any port as a whole, so that headers are never split and
// drivers that cannot chain buffers can carry every packet.
//
// Thread safety: control creates; pools are used by any lcore.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include <absl/status/statusor.h>

#include "dataplane/io/port_options.h"

struct rte_mempool;

namespace tandem::io {

// Bytes for a frame around an IP packet of `mtu` bytes, with all that NICs, tags and the kernel's
// packet rings put beside it; a whole number of KiB.
uint32_t FrameRoom(uint16_t mtu);

struct BufferPlan {
  uint32_t count = 0;  // buffers of one pool
  uint16_t room = 0;   // bytes of data and headroom in each
  uint64_t bytes = 0;  // of one pool, all told, rounded up generously
};
// For ports that will get as many queues as there are workers.
BufferPlan PlanBuffers(std::span<const PortOptions> ports, unsigned workers);

class PacketMemory {
 public:
  // `name` begins the names of its pools.
  explicit PacketMemory(const BufferPlan& plan, std::string name = "tandem_packets")
      : plan_(plan), name_(std::move(name)) {}

  // The pool of `node`, made at the first request. REQUIRES: EAL.
  absl::StatusOr<rte_mempool*> PoolOf(int node);
  const BufferPlan& plan() const { return plan_; }
  // Buffers that are in no pool now; 0 when nothing is under way.
  uint32_t InUse() const;

 private:
  struct Free {
    void operator()(rte_mempool* pool) const noexcept;
  };

  BufferPlan plan_;
  std::string name_;
  std::map<int, std::unique_ptr<rte_mempool, Free>> pools_;
};

}  // namespace tandem::io
