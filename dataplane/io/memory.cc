// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/memory.h"

#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace tandem::io {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kHugepage = size_t{2} << 20;
constexpr int kMapHuge2Mb = 21 << MAP_HUGE_SHIFT;

size_t RoundUp(size_t bytes, size_t to) {
  return (bytes + to - 1) / to * to;
}

void* Map(size_t bytes, int extra_flags) {
  void* const address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | extra_flags, -1, 0);
  return address == MAP_FAILED ? nullptr : address;
}

// A preference only: where a node is full the memory comes from another.
void Prefer(void* address, size_t bytes, int node) {
  if (node < 0 || node >= 64) return;
  const uint64_t nodes = uint64_t{1} << node;
  syscall(SYS_mbind, address, bytes, MPOL_PREFERRED, &nodes, sizeof(nodes) * 8, 0U);
}

// Zeroed pages behind all of it; false: there are not enough.
bool Populate(void* address, size_t bytes) {
  if (madvise(address, bytes, MADV_POPULATE_WRITE) == 0) return true;
  if (errno != EINVAL) return false;
  // Before Linux 5.14.
  for (size_t offset = 0; offset < bytes; offset += kPage)
    static_cast<volatile std::byte*>(address)[offset] = std::byte{0};
  return true;
}

}  // namespace

Memory::~Memory() {
  for (const std::span<std::byte> mapping : mappings_) {
    munmap(mapping.data(), mapping.size());
  }
}

std::span<std::byte> Memory::Allocate(size_t bytes, int node) {
  const size_t size = RoundUp(bytes == 0 ? 1 : bytes, kHugepage);
  void* address = hugepages_allowed_ ? Map(size, MAP_HUGETLB | kMapHuge2Mb) : nullptr;
  const bool huge = address != nullptr;
  if (!huge) {
    address = Map(size, MAP_NORESERVE);
    if (address == nullptr) return {};
    madvise(address, size, MADV_HUGEPAGE);
  }
  Prefer(address, size, node);
  if (!Populate(address, size)) {
    munmap(address, size);
    return {};
  }
  const std::span<std::byte> mapping(static_cast<std::byte*>(address), size);
  mappings_.push_back(mapping);
  bytes_ += size;
  if (huge) hugepage_bytes_ += size;
  return mapping.first(bytes);
}

}  // namespace tandem::io
