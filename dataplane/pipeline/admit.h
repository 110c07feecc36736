// SPDX-License-Identifier: Apache-2.0
//
// The first packet of a flow: virtual server, member, way out, source address and port, and the new
// flow. Each step may refuse, with a reason; what a refused packet had taken is given back.
#pragma once

#include "dataplane/pipeline/context.h"

namespace tandem::pipeline {

// The packet ends here: transmitted, held or dropped. REQUIRES: this worker owns the flow, and the
// table has no flow with the packet's key.
template <class Hot>
void Admit(Context& context, Work& work) noexcept;

}  // namespace tandem::pipeline
