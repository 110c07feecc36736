// SPDX-License-Identifier: Apache-2.0
#include "dataplane/ha/election.h"

#include <algorithm>

#include "dataplane/base/mutation.h"
namespace tandem::ha {

uint32_t ScoreOf(std::span<const ScoreInput> inputs) {
  uint64_t score = 0;
  for (const ScoreInput& input : inputs) {
    if (input.total == 0 || input.up < input.needed) continue;
    score += uint64_t{input.weight} * std::min(input.up, input.total) / input.total;
  }
  return static_cast<uint32_t>(std::min<uint64_t>(score, 100'000));
}

uint32_t LoadOf(uint32_t load_factors, uint32_t capacity) {
  const uint64_t load = uint64_t{load_factors} * 1000 / std::max(capacity, 1U);
  return static_cast<uint32_t>(std::min<uint64_t>(load, 1'000'000'000));
}

uint32_t OrderOf(const GroupSettings& group, DeviceId device) {
  const auto found = std::ranges::find(group.ha_order, device);
  if (found == group.ha_order.end()) return 0;
  return static_cast<uint32_t>(found - group.ha_order.begin()) + 1;
}

bool IsPreferred(const GroupSettings& group, const Candidate& a, const Candidate& b) {
  if (group.method == Method::kHaScore && a.score != b.score) return a.score > b.score;
  if (group.method == Method::kLoad && a.load != b.load) return a.load < b.load;
  const uint32_t place_a = OrderOf(group, a.device) - 1;  // none: behind all
  const uint32_t place_b = OrderOf(group, b.device) - 1;
  if (place_a != place_b) return place_a < place_b;
  return a.device < b.device;
}

bool TakesOverBefore(const GroupSettings& group, const Candidate& a, const Candidate& b) {
  if (a.is_in_sync != b.is_in_sync && !Mutated(Mutation::kUnsyncedFirst)) return a.is_in_sync;
  if (a.is_next_active != b.is_next_active) return a.is_next_active;
  return IsPreferred(group, a, b);
}

}  // namespace tandem::ha
