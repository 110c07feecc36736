// SPDX-License-Identifier: Apache-2.0
//
// Connections open now, per virtual and per member, over all workers: what connection limits and
// least connections look at. Touched when a flow begins or ends, never by an established packet.
//
// Thread safety: any worker; relaxed atomics, one cache line each. The limit is exact: a worker
// that would exceed it takes its step back.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "dataplane/base/limits.h"
#include "dataplane/config/ids.h"

namespace tandem::config {

class LiveCounts {
 public:
  LiveCounts()
      : virtuals_(std::make_unique<Count[]>(kVirtualsMax + 1)),
        members_(std::make_unique<Count[]>(kMembersMax + 1)) {}

  // False, and nothing changed, when `limit` (0 = none) is reached.
  [[nodiscard]] bool TakeVirtual(VirtualId id, uint32_t limit) { return virtuals_[id].Take(limit); }
  [[nodiscard]] bool TakeMember(MemberId id, uint32_t limit) { return members_[id].Take(limit); }
  void ReleaseVirtual(VirtualId id) { virtuals_[id].Release(); }
  void ReleaseMember(MemberId id) { members_[id].Release(); }

  uint32_t OfVirtual(VirtualId id) const { return virtuals_[id].Get(); }
  uint32_t OfMember(MemberId id) const { return members_[id].Get(); }

 private:
  struct alignas(64) Count {
    std::atomic<uint32_t> value{0};

    bool Take(uint32_t limit) {
      const uint32_t before = value.fetch_add(1, std::memory_order_relaxed);
      if (limit == 0 || before < limit) return true;
      Release();
      return false;
    }
    void Release() { value.fetch_sub(1, std::memory_order_relaxed); }
    uint32_t Get() const { return value.load(std::memory_order_relaxed); }
  };

  std::unique_ptr<Count[]> virtuals_;
  std::unique_ptr<Count[]> members_;
};

}  // namespace tandem::config
