// SPDX-License-Identifier: Apache-2.0
//
// The slots of one family that a stream has to speak about: a list through FlowCold::mirror_link, oldest
// first, each slot once. What a lost frame spoke of goes to the front, for it is older than the rest.
//
// Following a list through memory is slow, so slots leave it in tens, whose flows then arrive together.
//
// Thread safety: none; one worker.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "dataplane/base/time.h"
#include "dataplane/flow/table.h"

namespace tandem::mirror {

inline constexpr Nanos kNever = UINT64_MAX;  // later than everything

// How old the oldest of a queue is, without a time stamp for each: marks at which entry a time began.
// When there are more times than marks, entries are taken for older than they are.
class QueueAges {
 public:
  // An entry joined the queue's end.
  void Push(Nanos now) noexcept {
    ++pushed_;
    if (begin_ != end_ && (Last().since == now || end_ - begin_ == kMarks)) {
      Last().end = pushed_;
    } else {
      marks_[end_++ % kMarks] = {pushed_, now};
    }
  }
  // The oldest left it.
  void Pop() noexcept {
    ++popped_;
    if (marks_[begin_ % kMarks].end == popped_) ++begin_;
  }
  Nanos oldest() const noexcept { return begin_ == end_ ? kNever : marks_[begin_ % kMarks].since; }

 private:
  static constexpr uint32_t kMarks = 64;
  struct Mark {
    uint64_t end = 0;  // how many had been pushed when its time was over
    Nanos since = 0;
  };
  Mark& Last() noexcept { return marks_[(end_ - 1) % kMarks]; }

  std::array<Mark, kMarks> marks_{};
  uint32_t begin_ = 0;
  uint32_t end_ = 0;
  uint64_t pushed_ = 0;
  uint64_t popped_ = 0;
};

template <class Hot>
class DirtyList {
 public:
  using Table = flow::FlowTable<Hot>;

  // REQUIRES, of both: the slot is not dirty.
  void Add(Table& table, uint32_t slot, Nanos now) noexcept {
    table.cold(slot).mirror_link = flow::kMirrorListEnd;
    if (head_ == flow::kNoSlot) {
      head_ = slot;
    } else {
      table.cold(tail_).mirror_link = slot + 1;
    }
    tail_ = slot;
    ages_.Push(now);
    ++size_;
  }
  void AddFirst(Table& table, uint32_t slot, Nanos since) noexcept {
    table.cold(slot).mirror_link = head_ == flow::kNoSlot ? flow::kMirrorListEnd : head_ + 1;
    if (head_ == flow::kNoSlot) tail_ = slot;
    head_ = slot;
    first_since_ = firsts_ == 0 ? since : std::min(first_since_, since);
    ++firsts_;
    ++size_;
  }

  // The slot whose turn it is; kNoSlot: none. It stays dirty until Pop.
  uint32_t Front(Table& table) noexcept {
    if (staged_next_ == staged_end_) Stage(table);
    return staged_next_ == staged_end_ ? flow::kNoSlot : staged_[staged_next_];
  }
  void Pop(Table& table) noexcept {
    table.cold(staged_[staged_next_++]).mirror_link = 0;
    --size_;
  }

  uint32_t size() const noexcept { return size_; }
  // No slot of the list became dirty before; kNever when it is empty.
  Nanos oldest() const noexcept {
    const Nanos waiting = std::min(firsts_ == 0 ? kNever : first_since_, ages_.oldest());
    return staged_next_ == staged_end_ ? waiting : std::min(staged_since_, waiting);
  }

 private:
  static constexpr unsigned kStaged = 32;

  void Stage(Table& table) noexcept {
    staged_next_ = 0;
    staged_end_ = 0;
    staged_since_ = oldest();
    while (staged_end_ < kStaged && head_ != flow::kNoSlot) {
      const uint32_t slot = head_;
      uint32_t& link = table.cold(slot).mirror_link;
      head_ = link == flow::kMirrorListEnd ? flow::kNoSlot : link - 1;
      link = flow::kMirrorListEnd;  // still dirty, though the list does not lead here any more
      table.PrefetchSlot(slot);
      if (firsts_ != 0) {
        --firsts_;
      } else {
        ages_.Pop();
      }
      staged_[staged_end_++] = slot;
    }
  }

  uint32_t head_ = flow::kNoSlot;
  uint32_t tail_ = flow::kNoSlot;  // only when head_ is a slot
  uint32_t size_ = 0;
  uint32_t firsts_ = 0;  // slots at the head that came by AddFirst
  Nanos first_since_ = kNever;
  QueueAges ages_;  // of the others
  uint32_t staged_next_ = 0;
  uint32_t staged_end_ = 0;
  Nanos staged_since_ = kNever;
  std::array<uint32_t, kStaged> staged_{};
};

}  // namespace tandem::mirror
