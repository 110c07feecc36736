// SPDX-License-Identifier: Apache-2.0
//
// What happened last, for whoever reads a violation; and the violation itself.
#pragma once

#include <cstdarg>
#include <deque>
#include <stdexcept>
#include <string>

#include "dataplane/base/time.h"

namespace tandem::sim {

// An invariant did not hold. Thrown by the checkers, never by the code under test.
class Violation : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Journal {
 public:
  explicit Journal(bool verbose = false) : verbose_(verbose) {}

  [[gnu::format(printf, 3, 4)]] void Note(Nanos now, const char* format, ...);
  // The last entries, a line each.
  std::string Text() const;

 private:
  static constexpr size_t kKept = 200;

  bool verbose_;
  std::deque<std::string> lines_;
};

// Like printf.
[[noreturn, gnu::format(printf, 1, 2)]] void Violate(const char* format, ...);

}  // namespace tandem::sim
