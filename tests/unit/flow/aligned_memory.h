// SPDX-License-Identifier: Apache-2.0
//
// Zeroed memory of exactly the size asked for, aligned to cache lines, so that the address
// sanitizer sees the first byte beyond it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <random>
#include <span>

namespace tandem::flow {

class AlignedMemory {
 public:
  explicit AlignedMemory(size_t size)
      : size_(size), bytes_(static_cast<std::byte*>(::operator new(size, kAlignment))) {
    std::fill_n(bytes_.get(), size, std::byte{0});
  }

  operator std::span<std::byte>() const { return {bytes_.get(), size_}; }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Delete {
    void operator()(std::byte* bytes) const { ::operator delete(bytes, kAlignment); }
  };

  size_t size_;
  std::unique_ptr<std::byte, Delete> bytes_;
};

// A seed for one run of a test with chance in it; the test prints it.
inline uint64_t FreshSeed() {
  return std::random_device{}();
}

}  // namespace tandem::flow
