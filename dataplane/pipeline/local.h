// SPDX-License-Identifier: Apache-2.0
//
// Packets for the device itself that are not ARP or neighbour discovery.
#pragma once

#include "dataplane/pipeline/context.h"

namespace tandem::pipeline {

// Answers an echo request to one of our addresses in place: consumed, and originated as a reply.
// False (and nothing done) when it is for somebody else.
bool AnswerEcho(Context& context, Work& work) noexcept;

}  // namespace tandem::pipeline
