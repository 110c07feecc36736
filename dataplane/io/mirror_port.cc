// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/mirror_port.h"

#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_pause.h>

#include "dataplane/io/mbuf.h"

namespace tandem::io {
namespace {

// A full transmit queue is asked again so often before what is left is dropped.
constexpr unsigned kSendAttemptsMax = 16;

}  // namespace

absl::StatusOr<std::unique_ptr<MirrorPort>> MirrorPort::Open(const PortOptions& options) {
  absl::StatusOr<std::unique_ptr<Port>> port = Port::Open(options, 1);
  if (!port.ok()) return port.status();
  return std::unique_ptr<MirrorPort>(new MirrorPort(options, *std::move(port)));
}

MirrorPort::MirrorPort(const PortOptions& options, std::unique_ptr<Port> port)
    : memory_(PlanBuffers({&options, 1}, 1), "tandem_mirror"), port_(std::move(port)) {}

MirrorPort::~MirrorPort() {
  Release();
  rte_pktmbuf_free(begun_);
  rte_pktmbuf_free_bulk(to_send_.data(), to_send_count_);
}

absl::Status MirrorPort::Start() {
  const int node = port_->node() >= 0 ? port_->node() : rte_socket_id_by_idx(0);
  const absl::StatusOr<rte_mempool*> pool = memory_.PoolOf(node);
  if (!pool.ok()) return pool.status();
  pool_ = *pool;
  return port_->Start(config::Steering(1), pool_);
}

void MirrorPort::Release() noexcept {
  rte_pktmbuf_free_bulk(received_.data(), received_count_);
  received_count_ = 0;
}

std::span<const std::span<const uint8_t>> MirrorPort::Receive() noexcept {
  Release();
  received_count_ = rte_eth_rx_burst(port_->id(), 0, received_.data(), kBurst);
  size_t count = 0;
  for (uint16_t i = 0; i < received_count_; ++i) {
    rte_mbuf* const mbuf = received_[i];
    if (mbuf->nb_segs > 1 && rte_pktmbuf_linearize(mbuf) != 0) {
      not_readable_.Add(1);
      continue;
    }
    frames_[count++] = {rte_pktmbuf_mtod(mbuf, const uint8_t*), mbuf->data_len};
  }
  return {frames_.data(), count};
}

std::span<uint8_t> MirrorPort::Begin(size_t size) noexcept {
  if (to_send_count_ == kBurst) Flush();
  if (begun_ == nullptr) begun_ = rte_pktmbuf_alloc(pool_);
  if (begun_ == nullptr || rte_pktmbuf_tailroom(begun_) < size) return {};
  return {rte_pktmbuf_mtod(begun_, uint8_t*), size};
}

void MirrorPort::Commit(size_t size) noexcept {
  begun_->data_len = static_cast<uint16_t>(size);
  begun_->pkt_len = static_cast<uint32_t>(size);
  to_send_[to_send_count_++] = begun_;
  begun_ = nullptr;
}

void MirrorPort::Flush() noexcept {
  uint16_t sent = 0;
  for (unsigned attempt = 0; sent < to_send_count_ && attempt < kSendAttemptsMax; ++attempt) {
    if (attempt > 0) rte_pause();
    sent = static_cast<uint16_t>(sent +
                                 rte_eth_tx_burst(port_->id(), 0, &to_send_[sent],
                                                  static_cast<uint16_t>(to_send_count_ - sent)));
  }
  if (sent < to_send_count_) {
    const auto left = static_cast<unsigned>(to_send_count_ - sent);
    rte_pktmbuf_free_bulk(&to_send_[sent], left);
    not_sent_.Add(left);
  }
  to_send_count_ = 0;
}

}  // namespace tandem::io
