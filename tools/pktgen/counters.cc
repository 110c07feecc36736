// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/counters.h"

namespace tandem::pktgen {
namespace {

struct Entry {
  const char* name;
  const char* meaning;
};

constexpr Entry kEntries[] = {
#define TANDEM_PKTGEN_ENTRY(symbol, name, meaning) {name, meaning},
    TANDEM_PKTGEN_COUNTERS(TANDEM_PKTGEN_ENTRY)
#undef TANDEM_PKTGEN_ENTRY
        {"none", ""}};

}  // namespace

const char* NameOf(Counter counter) {
  return kEntries[static_cast<size_t>(counter)].name;
}

const char* MeaningOf(Counter counter) {
  return kEntries[static_cast<size_t>(counter)].meaning;
}

uint64_t Counters::Arrivals() const {
  constexpr auto kFirst = static_cast<size_t>(Counter::kRequestsReceived);
  constexpr auto kLast = static_cast<size_t>(Counter::kReplayReceived);
  uint64_t sum = 0;
  for (size_t i = kFirst; i <= kLast; ++i)
    sum += values_[i];
  return sum;
}

}  // namespace tandem::pktgen
