// SPDX-License-Identifier: Apache-2.0
//
// tandemctl as a function, so that tests can run it.
#pragma once

#include <istream>
#include <ostream>
#include <string>
#include <vector>

namespace tandem::tandemctl {

enum ExitStatus : int {
  kDone = 0,
  kRefused = 1,
  kUsage = 2,
  kUnreachable = 3,
};

struct Streams {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
};

// `arguments` without the program's name.
ExitStatus Run(const std::vector<std::string>& arguments, const Streams& streams);

}  // namespace tandem::tandemctl
