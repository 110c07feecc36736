// SPDX-License-Identifier: Apache-2.0
#include "tests/support/allocation_guard.h"

#include <cstdlib>
#include <new>

namespace {

bool is_guarded = false;
unsigned allocations = 0;

void NoteAllocation() {
  if (is_guarded) ++allocations;
}

}  // namespace

namespace tandem::test {

void GuardAllocations(bool begins) {
  is_guarded = begins;
}
unsigned Allocations() {
  return allocations;
}

}  // namespace tandem::test

extern "C" {
void* __real_malloc(size_t size);
void* __real_calloc(size_t count, size_t size);
void* __real_realloc(void* old, size_t size);
void* __real_aligned_alloc(size_t alignment, size_t size);
int __real_posix_memalign(void** result, size_t alignment, size_t size);

void* __wrap_malloc(size_t size) {
  NoteAllocation();
  return __real_malloc(size);
}
void* __wrap_calloc(size_t count, size_t size) {
  NoteAllocation();
  return __real_calloc(count, size);
}
void* __wrap_realloc(void* old, size_t size) {
  NoteAllocation();
  return __real_realloc(old, size);
}
void* __wrap_aligned_alloc(size_t alignment, size_t size) {
  NoteAllocation();
  return __real_aligned_alloc(alignment, size);
}
int __wrap_posix_memalign(void** result, size_t alignment, size_t size) {
  NoteAllocation();
  return __real_posix_memalign(result, alignment, size);
}
}

void* operator new(size_t size) {
  void* memory = std::malloc(size);  // counted there
  if (memory == nullptr) std::abort();
  return memory;
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return std::malloc(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}
