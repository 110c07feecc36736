// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/io/eal_for_test.h"

#include <cstdlib>
#include <iostream>

#include "dataplane/io/eal.h"

namespace tandem::io {

void NeedEal() {
  static const absl::StatusOr<Eal>* const eal = [] {
    EalOptions options;
    options.file_prefix = "tandem-test";
    options.lcores = "0@0,1@0,2@0";
    options.hugepages = false;
    options.memory_needed = 64 << 20;
    options.extra = {"--no-telemetry"};
    return new absl::StatusOr<Eal>(Eal::Start(options, [](unsigned level, std::string_view line) {
      if (level <= 4) std::cerr << line << "\n";
    }));
  }();
  if (!eal->ok()) {
    std::cerr << eal->status() << "\n";
    std::abort();
  }
}

}  // namespace tandem::io
