// SPDX-License-Identifier: Apache-2.0
//
// Packets for the device itself that are not ARP or neighbour discovery.
#pragma once

#include "dataplane/pipeline/context.h"

namespace tandem::pipeline {

// Answers an echo request to one of our addresses in place: consumed, and originated as a reply.
// False (and nothing done) when it is for somebody else.
bool AnswerEcho(Context& context, Work& work) noexcept;

// As AnswerEcho, when all hosts of a VLAN are asked that failsafe watches: the devices there are each other's
// sign of life where nobody else speaks. From an address that this device has for itself if there is one.
// Hosts of the VLAN only are answered.
bool AnswerAllHosts(Context& context, Work& work) noexcept;

}  // namespace tandem::pipeline
