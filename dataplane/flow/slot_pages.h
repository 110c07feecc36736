// SPDX-License-Identifier: Apache-2.0
//
// Hands out slots of a table in pages of kFlowsPerPage. A page belongs to one traffic group while
// any of its slots is used, and carries its number in that group's own logical slot space, so that
// (group, logical slot) can name a flow on both devices while each keeps its own page placement.
// The lowest logical page with room is used first, which keeps the space dense.
//
// Thread safety: one worker. Allocate and Free are O(1) amortised; freeing never allocates.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/base/limits.h"
#include "dataplane/config/ids.h"

namespace tandem::flow {

class SlotPages {
 public:
  static size_t BytesNeeded(uint32_t capacity);

  // `memory`: BytesNeeded(capacity) bytes, 64-byte aligned, zeroed; outlives this.
  SlotPages(std::span<std::byte> memory, uint32_t capacity);

  // A free slot of `group`, or UINT32_MAX when neither its pages nor the pool have one.
  uint32_t Allocate(config::TrafficGroupId group) noexcept;
  uint32_t Peek(config::TrafficGroupId group) const noexcept;  // what Allocate would return
  void Free(uint32_t slot) noexcept;

  bool IsUsed(uint32_t slot) const noexcept;
  config::TrafficGroupId GroupOf(uint32_t slot) const noexcept;
  // The slot's number in its group's logical space.
  uint32_t LogicalSlot(uint32_t slot) const noexcept;

  uint32_t used() const { return used_; }
  uint32_t capacity() const { return capacity_; }

 private:
  struct Page;
  Page* pages_ = nullptr;
  uint32_t capacity_ = 0;
  uint32_t used_ = 0;
};

}  // namespace tandem::flow
