// SPDX-License-Identifier: Apache-2.0
//
// The slots of one family that a stream has to speak about, each once: DirtyList those that are to be told
// of soon, oldest first, LaterList those that may wait for more to happen to them. What a lost frame spoke
// of goes to the front, for it is older than the rest.
//
// The first kNear slots of a DirtyList are in an array: their flows changed a moment ago and are mostly
// near. Those behind are linked through FlowCold::mirror_link, which takes no memory however many they
// are.
//
// Thread safety: none; one worker.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/base/time.h"
#include "dataplane/flow/table.h"

namespace tandem::mirror {

inline constexpr Nanos kNever = UINT64_MAX;  // later than everything

// What FlowCold::mirror_link says of a slot that is in a LaterList. No slot's number is as high.
inline constexpr uint32_t kMirrorLater = flow::kMirrorListEnd - 1;
static_assert(kFlowsPerWorkerMax < kMirrorLater);

// How old the oldest of a queue is, without a time stamp for each: marks at which entry a time began.
// When there are more times than marks, entries are taken for older than they are.
class QueueAges {
 public:
  // An entry joined the queue's end. One that is older than some before it makes those as old.
  void Push(Nanos since) noexcept {
    if (since != newest_) [[unlikely]]
      BeginTime(since);
    ++pushed_;
  }
  // The same, if it is of the time of the last one.
  bool TryPush(Nanos since) noexcept {
    if (since != newest_) return false;
    ++pushed_;
    return true;
  }
  // The oldest left it.
  void Pop(uint32_t count = 1) noexcept {
    popped_ += count;
    while (popped_ >= first_end_)
      EndTime();
  }
  uint32_t size() const noexcept { return static_cast<uint32_t>(pushed_ - popped_); }
  Nanos oldest() const noexcept {
    return pushed_ == popped_ ? kNever : marks_[begin_ % kMarks].since;
  }

 private:
  static constexpr uint32_t kMarks = 64;
  static constexpr uint64_t kNotOver = UINT64_MAX;
  struct Mark {
    uint64_t end = 0;  // how many had been pushed when its time was over
    Nanos since = 0;
  };
  Mark& Last() noexcept { return marks_[(end_ - 1) % kMarks]; }

  [[gnu::noinline]] void BeginTime(Nanos since) noexcept {
    if (pushed_ == popped_) begin_ = end_;
    for (uint32_t i = end_; i != begin_ && marks_[(i - 1) % kMarks].since > since; --i)
      marks_[(i - 1) % kMarks].since = since;
    if (begin_ == end_ || (Last().since != since && end_ - begin_ != kMarks)) {
      if (begin_ != end_) Last().end = pushed_;
      marks_[end_++ % kMarks] = {kNotOver, since};
    }
    newest_ = Last().since;
    first_end_ = marks_[begin_ % kMarks].end;
  }
  [[gnu::noinline]] void EndTime() noexcept { first_end_ = marks_[++begin_ % kMarks].end; }

  std::array<Mark, kMarks> marks_{};
  uint32_t begin_ = 0;
  uint32_t end_ = 0;
  // Copies of what the usual Push and Pop need to know.
  Nanos newest_ = kNever;          // time of the last mark, which is not over
  uint64_t first_end_ = kNotOver;  // of the first mark
  uint64_t pushed_ = 0;
  uint64_t popped_ = 0;
};

template <class Hot>
class DirtyList {
 public:
  using Table = flow::FlowTable<Hot>;

  // REQUIRES, of both: the slot is in no list.
  void Add(Table& table, uint32_t slot, Nanos since) noexcept {
    table.cold(slot).mirror_link = flow::kMirrorListEnd;
    if (end_ == full_ || !ages_.TryPush(since)) [[unlikely]]
      return AddSlowly(table, slot, since);
    At(end_++) = slot;
  }
  void AddFirst(Table& table, uint32_t slot, Nanos since) noexcept {
    table.cold(slot).mirror_link = flow::kMirrorListEnd;
    if (end_ - begin_ == kNear) LinkFirst(table, At(--end_));
    At(--begin_) = slot;
    first_since_ = firsts_ == 0 ? since : std::min(first_since_, since);
    ++firsts_;
    SeeRoom();
  }

  // The slots whose turn it is, oldest first; none: the list is empty. They are at hand in one piece, so
  // there may be more behind them.
  std::span<const uint32_t> Front(Table& table) noexcept {
    if (begin_ == end_) {
      if (far_ == flow::kNoSlot) return {};
      Approach(table);
    }
    return {&At(begin_), std::min(end_ - begin_, kNear - begin_ % kNear)};
  }
  // REQUIRES: they are the first of Front, and each was marked clean.
  void Pop(uint32_t count) noexcept {
    begin_ += count;
    const uint32_t firsts = std::min(count, firsts_);
    firsts_ -= firsts;
    ages_.Pop(count - firsts);
    SeeRoom();
  }
  static void MarkClean(Table& table, uint32_t slot) noexcept { table.cold(slot).mirror_link = 0; }
  uint32_t size() const noexcept { return firsts_ + ages_.size(); }
  // No slot of the list became dirty before; kNever when it is empty.
  Nanos oldest() const noexcept {
    return std::min(firsts_ == 0 ? kNever : first_since_, ages_.oldest());
  }

 private:
  static constexpr uint32_t kNear = 1024;
  static constexpr uint32_t kApproached = 32;  // at once

  uint32_t& At(uint32_t position) noexcept { return near_[position % kNear]; }

  void SeeRoom() noexcept { full_ = far_ == flow::kNoSlot ? begin_ + kNear : end_; }
  [[gnu::noinline]] void AddSlowly(Table& table, uint32_t slot, Nanos since) noexcept {
    if (end_ != full_) {
      At(end_++) = slot;
    } else {
      Link(table, slot);
      SeeRoom();
    }
    ages_.Push(since);
  }
  void Link(Table& table, uint32_t slot) noexcept {
    if (far_ == flow::kNoSlot) {
      far_ = slot;
    } else {
      table.cold(far_end_).mirror_link = slot + 1;
    }
    far_end_ = slot;
  }
  void LinkFirst(Table& table, uint32_t slot) noexcept {
    if (far_ == flow::kNoSlot) {
      far_end_ = slot;
    } else {
      table.cold(slot).mirror_link = far_ + 1;
    }
    far_ = slot;
  }
  // Following a list through memory is slow: it is done for many flows, which then arrive together.
  [[gnu::noinline]] void Approach(Table& table) noexcept {
    while (far_ != flow::kNoSlot && end_ - begin_ < kApproached) {
      const uint32_t slot = far_;
      uint32_t& link = table.cold(slot).mirror_link;
      far_ = link == flow::kMirrorListEnd ? flow::kNoSlot : link - 1;
      link = flow::kMirrorListEnd;
      table.PrefetchSlot(slot);
      At(end_++) = slot;
    }
    SeeRoom();
  }

  uint32_t begin_ = 0;  // of those near; both count on
  uint32_t end_ = 0;
  uint32_t full_ = kNear;             // the end_ at which what comes next has to be linked
  uint32_t far_ = flow::kNoSlot;      // the first that is linked
  uint32_t far_end_ = flow::kNoSlot;  // the last; only when far_ is a slot
  uint32_t firsts_ = 0;               // slots at the front that came by AddFirst
  Nanos first_since_ = kNever;
  QueueAges ages_;  // of the others
  std::array<uint32_t, kNear> near_{};
};

// Slots that are dirty and wait for kDelay, oldest first. One that must not wait any longer is taken out by
// its mark (mirror_link) alone; its entry stays here, passed over when its turn comes.
template <class Hot>
class LaterList {
 public:
  using Table = flow::FlowTable<Hot>;
  static constexpr Nanos kDelay = 10 * kMillisecond;

  bool is_full() const noexcept { return end_ - begin_ == kSize; }
  // REQUIRES: the slot is in no list; this one is not full.
  void Add(Table& table, uint32_t slot, Nanos now) noexcept {
    table.cold(slot).mirror_link = kMirrorLater;
    entries_[end_++ % kSize] = slot;
    ages_.Push(now - now % kGrain);
    ++size_;
  }
  // REQUIRES: the slot is in the list. The caller puts it into another.
  void TakeOut(Table& table, uint32_t slot) noexcept {
    table.cold(slot).mirror_link = 0;
    --size_;
  }
  // Whether the oldest entry was put here at `until` or before, or more come than there is room for.
  bool IsDue(Nanos until) const noexcept {
    return ages_.oldest() <= until || end_ - begin_ > kSize / 4 * 3;
  }
  // The slot of the oldest entry, taken out; kNoSlot: it was passed over. Its page may have become another
  // group's then, in whose list the slot may be by now. REQUIRES: IsDue.
  uint32_t Next(Table& table, config::TrafficGroupId group) noexcept {
    Prefetch(table);
    const uint32_t slot = entries_[begin_++ % kSize];
    ages_.Pop();
    if (table.cold(slot).mirror_link != kMirrorLater) return flow::kNoSlot;
    if (table.pages().GroupOf(slot) != group) return flow::kNoSlot;
    TakeOut(table, slot);
    return slot;
  }

  uint32_t size() const noexcept { return size_; }  // slots that wait
  // When the wait of the oldest entry is over; no slot here is late before. kNever: there is none.
  Nanos oldest_end() const noexcept {
    return ages_.oldest() == kNever ? kNever : ages_.oldest() + kDelay;
  }

 private:
  static constexpr uint32_t kSize = 8192;
  static constexpr uint32_t kAhead = 8;
  static constexpr Nanos kGrain = kDelay / 32;  // of times: QueueAges can tell so many apart

  // (Always inline, for g++ 12 takes a call that only prefetches for one without effect.)
  [[gnu::always_inline]] void Prefetch(const Table& table) const noexcept {
    if (kAhead < end_ - begin_)
      __builtin_prefetch(&table.cold(entries_[(begin_ + kAhead) % kSize]).mirror_link);
  }

  uint32_t begin_ = 0;  // of the entries; both count on
  uint32_t end_ = 0;
  uint32_t size_ = 0;
  QueueAges ages_;
  // Written before it is read: the memory of idle streams is never touched.
  std::unique_ptr<uint32_t[]> entries_ = std::make_unique_for_overwrite<uint32_t[]>(kSize);
};

}  // namespace tandem::mirror
