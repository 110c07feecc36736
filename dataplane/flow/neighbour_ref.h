// SPDX-License-Identifier: Apache-2.0
//
// How a flow names its next hop. On its own, because the neighbour room needs no more of flows.
#pragma once

#include <cstdint>

namespace tandem::flow {

// Where packets to the server side go: an entry of the neighbour table, valid while its generation
// matches. Value 0 is none.
struct NeighbourRef {
  uint16_t index = 0;
  uint16_t generation = 0;

  friend bool operator==(const NeighbourRef&, const NeighbourRef&) = default;
};

}  // namespace tandem::flow
