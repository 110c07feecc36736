// SPDX-License-Identifier: Apache-2.0
//
// A statistics counter with one writer and any number of readers. Adding is a plain load and store:
// no locked instruction. Readers may see a value a moment old, never a torn one.
#pragma once

#include <atomic>
#include <cstdint>

namespace tandem {

class Counter {
 public:
  void Add(uint64_t amount) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void Subtract(uint64_t amount) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) - amount, std::memory_order_relaxed);
  }
  void Set(uint64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  uint64_t Get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace tandem
