// SPDX-License-Identifier: Apache-2.0
//
// Large zeroed memory for the flow tables: 2 MiB pages when there are some free and they are
// allowed, else ordinary pages that the kernel is asked to make huge. All of it is there when it is given
// out: what a page's first touch costs (zeroing 2 MiB takes as long as a thousand packets) is not for the
// packet path, nor is the news that there is no memory.
//
// Thread safety: one thread.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace tandem::io {

class Memory {
 public:
  explicit Memory(bool hugepages_allowed) : hugepages_allowed_(hugepages_allowed) {}
  ~Memory();  // gives everything back
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // Page aligned; from NUMA node `node` as far as it has room (-1: from any).
  // Empty when there is no memory.
  std::span<std::byte> Allocate(size_t bytes, int node);

  // Bytes given out so far, and how many of them are reserved 2 MiB pages.
  size_t bytes() const { return bytes_; }
  size_t hugepage_bytes() const { return hugepage_bytes_; }

 private:
  bool hugepages_allowed_;
  size_t bytes_ = 0;
  size_t hugepage_bytes_ = 0;
  std::vector<std::span<std::byte>> mappings_;
};

}  // namespace tandem::io
