// SPDX-License-Identifier: Apache-2.0
//
// Memory of vectors that are read at random: on 2 MiB pages where the kernel has them, since a million
// flows on pages of 4 KiB cost a walk of the page tables at nearly every look.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <vector>

namespace tandem::pktgen {

template <typename T>
struct HugePageAllocator {
  using value_type = T;

  HugePageAllocator() = default;
  template <typename Other>
  explicit constexpr HugePageAllocator(const HugePageAllocator<Other>& /*other*/) noexcept {}

  T* allocate(size_t count) {
    const size_t bytes = count * sizeof(T);
    void* const memory = ::operator new(bytes, AlignmentOf(count));
    // Advice: what is not followed costs time, and nothing else.
    if (bytes >= kHugePage) madvise(memory, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, size_t count) noexcept {
    ::operator delete(memory, AlignmentOf(count));
  }

  friend bool operator==(const HugePageAllocator&, const HugePageAllocator&) { return true; }

 private:
  static constexpr size_t kHugePage = size_t{2} << 20;

  static std::align_val_t AlignmentOf(size_t count) {
    return std::align_val_t{count * sizeof(T) >= kHugePage ? kHugePage : alignof(T)};
  }
};

template <typename T>
using HugePageVector = std::vector<T, HugePageAllocator<T>>;

}  // namespace tandem::pktgen
