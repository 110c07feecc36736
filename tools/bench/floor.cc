// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/floor.h"

#include <array>

#include "dataplane/base/prefetch.h"

namespace tandem::bench {

Floor::Floor(uint32_t flows)
    : index_lines_(flows / 4 + 1),
      flow_lines_(flows),
      memory_((size_t{index_lines_} + flow_lines_) * sizeof(Line)),
      index_(static_cast<Line*>(static_cast<void*>(memory_.bytes().data()))),
      flows_(index_ + index_lines_) {
  // Touched, so that every line is there.
  for (uint32_t i = 0; i < flow_lines_; ++i)
    flows_[i].words[0] = i;
  for (uint32_t i = 0; i < index_lines_; ++i)
    index_[i].words[0] = 0;
}

template <class Use>
void Floor::Burst(Prng& prng, const Use& use) {
  std::array<uint32_t, kBurst> index_at;
  std::array<uint32_t, kBurst> flow_at;
  for (size_t i = 0; i < kBurst; ++i) {
    index_at[i] = prng.Below(index_lines_);
    flow_at[i] = prng.Below(flow_lines_);
    PrefetchForBurst(&index_[index_at[i]]);
  }
  for (size_t i = 0; i < kBurst; ++i) {
    flow_at[i] += static_cast<uint32_t>(index_[index_at[i]].words[0]);  // plus nothing
    PrefetchForBurst(&flows_[flow_at[i]]);
  }
  for (const uint32_t at : flow_at)
    use(flows_[at]);
}

void Floor::ReadBurst(Prng& prng) {
  Burst(prng, [this](const Line& line) { sum_ += line.words[0]; });
}

void Floor::WriteBurst(Prng& prng) {
  Burst(prng, [this](Line& line) { sum_ += line.words[7]++; });
}

}  // namespace tandem::bench
