// SPDX-License-Identifier: Apache-2.0
//
// A persistence table with memory of its own.
#pragma once

#include <stdlib.h>

#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/persist/table.h"

namespace tandem::test {

class TableMemory {
 public:
  TableMemory(uint32_t records, unsigned workers, uint64_t seed = 1)
      : blocks_(Make(records, workers)), table(Spans(blocks_), records, seed) {}

 private:
  struct Block {
    std::unique_ptr<std::byte, decltype(&free)> bytes;
    size_t size;
  };
  static std::vector<Block> Make(uint32_t records, unsigned workers) {
    std::vector<Block> blocks;
    const size_t size = persist::Table::BytesNeeded(records, workers);
    for (unsigned w = 0; w < workers; ++w) {
      blocks.push_back({{static_cast<std::byte*>(aligned_alloc(64, size)), &free}, size});
      std::memset(blocks.back().bytes.get(), 0, size);
    }
    return blocks;
  }
  static std::vector<std::span<std::byte>> Spans(const std::vector<Block>& blocks) {
    std::vector<std::span<std::byte>> spans;
    for (const Block& block : blocks)
      spans.push_back({block.bytes.get(), block.size});
    return spans;
  }

  std::vector<Block> blocks_;

 public:
  persist::Table table;
};

}  // namespace tandem::test
