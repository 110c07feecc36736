// SPDX-License-Identifier: Apache-2.0
//
// ICMP errors about packets of a flow (RFC 5508 section 4): the quoted packet finds the flow, the
// error is translated and passed on to the flow's other end. They never change the flow.
#pragma once

#include "dataplane/pipeline/context.h"

namespace tandem::pipeline {

// REQUIRES: kind kIcmpError. The packet ends here.
void ProcessIcmpError(Context& context, Work& work) noexcept;

}  // namespace tandem::pipeline
