// SPDX-License-Identifier: Apache-2.0
//
// Cuts one block of zeroed memory into 64-byte aligned arrays. The same sequence of Take calls
// reckons the bytes needed (without memory) and lays them out (with it), so that the two agree.
#pragma once

#include <cstddef>
#include <span>
#include <type_traits>

#include "dataplane/base/assert.h"

namespace tandem::flow {

class MemoryCarver {
 public:
  MemoryCarver() = default;  // only reckons
  explicit MemoryCarver(std::span<std::byte> memory) : memory_(memory) {}

  // An array of `count`, or nullptr when only reckoning. The memory is not touched: all-zero bytes
  // must be a value of T.
  template <class T>
  T* Take(size_t count) {
    static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= kAlignment);
    const size_t begin = used_;
    used_ += (count * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
    if (memory_.data() == nullptr) return nullptr;
    TANDEM_ASSERT(used_ <= memory_.size());
    // The block's bytes become objects of T here; they are implicit-lifetime types.
    return static_cast<T*>(static_cast<void*>(memory_.data() + begin));
  }

  std::span<std::byte> TakeBytes(size_t bytes) { return {Take<std::byte>(bytes), bytes}; }

  size_t used() const { return used_; }

 private:
  static constexpr size_t kAlignment = 64;

  std::span<std::byte> memory_;
  size_t used_ = 0;
};

}  // namespace tandem::flow
