// SPDX-License-Identifier: Apache-2.0
//
// What mirroring costs and brings, measured on whole devices in one process:
//
//   mirror_pair cost       the active's packet path, mirroring off and on side by side
//
// Nothing else should run on the machine's cores.
#include <cstdio>
#include <string_view>

#include "tools/bench/huge_memory.h"
#include "tools/bench/pair_scenarios.h"

int main(int argc, char** argv) {
  using namespace tandem::bench;
  const std::string_view what = argc > 1 ? argv[1] : "";
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (what == "cost") {
    MeasureCost();
  } else {
    std::fprintf(stderr, "usage: mirror_pair cost\n");
    return 2;
  }
  const std::string_view kind = HugeMemory::Kind();
  std::printf("memory: %.*s\n", static_cast<int>(kind.size()), kind.data());
}
