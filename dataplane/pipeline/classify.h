// SPDX-License-Identifier: Apache-2.0
//
// What a parsed packet is to this device: the interface it is on, whether its MAC is ours, and
// whether it is the device's own business.
#pragma once

#include "dataplane/pipeline/context.h"

namespace tandem::pipeline {

enum class Business : uint8_t {
  kDone,       // answered, consumed or dropped
  kTraffic,    // has a flow key: look it up
  kIcmpError,  // about a flow
};

// Sets work.interface. Parse drops end here, too.
Business Classify(Context& context, Work& work) noexcept;

}  // namespace tandem::pipeline
