// SPDX-License-Identifier: Apache-2.0
//
// Connections open now, per virtual and per member: what connection limits and least connections look at.
// Each worker counts for itself, in memory that no other worker writes; what all have is the sum. Touched
// when a flow begins or ends, never by an established packet.
//
// A limit is never exceeded: a worker counts first, then adds up what all have, and takes its step back when
// that is too many. When several want the last place at the same moment, none may get it.
//
// A flow may be given back by another worker than the one that took it: counts wrap, their sum does not.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "dataplane/base/limits.h"
#include "dataplane/config/ids.h"

namespace tandem::config {

// Of all workers. Thread safety: any.
class LiveTotals {
 public:
  // 1 .. kWorkersMax.
  explicit LiveTotals(unsigned workers)
      : workers_(workers), counts_(std::make_unique<Count[]>(workers * kRow)) {}

  uint32_t OfVirtual(VirtualId id) const { return Sum(id); }
  uint32_t OfMember(MemberId id) const { return Sum(kVirtuals + id); }

 private:
  friend class LiveCounts;
  using Count = std::atomic<uint32_t>;
  static constexpr size_t kVirtuals = kVirtualsMax + 1;
  // Virtuals, then members; to the end of a line and one more, which the processor may fetch along.
  static constexpr size_t kLine = 64 / sizeof(Count);
  static constexpr size_t kRow = ((kVirtuals + kMembersMax + 1) / kLine + 2) * kLine;

  uint32_t Sum(size_t at) const {
    uint32_t sum = 0;
    for (unsigned worker = 0; worker < workers_; ++worker)
      sum += counts_[worker * kRow + at].load(std::memory_order_seq_cst);
    return sum;
  }

  unsigned workers_;
  std::unique_ptr<Count[]> counts_;  // of each worker a row
};

// A worker's own. Thread safety: that worker.
class LiveCounts {
 public:
  // `all` outlives it.
  LiveCounts(LiveTotals& all, unsigned worker)
      : all_(all), own_(&all.counts_[worker * LiveTotals::kRow]) {}

  // False, and nothing changed, when `limit` (0 = none) is reached.
  [[nodiscard]] bool TakeVirtual(VirtualId id, uint32_t limit) { return Take(id, limit); }
  [[nodiscard]] bool TakeMember(MemberId id, uint32_t limit) {
    return Take(LiveTotals::kVirtuals + id, limit);
  }
  void ReleaseVirtual(VirtualId id) { Change(id, -1U); }
  void ReleaseMember(MemberId id) { Change(LiveTotals::kVirtuals + id, -1U); }

  // Of all workers.
  uint32_t OfVirtual(VirtualId id) const { return all_.OfVirtual(id); }
  uint32_t OfMember(MemberId id) const { return all_.OfMember(id); }

 private:
  void Change(size_t at, uint32_t by) {
    LiveTotals::Count& own = own_[at];
    own.store(own.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  bool Take(size_t at, uint32_t limit) {
    if (limit != 0) return TakeWithin(at, limit);
    Change(at, 1);
    return true;
  }
  // Of two workers that both count before they add up, one at least sees the other.
  [[gnu::noinline]] bool TakeWithin(size_t at, uint32_t limit) {
    LiveTotals::Count& own = own_[at];
    own.store(own.load(std::memory_order_relaxed) + 1, std::memory_order_seq_cst);
    if (all_.Sum(at) <= limit) return true;
    Change(at, -1U);
    return false;
  }

  LiveTotals& all_;
  LiveTotals::Count* own_;  // a row of all_'s
};

}  // namespace tandem::config
