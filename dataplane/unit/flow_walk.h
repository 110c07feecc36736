// SPDX-License-Identifier: Apache-2.0
//
// A worker's side of a FlowQuery: walks all slots of both families, a bounded piece each turn.
#pragma once

#include <cstdint>

#include "dataplane/pipeline/context.h"
#include "dataplane/unit/flow_query.h"

namespace tandem::unit {

class FlowWalk {
 public:
  static constexpr uint32_t kSlotsPerTurn = 2048;  // about 10 us when few of them match
  static constexpr uint32_t kEndsPerTurn = 128;

  void Begin(FlowQuery& query) noexcept;
  bool active() const { return query_ != nullptr; }

  // One piece; sets query.done with the last one. False: nothing can be done now.
  bool Step(pipeline::Context& context) noexcept;

 private:
  template <class Hot>
  bool StepFamily(pipeline::Context& context) noexcept;  // true: family done, or results full

  FlowQuery* query_ = nullptr;
  bool ipv6_ = false;
  uint32_t next_slot_ = 0;
};

}  // namespace tandem::unit
