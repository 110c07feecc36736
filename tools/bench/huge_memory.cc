// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/huge_memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

namespace tandem::bench {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kSmallPage = 4096;

bool has_reserved = false;

std::byte* Map(size_t size, int more_flags) {
  void* const memory =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | more_flags, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<std::byte*>(memory);
}

// Transparent pages need a range that starts on one.
std::byte* MapAligned(size_t size) {
  std::byte* const memory = Map(size + kHugePage, 0);
  if (memory == nullptr) return nullptr;
  const size_t lead = (kHugePage - reinterpret_cast<uintptr_t>(memory) % kHugePage) % kHugePage;
  if (lead > 0) munmap(memory, lead);
  if (lead < kHugePage) munmap(memory + lead + size, kHugePage - lead);
  madvise(memory + lead, size, MADV_HUGEPAGE);
  return memory + lead;
}

}  // namespace

HugeMemory::HugeMemory(size_t bytes) : size_((bytes + kHugePage - 1) / kHugePage * kHugePage) {
  data_ = Map(size_, MAP_HUGETLB);
  has_reserved = has_reserved || data_ != nullptr;
  if (data_ == nullptr) data_ = MapAligned(size_);
  if (data_ == nullptr) {
    std::fprintf(stderr, "no memory: %zu MiB\n", size_ >> 20);
    std::exit(1);
  }
  // As a daemon's is when it begins: no first touch of a page while something is measured.
  for (size_t page = 0; page < size_; page += kSmallPage)
    static_cast<volatile std::byte*>(data_)[page] = std::byte{0};
}

HugeMemory::~HugeMemory() {
  munmap(data_, size_);
}

std::string_view HugeMemory::Kind() {
  if (has_reserved) return "reserved 2 MiB pages";
  std::ifstream rollup("/proc/self/smaps_rollup");
  for (std::string line; std::getline(rollup, line);) {
    if (line.starts_with("AnonHugePages:")) {
      return std::strtoul(line.c_str() + 14, nullptr, 10) > 0 ? "transparent 2 MiB pages"
                                                              : "4 KiB pages";
    }
  }
  return "4 KiB pages";
}

}  // namespace tandem::bench
