// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/worker.h"

#include <rte_ethdev.h>
#include <rte_pause.h>
#include <rte_prefetch.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "dataplane/io/backoff.h"
#include "dataplane/io/clock.h"
#include "dataplane/io/mbuf.h"

namespace tandem::io {
namespace {

// A queue gets no more of a turn than this while there are others.
constexpr size_t kShareMax = 32;
// A full transmit queue is asked again so often before what is left is dropped.
constexpr unsigned kSendAttemptsMax = 8;
// A worker is not found to stand still sooner than this.
constexpr Nanos kTurnMax = 100 * kMillisecond;

void Sleep(Nanos span) {
  const timespec time{0, static_cast<long>(span)};
  nanosleep(&time, nullptr);
}

uint16_t Burst(const TxQueue& queue, rte_mbuf** mbufs, uint16_t count) {
  if (queue.lock == nullptr) return rte_eth_tx_burst(queue.port_id, queue.queue, mbufs, count);
  rte_spinlock_lock(queue.lock);
  const uint16_t sent = rte_eth_tx_burst(queue.port_id, queue.queue, mbufs, count);
  rte_spinlock_unlock(queue.lock);
  return sent;
}

}  // namespace

Worker::Worker(const WorkerOptions& options, unit::Unit& unit, WorkerQueues queues)
    : index_(options.index),
      adaptive_(options.adaptive),
      has_fence_(unit.takeover() != nullptr),
      unit_(unit),
      queues_(std::move(queues)),
      batches_(queues_.tx.size()) {}

void Worker::Run() noexcept {
  // Sleeps of microseconds: the default slack of a timer is 50 us.
  prctl(PR_SET_TIMERSLACK, 1000);
  Backoff backoff;
  while (!stop_.load(std::memory_order_relaxed)) {
    const bool busy = Turn();
    if (!adaptive_) continue;
    if (const Nanos pause = backoff.After(busy); pause > 0) Sleep(pause);
  }
  // Nobody need wait for this worker any more.
  unit_.publisher().Offline(index_);
}

bool Worker::Turn() noexcept {
  const Counter& busy_turns = unit_.counters(index_).busy_turns;
  const uint64_t busy_before = busy_turns.Get();
  const size_t count = Receive();
  turn_began_ = MonotonicNow();
  unit_.Turn(index_, {received_.data(), count}, turn_began_, *out_, more_waiting_);
  Send();
  return busy_turns.Get() != busy_before;
}

size_t Worker::Receive() noexcept {
  const size_t queues = queues_.rx.size();
  size_t count = 0;
  size_t asked = 0;
  more_waiting_ = false;
  for (; asked < queues && count < kBurstMax; ++asked) {
    const size_t at = (next_queue_ + asked) % queues;
    const RxQueue& queue = queues_.rx[at];
    std::array<rte_mbuf*, kBurstMax> mbufs;
    const size_t share = queues == 1 ? kBurstMax : kShareMax;
    const auto room = static_cast<uint16_t>(std::min(share, kBurstMax - count));
    const uint16_t got = rte_eth_rx_burst(queue.port_id, queue.queue, mbufs.data(), room);
    if (got == room) more_waiting_ = true;
    for (uint16_t k = 0; k < got; ++k) {
      if (Take(mbufs[k], queue, received_[count])) ++count;
    }
  }
  if (asked < queues) more_waiting_ = true;
  if (queues > 0) next_queue_ = (next_queue_ + 1) % queues;
  return count;
}

// False when there was no buffer for a packet that had to be copied.
bool Worker::Take(rte_mbuf* mbuf, const RxQueue& queue, net::Packet& packet) noexcept {
  if (!IsPlain(mbuf)) {
    mbuf = MakeWritable(mbuf, queues_.tx[queue.port].pool);
    if (mbuf == nullptr) {
      not_copied_[queue.port].Add(1);
      return false;
    }
    mbuf = MakeReadable(mbuf);
  }
  packet = ToPacket(mbuf, queue.port);
  rte_prefetch0(packet.data);
  return true;
}

void Worker::Queue(rte_mbuf* mbuf, const net::Packet& packet) noexcept {
  if (mbuf->nb_segs > 1 && !queues_.tx[packet.port].takes_chains && !MakeLinear(mbuf)) {
    rte_pktmbuf_free(mbuf);
    unit_.CountUnsent(index_, {&packet, 1}, DropReason::kTransmitFull);
    return;
  }
  Batch& batch = batches_[packet.port];
  batch.mbufs[batch.count] = mbuf;
  batch.packets[batch.count++] = packet;
}

void Worker::Send() noexcept {
  for (const net::Packet& packet : out_->transmit()) {
    Queue(FromPacket(packet), packet);
  }
  for (const pipeline::OriginatedFrame& frame : out_->originated()) {
    net::Packet packet;
    packet.port = frame.port;
    packet.length = frame.length;
    packet.flags = net::kOriginated;
    if (rte_mbuf* const mbuf = ToMbuf(frame); mbuf != nullptr) {
      Queue(mbuf, packet);
    } else {
      unit_.CountUnsent(index_, {&packet, 1}, DropReason::kTransmitFull);
    }
  }
  for (size_t port = 0; port < batches_.size(); ++port) {
    if (batches_[port].count > 0) SendBatch(queues_.tx[port], batches_[port]);
  }
  for (void* const handle : out_->release()) {
    rte_pktmbuf_free(static_cast<rte_mbuf*>(handle));
  }
  out_->Clear();
}

void Worker::SendBatch(const TxQueue& queue, Batch& batch) noexcept {
  if (has_fence_ && IsStale()) {
    Unsent(batch, 0, DropReason::kFenced);
    return;
  }
  if (!queue.link_up->load(std::memory_order_relaxed)) {
    Unsent(batch, 0, DropReason::kPortDown);
    return;
  }
  uint16_t sent = 0;
  for (unsigned attempt = 0; sent < batch.count && attempt < kSendAttemptsMax; ++attempt) {
    if (attempt > 0) rte_pause();
    sent = static_cast<uint16_t>(
        sent + Burst(queue, &batch.mbufs[sent], static_cast<uint16_t>(batch.count - sent)));
  }
  Unsent(batch, sent, DropReason::kTransmitFull);
}

// The process, or this thread alone, may have been stopped since the turn began; others may have taken
// over.
bool Worker::IsStale() const noexcept {
  const Nanos now = MonotonicNow();
  return now > turn_began_ + kTurnMax || unit_.IsFenced(index_, now);
}

void Worker::Unsent(Batch& batch, uint16_t first, DropReason reason) noexcept {
  const auto count = static_cast<uint16_t>(batch.count - first);
  if (count > 0) {
    rte_pktmbuf_free_bulk(&batch.mbufs[first], count);
    unit_.CountUnsent(index_, {&batch.packets[first], count}, reason);
  }
  batch.count = 0;
}

rte_mbuf* Worker::ToMbuf(const pipeline::OriginatedFrame& frame) noexcept {
  rte_mbuf* const mbuf = rte_pktmbuf_alloc(queues_.tx[frame.port].pool);
  if (mbuf == nullptr) return nullptr;
  std::memcpy(rte_pktmbuf_mtod(mbuf, uint8_t*), frame.bytes.data(), frame.length);
  mbuf->data_len = frame.length;
  mbuf->pkt_len = frame.length;
  return mbuf;
}

}  // namespace tandem::io
