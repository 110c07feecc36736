// SPDX-License-Identifier: Apache-2.0
//
// Which flow the next request belongs to: all alike, or by Zipf's law, where the flow of rank k (from 1)
// has a share proportional to k^-s, as services and their clients have in practice.
//
// Zipf draws from an alias table (Walker 1977, Vose 1991): exact for any number of flows, one random
// number and one look-up a draw. 8 bytes a flow.
#pragma once

#include <cstdint>

#include "dataplane/base/prng.h"
#include "tools/pktgen/huge_pages.h"

namespace tandem::pktgen {

class Popularity {
 public:
  // Uniform with an exponent of 0. REQUIRES: 1 <= flows; exponent >= 0.
  Popularity(uint32_t flows, double exponent);

  // Flow 0 is the most popular.
  uint32_t Draw(Prng& prng) const noexcept {
    const uint64_t random = prng.Next();
    const auto column = static_cast<uint32_t>((random >> 32) * flows_ >> 32);
    if (columns_.empty()) return column;
    const Column& chosen = columns_[column];
    // Independent of the column: other bits of a second number.
    return static_cast<uint32_t>(prng.Next() >> 32) <= chosen.own_share ? column : chosen.alias;
  }

 private:
  struct Column {
    uint32_t own_share = UINT32_MAX;  // of 2^32, minus one
    uint32_t alias = 0;
  };

  uint64_t flows_;
  HugePageVector<Column> columns_;  // empty: uniform
};

}  // namespace tandem::pktgen
