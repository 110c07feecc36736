// SPDX-License-Identifier: Apache-2.0
//
// The least that a lookup of `flows` flows in main memory can cost: in bursts of 32, one random line
// of an index (16 bytes a flow) is read, then one random line of the flows (64 bytes a flow), each
// prefetched for the whole burst first. Nothing is hashed or compared; the place of the second line
// depends on what the first holds, as it does in an index.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/base/prng.h"
#include "tools/bench/huge_memory.h"

namespace tandem::bench {

inline constexpr size_t kBurst = 32;

class Floor {
 public:
  explicit Floor(uint32_t flows);

  void ReadBurst(Prng& prng);   // both lines read
  void WriteBurst(Prng& prng);  // the flow's line written, too

  uint64_t sum() const { return sum_; }

 private:
  struct alignas(64) Line {
    uint64_t words[8];
  };

  template <class Use>
  void Burst(Prng& prng, const Use& use);

  uint32_t index_lines_;
  uint32_t flow_lines_;
  HugeMemory memory_;
  Line* index_;
  Line* flows_;
  uint64_t sum_ = 0;
};

}  // namespace tandem::bench
