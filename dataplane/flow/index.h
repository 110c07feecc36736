// SPDX-License-Identifier: Apache-2.0
//
// Hash index from key hash to (slot, side): two-choice buckets of one cache line. See table.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tandem::flow {

class Index {
 public:
  static size_t BytesNeeded(uint32_t entries);
  Index(std::span<std::byte> memory, uint32_t entries);
};

}  // namespace tandem::flow
