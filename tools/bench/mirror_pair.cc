// SPDX-License-Identifier: Apache-2.0
//
// What mirroring costs and brings, measured on whole devices in one process:
//
//   mirror_pair cost [WORD]  the active's packet path, mirroring off and on side by side; of scenarios
//                            with WORD in their name
//   mirror_pair profile [WORD]  a little of cost, for a profiler; its times mean nothing
//   mirror_pair lag          from a change to its being applied on the standby
//   mirror_pair bulk         a new session of 1 and of 4 million flows, with traffic going on
//   mirror_pair promote      from the word that a standby is active to the first packet it forwards
//   mirror_pair churn [N]    memory, while N connections (10^8) come and go and 10 % of frames are
//                            lost; fails when memory grows or the tables differ at the end
//
// Nothing else should run on the machine's cores; churn measures no time.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tools/bench/pair_scenarios.h"

int main(int argc, char** argv) {
  using namespace tandem::bench;
  const std::string_view what = argc > 1 ? argv[1] : "";
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (what == "cost") {
    MeasureCost(argc > 2 ? argv[2] : "", false);
  } else if (what == "profile") {
    MeasureCost(argc > 2 ? argv[2] : "", true);
  } else if (what == "lag") {
    MeasureLag();
  } else if (what == "bulk") {
    MeasureBulk();
  } else if (what == "promote") {
    MeasurePromotion();
  } else if (what == "churn") {
    return Churn(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 100'000'000) ? 0 : 1;
  } else {
    std::fprintf(stderr,
                 "usage: mirror_pair cost|profile [word]|lag|bulk|promote|churn [connections]\n");
    return 2;
  }
}
