// SPDX-License-Identifier: Apache-2.0
//
// A wire over one queue of a DPDK port.
#pragma once

#include <rte_mempool.h>

#include <cstdint>

#include "tools/pktgen/wire.h"

namespace tandem::pktgen {

class EthWire : public Wire {
 public:
  // Queue 0 of the port `port_id`, with buffers from `pool`.
  EthWire(uint16_t port_id, rte_mempool* pool);

  size_t Receive(std::span<net::Packet> packets) noexcept override;
  size_t Allocate(std::span<net::Packet> packets) noexcept override;
  size_t Send(std::span<net::Packet> packets) noexcept override;
  void Release(std::span<net::Packet> packets) noexcept override;
  size_t Capacity() const override { return capacity_; }

  uint64_t unusable() const override { return unusable_; }

 private:
  uint16_t port_id_;
  rte_mempool* pool_;
  size_t capacity_;
  uint64_t unusable_ = 0;
};

}  // namespace tandem::pktgen
