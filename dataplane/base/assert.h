// SPDX-License-Identifier: Apache-2.0
//
// TANDEM_ASSERT checks what only our own mistake could break. It stays on in release builds, and it
// is never used for anything that came off a wire, a socket or a file.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace tandem {

[[noreturn]] inline void AssertFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
  std::abort();
}

}  // namespace tandem

#define TANDEM_ASSERT(condition)                \
  (__builtin_expect(!!(condition), 1) ? void(0) \
                                      : ::tandem::AssertFailed(#condition, __FILE__, __LINE__))
