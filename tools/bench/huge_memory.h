// SPDX-License-Identifier: Apache-2.0
//
// Zeroed memory on 2 MiB pages where the machine has them: reserved ones first (MAP_HUGETLB), then
// transparent ones (MADV_HUGEPAGE), else what there is. Benchmarks say which, because random access
// on 4 KiB pages costs two to three times as much.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace tandem::bench {

class HugeMemory {
 public:
  explicit HugeMemory(size_t bytes);  // exits with a message when there is no such memory
  ~HugeMemory();
  HugeMemory(const HugeMemory&) = delete;
  HugeMemory& operator=(const HugeMemory&) = delete;

  std::span<std::byte> bytes() const { return {data_, size_}; }
  // "reserved 2 MiB pages", "transparent 2 MiB pages", "4 KiB pages", of all memory in use so far.
  static std::string_view Kind();

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace tandem::bench
