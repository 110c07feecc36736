// SPDX-License-Identifier: Apache-2.0
//
// The yardstick of the flow table: DPDK's rte_hash with both keys of each flow, its entries on EAL's
// hugepages, looked up in bursts. It knows only slots: what a flow is kept elsewhere.
#pragma once

#include <rte_hash.h>

#include <array>
#include <cstdint>
#include <span>

#include "dataplane/net/flow_key.h"
#include "tools/bench/floor.h"

namespace tandem::bench {

class RteHashFlows {
 public:
  // What identifies a flow here: the key and its protocol, in a multiple of four bytes.
  struct Key {
    net::FlowKey4 tuple;
    uint32_t protocol = 0;
  };

  // The first one starts EAL. Exits with a message when that fails, or there is no memory.
  explicit RteHashFlows(uint32_t flows);
  ~RteHashFlows() { rte_hash_free(table_); }
  RteHashFlows(const RteHashFlows&) = delete;
  RteHashFlows& operator=(const RteHashFlows&) = delete;

  void Insert(const Key& key, uint32_t slot);
  // Bit i of the answer: keys[i] is there, and its slot is in slots[i].
  uint64_t Find(std::span<const Key, kBurst> keys, std::span<uint64_t, kBurst> slots) noexcept;

 private:
  rte_hash* table_;
};

}  // namespace tandem::bench
