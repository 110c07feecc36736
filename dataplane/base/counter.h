// SPDX-License-Identifier: Apache-2.0
//
// A statistics counter with one writer and any number of readers. Adding locks nothing. Readers may see
// a value a moment old, never a torn one.
#pragma once

#include <atomic>
#include <cstdint>

namespace tandem {

class Counter {
 public:
  void Add(uint64_t amount) noexcept {
#if defined(__x86_64__)
    // One instruction where a load and a store are three; as whole to a reader as they are.
    static_assert(sizeof(value_) == sizeof(uint64_t));
    asm("addq %1, %0" : "+m"(value_) : "er"(amount) : "cc");
#else
    Set(Get() + amount);
#endif
  }
  void Subtract(uint64_t amount) noexcept {
    Set(Get() - amount);
  }
  void Set(uint64_t value) noexcept {
    value_.store(value, std::memory_order_relaxed);
  }
  uint64_t Get() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace tandem
