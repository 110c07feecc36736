// SPDX-License-Identifier: Apache-2.0
//
// One flow as its client sees it, a cache line in a flat array indexed by flow number.
#pragma once

#include <cstdint>

#include "dataplane/base/time.h"
#include "tools/pktgen/sequence_tracker.h"

namespace tandem::pktgen {

enum class FlowState : uint8_t {
  kClosed,
  kOpening,  // TCP: SYN sent; UDP: first request sent
  kOpen,
  kClosing,  // TCP: FIN sent
};

struct alignas(64) ClientFlow {
  SequenceTracker replies;
  uint32_t sent = 0;  // marked packets in this phase
  // TCP. Requests under way are consecutive: the first has number `index` and begins at `first_sequence`;
  // its length follows from flow and number.
  uint32_t first_sequence = 0;
  uint32_t next_sequence = 0;
  uint32_t index = 0;
  uint32_t answered = 0;       // bit i: the request index + i has its reply
  uint32_t requests_left = 0;  // of a connection that ends
  Tick deadline = 0;
  uint8_t under_way = 0;
  FlowState state = FlowState::kClosed;
  uint8_t retries = 0;
  uint8_t generation = 0;
  bool is_armed = false;    // in the timer wheel
  bool is_busy = false;     // something is under way, and a run should wait for it
  bool is_healthy = false;  // UDP: no request of this connection was given up
};
static_assert(sizeof(ClientFlow) == 64);

inline constexpr uint8_t kUnderWayMax = 32;  // requests of a TCP flow; bits of `answered`

}  // namespace tandem::pktgen
