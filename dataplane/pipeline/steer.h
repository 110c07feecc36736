// SPDX-License-Identifier: Apache-2.0
//
// Which worker owns the flow of a packet that missed: picks the endpoint that both legs share and
// asks config/steering.h. See "Who owns a flow" in dataplane/README.md.
#pragma once

#include "dataplane/pipeline/context.h"

namespace tandem::pipeline {

// `key` as the packet carries it, or, for an ICMP error, as a packet of the flow would coming from
// where the error came.
unsigned OwnerOf(const config::Snapshot& snapshot, const config::Interface& interface,
                 const net::FlowKey4& key, uint8_t protocol) noexcept;
unsigned OwnerOf(const config::Snapshot& snapshot, const config::Interface& interface,
                 const net::FlowKey6& key, uint8_t protocol) noexcept;

// Passes the packet to its owner when that is another worker and it has not been passed before; the
// packet is gone then (handed off, or dropped because the ring is full).
bool HandOff(Context& context, const Work& work, unsigned owner) noexcept;

}  // namespace tandem::pipeline
