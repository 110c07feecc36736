// SPDX-License-Identifier: Apache-2.0
//
// A wire over a DPDK port: the first queue to send, all of them, in turns, to receive.
#pragma once

#include <rte_mempool.h>

#include <cstdint>

#include "tools/pktgen/wire.h"

namespace tandem::pktgen {

class EthWire : public Wire {
 public:
  // The port `port_id` with `rx_queues` queues to poll, and buffers from `pool`.
  EthWire(uint16_t port_id, uint16_t rx_queues, rte_mempool* pool);

  size_t Receive(std::span<net::Packet> packets) noexcept override;
  size_t Allocate(std::span<net::Packet> packets) noexcept override;
  size_t Send(std::span<net::Packet> packets) noexcept override;
  void Release(std::span<net::Packet> packets) noexcept override;
  size_t Capacity() const override { return capacity_; }

  uint64_t unusable() const override { return unusable_; }

 private:
  uint16_t port_id_;
  uint16_t rx_queues_;
  uint16_t rx_queue_ = 0;  // to poll first
  rte_mempool* pool_;
  size_t capacity_;
  uint64_t unusable_ = 0;
};

}  // namespace tandem::pktgen
