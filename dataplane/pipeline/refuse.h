// SPDX-License-Identifier: Apache-2.0
//
// Saying no: dropping a packet with a reason and, where the sender can make use of it, with a RST or
// an ICMP error. Answers share one rate limit per worker (Snapshot::reset_rate_max); beyond it the
// packet is dropped all the same and `resets_suppressed` counts the silence.
#pragma once

#include "dataplane/net/frame.h"
#include "dataplane/pipeline/context.h"

namespace tandem::pipeline {

// Drops; TCP is answered with a RST, anything else with port unreachable.
void Reject(Context& context, const Work& work, DropReason reason) noexcept;

// Drops with an ICMP error about the packet; `mtu` for kTooBig.
void DropWithIcmp(Context& context, const Work& work, DropReason reason, net::IcmpErrorKind kind,
                  uint16_t mtu = 0) noexcept;

// RSTs to both ends of an idled-out flow, each as its peer would have sent it.
template <class Hot>
void ResetBothEnds(Context& context, const Hot& flow) noexcept;

}  // namespace tandem::pipeline
