// SPDX-License-Identifier: Apache-2.0
//
// Telling the network where floating addresses are: puts on the wire what neighbour/announcer.h says.
#pragma once

#include "dataplane/pipeline/context.h"

namespace tandem::pipeline {

// Worker 0, each turn. A new role is announced when every worker has taken it over: whoever hears of
// it and sends something is served.
void Announce(Context& context) noexcept;

}  // namespace tandem::pipeline
