// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/packet_memory.h"

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <algorithm>
#include <string>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "dataplane/base/limits.h"
#include "dataplane/pipeline/output.h"

namespace tandem::io {
namespace {

constexpr uint32_t kCacheSize = 256;  // free buffers that an lcore keeps for itself
// An lcore's cache grows to half as much again before it gives back.
constexpr uint32_t kCachedMax = kCacheSize + kCacheSize / 2;
// What a frame may have beside its IP packet: Ethernet header, two tags, the FCS that some NICs
// write, what the kernel's packet rings put in front.
constexpr uint32_t kFrameOverhead = 128;
// NICs take sizes of whole KiB.
constexpr uint32_t kRoomUnit = 1024;
// What a buffer needs beside its room: mbuf, pool header, pointer in the pool's ring, alignment.
constexpr uint64_t kBufferOverhead = sizeof(rte_mbuf) + 128 + 16;

}  // namespace

uint32_t FrameRoom(uint16_t mtu) {
  return (mtu + kFrameOverhead + kRoomUnit - 1) / kRoomUnit * kRoomUnit;
}

BufferPlan PlanBuffers(std::span<const PortOptions> ports, unsigned workers) {
  uint64_t count = 0;
  uint32_t data = RTE_MBUF_DEFAULT_DATAROOM;
  for (const PortOptions& port : ports) {
    count += uint64_t{workers} * (port.rx_descriptors + port.tx_descriptors);
    data = std::max(data, FrameRoom(port.mtu));
  }
  const uint64_t per_worker = kHeldPacketsMax + kHandOverMax + (workers - 1) * kHandoffRingSize +
                              kBurstMax + pipeline::Output::kPacketsMax +
                              pipeline::Output::kOriginatedMax;
  count += workers * per_worker + (workers + 1) * uint64_t{kCachedMax};
  BufferPlan plan;
  plan.count = static_cast<uint32_t>(count);
  plan.room = static_cast<uint16_t>(data + RTE_PKTMBUF_HEADROOM);
  plan.bytes = count * (plan.room + kBufferOverhead);
  return plan;
}

void PacketMemory::Free::operator()(rte_mempool* pool) const noexcept {
  rte_mempool_free(pool);
}

absl::StatusOr<rte_mempool*> PacketMemory::PoolOf(int node) {
  auto& pool = pools_[node];
  if (pool == nullptr) {
    pool.reset(rte_pktmbuf_pool_create(absl::StrCat(name_, "_", node).c_str(), plan_.count,
                                       kCacheSize, 0, plan_.room, node));
  }
  if (pool == nullptr) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "packet buffers: no room for ", plan_.count, " of ", plan_.room, " bytes (",
        plan_.bytes >> 20, " MiB) on NUMA node ", node, ": ", rte_strerror(rte_errno)));
  }
  return pool.get();
}

uint32_t PacketMemory::InUse() const {
  uint32_t count = 0;
  for (const auto& [node, pool] : pools_) {
    if (pool != nullptr) count += rte_mempool_in_use_count(pool.get());
  }
  return count;
}

}  // namespace tandem::io
