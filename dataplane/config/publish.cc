// SPDX-License-Identifier: Apache-2.0
#include "dataplane/config/publish.h"

#include <rte_rcu_qsbr.h>

#include <cstdlib>
#include <utility>

#include "dataplane/base/assert.h"

namespace tandem::config {

void Publisher::Free::operator()(rte_rcu_qsbr* memory) const noexcept {
  std::free(memory);
}

Publisher::Publisher(unsigned workers) {
  TANDEM_ASSERT(workers >= 1 && workers <= kReadersMax);
  const size_t bytes = rte_rcu_qsbr_get_memsize(workers);  // a multiple of the cache line
  void* memory = std::aligned_alloc(RTE_CACHE_LINE_SIZE, bytes);
  TANDEM_ASSERT(memory != nullptr);
  qsbr_.reset(static_cast<rte_rcu_qsbr*>(memory));
  TANDEM_ASSERT(rte_rcu_qsbr_init(qsbr_.get(), workers) == 0);
  for (unsigned worker = 0; worker < workers; ++worker) {
    TANDEM_ASSERT(rte_rcu_qsbr_thread_register(qsbr_.get(), worker) == 0);
  }
}

Publisher::~Publisher() = default;

void Publisher::Publish(std::unique_ptr<const Snapshot> snapshot) {
  // Sequentially consistent: a worker that comes online either sees the new pointer or is seen by
  // the check of the grace period.
  current_.exchange(snapshot.get(), std::memory_order_seq_cst);
  std::unique_ptr<const Snapshot> previous = std::exchange(latest_, std::move(snapshot));
  if (previous != nullptr) retired_.push_back({StartGrace(), std::move(previous)});
  Reclaim();
}

unsigned Publisher::Reclaim() {
  while (!retired_.empty() && GraceOver(retired_.front().token))
    retired_.pop_front();
  return static_cast<unsigned>(retired_.size());
}

uint64_t Publisher::StartGrace() noexcept {
  return rte_rcu_qsbr_start(qsbr_.get());
}

bool Publisher::GraceOver(uint64_t token) noexcept {
  bool is_over = false;
  const bool asked =
      grace_.Try([&] { is_over = rte_rcu_qsbr_check(qsbr_.get(), token, /*wait=*/false) == 1; });
  return asked && is_over;
}

void Publisher::Online(unsigned worker) noexcept {
  rte_rcu_qsbr_thread_online(qsbr_.get(), worker);
}

const Snapshot* Publisher::Current(unsigned worker) noexcept {
  rte_rcu_qsbr_quiescent(qsbr_.get(), worker);
  return current_.load(std::memory_order_acquire);
}

void Publisher::Offline(unsigned worker) noexcept {
  rte_rcu_qsbr_thread_offline(qsbr_.get(), worker);
}

}  // namespace tandem::config
