// SPDX-License-Identifier: Apache-2.0
//
// A ring of slots between two threads, without copying: the producer fills the next free slot where it
// lies, the consumer reads it there.
//
// Thread safety: one producer thread and one consumer thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace tandem {

template <class Slot, size_t kSlots>
class SlotRing {
 public:
  SlotRing() : slots_(std::make_unique<Slot[]>(kSlots)) {}

  // Producer: the slot to fill, nullptr when the ring is full. Unchanged until Push.
  Slot* Free() noexcept {
    const uint32_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) == kSlots) return nullptr;
    return &slots_[tail % kSlots];
  }
  void Push() noexcept {
    tail_.store(tail_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  // Consumer: the oldest slot, nullptr when the ring is empty. Its until Pop.
  Slot* Front() noexcept {
    const uint32_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return nullptr;
    return &slots_[head % kSlots];
  }
  void Pop() noexcept {
    head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  // Any thread: about how many are in it.
  uint32_t size() const noexcept {
    return tail_.load(std::memory_order_relaxed) - head_.load(std::memory_order_relaxed);
  }

 private:
  static_assert((kSlots & (kSlots - 1)) == 0, "numbers wrap");

  std::unique_ptr<Slot[]> slots_;
  alignas(64) std::atomic<uint32_t> head_{0};
  alignas(64) std::atomic<uint32_t> tail_{0};
};

}  // namespace tandem
