// SPDX-License-Identifier: Apache-2.0
//
// Hands out slots of a table in pages of kFlowsPerPage. A page belongs to one traffic group while
// any of its slots is used, and carries its number in that group's own logical slot space, so that
// (group, logical slot) can name a flow on both devices while each keeps its own page placement.
// The lowest logical page with room is used first, which keeps the space dense.
//
// A shadow's slots are taken by their logical number instead, as the other device named them. A page
// that somebody still has to speak about (a change not acknowledged yet) is held: it does not go back
// to the pool, nor does its logical number mean anything else, until nobody holds it.
//
// Thread safety: one worker. Allocate and Free are O(1) amortised; freeing never allocates.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/base/limits.h"
#include "dataplane/config/ids.h"
#include "dataplane/flow/bit_tree.h"
#include "dataplane/flow/memory_carver.h"

namespace tandem::flow {

class SlotPages {
 public:
  static size_t BytesNeeded(uint32_t capacity);

  // `memory`: BytesNeeded(capacity) bytes, 64-byte aligned, zeroed; outlives this.
  SlotPages(std::span<std::byte> memory, uint32_t capacity);

  // A free slot of `group`, or UINT32_MAX when neither its pages nor the pool have one.
  uint32_t Allocate(config::TrafficGroupId group) noexcept;
  // What Allocate would return for the same group after it returned `slot`, to be fetched meanwhile;
  // UINT32_MAX: somewhere else.
  uint32_t After(uint32_t slot) const noexcept {
    const uint64_t word = memory_.pages[slot / kPageSlots].used_words[slot % kPageSlots / 64];
    return ~word == 0 ? UINT32_MAX : slot / 64 * 64 + static_cast<uint32_t>(std::countr_one(word));
  }
  void Free(uint32_t slot) noexcept;

  // Takes the slot with this logical number, its page begun when need be; UINT32_MAX when the pool has
  // no page for it or `logical` is not below LogicalMax(). REQUIRES: the slot is free.
  uint32_t AllocateAt(config::TrafficGroupId group, uint32_t logical) noexcept;

  // The slot with this logical number, used or not; UINT32_MAX when its page is not begun.
  uint32_t SlotAt(config::TrafficGroupId group, uint32_t logical) const noexcept;
  // All logical slots ever begun of the group are below it; a multiple of kFlowsPerPage.
  uint32_t LogicalEnd(config::TrafficGroupId group) const noexcept;
  // A multiple of kFlowsPerPage; no device of this size can have a logical slot at or above it.
  uint32_t LogicalMax() const noexcept;

  // Counted per page. The last Unhold of an empty page gives it back. A page of which `used` is 0
  // and that is held has no slot in use but is begun.
  void Hold(uint32_t slot) noexcept;
  void Unhold(uint32_t slot) noexcept;

  bool IsUsed(uint32_t slot) const noexcept;
  // Slots in use of the page of `slot`. REQUIRES: the page is begun.
  uint32_t UsedOfPage(uint32_t slot) const noexcept {
    return memory_.pages[slot / kPageSlots].used;
  }
  config::TrafficGroupId GroupOf(uint32_t slot) const noexcept {
    return memory_.pages[slot / kPageSlots].group;
  }
  // The slot's number in its group's logical space.
  uint32_t LogicalSlot(uint32_t slot) const noexcept {
    return memory_.pages[slot / kPageSlots].logical * kPageSlots + slot % kPageSlots;
  }

  uint32_t used() const { return used_; }
  // No slot at or above this has ever been handed out.
  uint32_t SlotsTouched() const noexcept;
  uint32_t capacity() const { return capacity_; }

 private:
  static constexpr uint32_t kPageSlots = kFlowsPerPage;
  struct Page {
    uint64_t used_words[kPageSlots / 64];  // one bit a slot
    uint64_t full_words;                   // one bit a word of `used_words` without a zero
    uint32_t used;                         // slots that do not exist are not counted
    uint32_t logical;
    uint32_t holds;
    config::TrafficGroupId group;
  };
  struct Memory {
    Page* pages;
    uint64_t* returned_pages;  // BitTree: pages below pages_begun_ that are in the pool again
    // Of each group, one after the other:
    uint32_t* logical_begun;      // logical numbers below it have been given out
    uint64_t* logical_returned;   // BitTree: those of them that are free again
    uint64_t* logical_with_room;  // BitTree: those that have a free slot
    uint16_t* physical;           // logical number -> page
  };
  static constexpr size_t kGroups = kTrafficGroupsMax + 1;

  static uint32_t PageCount(uint32_t capacity);
  static Memory Carve(MemoryCarver& carver, uint32_t page_count);

  BitTree ReturnedPages() const { return BitTree(memory_.returned_pages); }
  BitTree LogicalReturned(config::TrafficGroupId group) const;
  BitTree LogicalWithRoom(config::TrafficGroupId group) const;
  uint16_t& Physical(config::TrafficGroupId group, uint32_t logical) const;
  uint32_t SlotsOf(uint32_t page) const;
  uint32_t NextPage() const noexcept;
  static void MarkMissing(Page& page, uint32_t slots) noexcept;
  uint32_t NextLogical(config::TrafficGroupId group) const noexcept;
  void BeginPage(uint32_t page, config::TrafficGroupId group, uint32_t logical) noexcept;
  void Use(uint32_t slot) noexcept;
  void ReturnPage(uint32_t page) noexcept;

  Memory memory_ = {};
  uint32_t page_count_;
  uint32_t pages_begun_ = 0;  // pages from here on were never used and are untouched memory
  uint32_t capacity_;
  uint32_t used_ = 0;
};

}  // namespace tandem::flow
