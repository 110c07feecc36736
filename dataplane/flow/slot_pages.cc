// SPDX-License-Identifier: Apache-2.0
#include "dataplane/flow/slot_pages.h"

#include <algorithm>
#include <bit>

#include "dataplane/base/assert.h"

namespace tandem::flow {
namespace {

static_assert(kFlowsPerPage == size_t{64} * 64, "one summary word covers a page");
static_assert(kFlowsPerWorkerMax / kFlowsPerPage <= BitTree::kSizeMax);

constexpr uint32_t kNone = UINT32_MAX;

uint32_t LowestZero(uint64_t word) {
  return static_cast<uint32_t>(std::countr_one(word));
}

}  // namespace

uint32_t SlotPages::PageCount(uint32_t capacity) {
  return (capacity + kPageSlots - 1) / kPageSlots;
}

SlotPages::Memory SlotPages::Carve(MemoryCarver& carver, uint32_t page_count) {
  const size_t tree = BitTree::WordsNeeded(page_count);
  return {
      .pages = carver.Take<Page>(page_count),
      .returned_pages = carver.Take<uint64_t>(tree),
      .logical_begun = carver.Take<uint32_t>(kGroups),
      .logical_returned = carver.Take<uint64_t>(kGroups * tree),
      .logical_with_room = carver.Take<uint64_t>(kGroups * tree),
      .physical = carver.Take<uint16_t>(kGroups * page_count),
  };
}

size_t SlotPages::BytesNeeded(uint32_t capacity) {
  MemoryCarver carver;
  Carve(carver, PageCount(capacity));
  return carver.used();
}

SlotPages::SlotPages(std::span<std::byte> memory, uint32_t capacity)
    : page_count_(PageCount(capacity)), capacity_(capacity) {
  TANDEM_ASSERT(capacity > 0 && capacity <= kFlowsPerWorkerMax);
  MemoryCarver carver(memory);
  memory_ = Carve(carver, page_count_);
}

BitTree SlotPages::LogicalReturned(config::TrafficGroupId group) const {
  return BitTree(memory_.logical_returned + group * BitTree::WordsNeeded(page_count_));
}

BitTree SlotPages::LogicalWithRoom(config::TrafficGroupId group) const {
  return BitTree(memory_.logical_with_room + group * BitTree::WordsNeeded(page_count_));
}

uint16_t& SlotPages::Physical(config::TrafficGroupId group, uint32_t logical) const {
  return memory_.physical[size_t{group} * page_count_ + logical];
}

// The last page may be a part only.
uint32_t SlotPages::SlotsOf(uint32_t page) const {
  return std::min(kPageSlots, capacity_ - page * kPageSlots);
}

// The page that the pool would give, or kNone.
uint32_t SlotPages::NextPage() const noexcept {
  const uint32_t returned = ReturnedPages().FirstFrom(0);
  if (returned != BitTree::kNone) return returned;
  return pages_begun_ < page_count_ ? pages_begun_ : kNone;
}

// Slots of a short page that do not exist are used for ever.
void SlotPages::MarkMissing(Page& page, uint32_t slots) noexcept {
  const uint32_t partial = slots / 64;
  page.used_words[partial] = ~uint64_t{0} << (slots % 64);
  for (uint32_t word = partial + 1; word < 64; ++word)
    page.used_words[word] = ~uint64_t{0};
  const uint32_t first_full = (slots + 63) / 64;
  if (first_full < 64) page.full_words = ~uint64_t{0} << first_full;
}

// The lowest logical page of the group that is not begun.
uint32_t SlotPages::NextLogical(config::TrafficGroupId group) const noexcept {
  const uint32_t returned = LogicalReturned(group).FirstFrom(0);
  return returned != BitTree::kNone ? returned : memory_.logical_begun[group];
}

void SlotPages::BeginPage(uint32_t page, config::TrafficGroupId group, uint32_t logical) noexcept {
  if (page == pages_begun_) {
    ++pages_begun_;
  } else {
    ReturnedPages().Clear(page);
  }
  uint32_t& begun = memory_.logical_begun[group];
  if (logical < begun) {
    LogicalReturned(group).Clear(logical);
  } else {
    // Those in between were not asked for yet: free, as if they had been given back.
    for (; begun < logical; ++begun)
      LogicalReturned(group).Set(begun);
    begun = logical + 1;
  }
  Page& state = memory_.pages[page];
  state = Page{};
  const uint32_t slots = SlotsOf(page);
  if (slots < kPageSlots) MarkMissing(state, slots);
  state.logical = logical;
  state.group = group;
  Physical(group, logical) = static_cast<uint16_t>(page);
  LogicalWithRoom(group).Set(logical);
}

void SlotPages::ReturnPage(uint32_t page) noexcept {
  Page& state = memory_.pages[page];
  LogicalWithRoom(state.group).Clear(state.logical);
  LogicalReturned(state.group).Set(state.logical);
  ReturnedPages().Set(page);
}

uint32_t SlotPages::Allocate(config::TrafficGroupId group) noexcept {
  TANDEM_ASSERT(group < kGroups);
  const uint32_t logical = LogicalWithRoom(group).FirstFrom(0);
  uint32_t page = 0;
  if (logical != BitTree::kNone) {
    page = Physical(group, logical);
  } else {
    page = NextPage();
    if (page == kNone) return kNone;
    BeginPage(page, group, NextLogical(group));
  }
  const Page& state = memory_.pages[page];
  const uint32_t word = LowestZero(state.full_words);
  const uint32_t slot = page * kPageSlots + word * 64 + LowestZero(state.used_words[word]);
  Use(slot);
  return slot;
}

void SlotPages::Use(uint32_t slot) noexcept {
  const uint32_t page = slot / kPageSlots;
  Page& state = memory_.pages[page];
  const uint32_t word = slot % kPageSlots / 64;
  state.used_words[word] |= uint64_t{1} << (slot % 64);
  if (~state.used_words[word] == 0) state.full_words |= uint64_t{1} << word;
  if (++state.used == SlotsOf(page)) LogicalWithRoom(state.group).Clear(state.logical);
  ++used_;
}

uint32_t SlotPages::AllocateAt(config::TrafficGroupId group, uint32_t logical) noexcept {
  TANDEM_ASSERT(group < kGroups);
  if (logical >= LogicalMax()) return kNone;
  uint32_t slot = SlotAt(group, logical);
  if (slot == kNone) {
    // A short page that was begun for it has no such slot, and the number is not to be had twice.
    if (SlotAt(group, logical / kPageSlots * kPageSlots) != kNone) return kNone;
    const uint32_t page = NextPage();
    if (page == kNone || SlotsOf(page) <= logical % kPageSlots) return kNone;
    BeginPage(page, group, logical / kPageSlots);
    slot = page * kPageSlots + logical % kPageSlots;
  }
  TANDEM_ASSERT(!IsUsed(slot));
  Use(slot);
  return slot;
}

uint32_t SlotPages::SlotAt(config::TrafficGroupId group, uint32_t logical) const noexcept {
  const uint32_t page = logical / kPageSlots;
  if (page >= memory_.logical_begun[group] || LogicalReturned(group).Test(page)) return kNone;
  const uint32_t physical = Physical(group, page);
  return logical % kPageSlots < SlotsOf(physical) ? physical * kPageSlots + logical % kPageSlots
                                                  : kNone;
}

uint32_t SlotPages::LogicalEnd(config::TrafficGroupId group) const noexcept {
  return memory_.logical_begun[group] * kPageSlots;
}

uint32_t SlotPages::LogicalMax() const noexcept {
  return page_count_ * kPageSlots;
}

void SlotPages::Hold(uint32_t slot) noexcept {
  ++memory_.pages[slot / kPageSlots].holds;
}

void SlotPages::Unhold(uint32_t slot) noexcept {
  const uint32_t page = slot / kPageSlots;
  Page& state = memory_.pages[page];
  TANDEM_ASSERT(state.holds > 0);
  if (--state.holds == 0 && state.used == 0) ReturnPage(page);
}

void SlotPages::Free(uint32_t slot) noexcept {
  TANDEM_ASSERT(IsUsed(slot));
  const uint32_t page = slot / kPageSlots;
  Page& state = memory_.pages[page];
  const uint32_t word = slot % kPageSlots / 64;
  state.used_words[word] &= ~(uint64_t{1} << (slot % 64));
  state.full_words &= ~(uint64_t{1} << word);
  if (state.used == SlotsOf(page)) LogicalWithRoom(state.group).Set(state.logical);
  --used_;
  if (--state.used == 0 && state.holds == 0) ReturnPage(page);
}

bool SlotPages::IsUsed(uint32_t slot) const noexcept {
  if (slot >= capacity_) return false;
  const Page& state = memory_.pages[slot / kPageSlots];
  return (state.used_words[slot % kPageSlots / 64] >> (slot % 64) & 1) != 0;
}

uint32_t SlotPages::SlotsTouched() const noexcept {
  return std::min(capacity_, pages_begun_ * kPageSlots);
}

}  // namespace tandem::flow
