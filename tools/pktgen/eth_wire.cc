// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/eth_wire.h"

#include <rte_ethdev.h>

#include <algorithm>
#include <array>

#include "dataplane/io/mbuf.h"

namespace tandem::pktgen {
namespace {

constexpr size_t kMbufsMax = 64;  // of one call

// The whole frame in one buffer of our own; nullptr, and freed, when that cannot be.
rte_mbuf* Usable(rte_mbuf* mbuf, rte_mempool* pool, size_t capacity) {
  if (!io::IsPlain(mbuf)) {
    mbuf = io::MakeWritable(mbuf, pool);
    if (mbuf == nullptr) return nullptr;
    mbuf = io::MakeReadable(mbuf);
    if (mbuf->nb_segs > 1 && !io::MakeLinear(mbuf)) {
      rte_pktmbuf_free(mbuf);
      return nullptr;
    }
  }
  if (size_t{mbuf->data_off} + capacity <= mbuf->buf_len) return mbuf;
  rte_pktmbuf_free(mbuf);
  return nullptr;
}

}  // namespace

EthWire::EthWire(uint16_t port_id, uint16_t rx_queues, rte_mempool* pool)
    : port_id_(port_id),
      rx_queues_(rx_queues),
      pool_(pool),
      capacity_(rte_pktmbuf_data_room_size(pool) - size_t{RTE_PKTMBUF_HEADROOM}) {}

size_t EthWire::Receive(std::span<net::Packet> packets) noexcept {
  std::array<rte_mbuf*, kMbufsMax> mbufs;
  const auto wanted = static_cast<uint16_t>(std::min(packets.size(), kMbufsMax));
  uint16_t count = 0;
  for (uint16_t polled = 0; polled < rx_queues_ && count == 0; ++polled) {
    count = rte_eth_rx_burst(port_id_, rx_queue_, mbufs.data(), wanted);
    if (++rx_queue_ == rx_queues_) rx_queue_ = 0;
  }
  size_t usable = 0;
  for (uint16_t i = 0; i < count; ++i) {
    rte_mbuf* const mbuf = Usable(mbufs[i], pool_, capacity_);
    if (mbuf == nullptr) {
      ++unusable_;
      continue;
    }
    packets[usable++] = io::ToPacket(mbuf, port_id_);
    packets[usable - 1].flags = 0;  // what a NIC says of checksums is not taken for true
  }
  return usable;
}

size_t EthWire::Allocate(std::span<net::Packet> packets) noexcept {
  std::array<rte_mbuf*, kMbufsMax> mbufs;
  const auto count = static_cast<unsigned>(std::min(packets.size(), kMbufsMax));
  if (rte_pktmbuf_alloc_bulk(pool_, mbufs.data(), count) != 0) return 0;
  for (unsigned i = 0; i < count; ++i) {
    packets[i] = io::ToPacket(mbufs[i], port_id_);
  }
  return count;
}

size_t EthWire::Send(std::span<net::Packet> packets) noexcept {
  std::array<rte_mbuf*, kMbufsMax> mbufs;
  const auto count = static_cast<uint16_t>(std::min(packets.size(), kMbufsMax));
  for (uint16_t i = 0; i < count; ++i) {
    mbufs[i] = io::FromPacket(packets[i]);
  }
  return rte_eth_tx_burst(port_id_, 0, mbufs.data(), count);
}

void EthWire::Release(std::span<net::Packet> packets) noexcept {
  std::array<rte_mbuf*, kMbufsMax> mbufs;
  const size_t count = std::min(packets.size(), kMbufsMax);
  for (size_t i = 0; i < count; ++i) {
    mbufs[i] = static_cast<rte_mbuf*>(packets[i].handle);
  }
  rte_pktmbuf_free_bulk(mbufs.data(), static_cast<unsigned>(count));
}

}  // namespace tandem::pktgen
