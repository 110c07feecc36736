// SPDX-License-Identifier: Apache-2.0
//
// Applies a flow's translation to a packet: addresses, ports (or ICMP query identifier), TTL or hop
// limit, and the checksums over them, incrementally (RFC 1624 equation 3, so that damage done
// elsewhere stays visible to the endpoint). A UDP checksum of 0 over IPv4 stays 0 (RFC 768).
//
// Pure; writes only inside the headers that Parse vouched for.
#pragma once

#include "dataplane/flow/flow.h"
#include "dataplane/net/packet.h"
#include "dataplane/net/parse.h"

namespace tandem::nat {

// A packet that came in on `side` of `flow` and leaves on the other. Decrements the TTL, which the
// caller has checked to be above 1. For a first fragment the L4 header is rewritten all the same.
void Rewrite(net::Packet& packet, const net::Parsed& parsed, const flow::FlowHot4& flow,
             flow::Side side) noexcept;
void Rewrite(net::Packet& packet, const net::Parsed& parsed, const flow::FlowHot6& flow,
             flow::Side side) noexcept;

// TTL or hop limit minus one, with the IPv4 checksum; for DSR and plain forwarding.
void DecrementTtl(net::Packet& packet, const net::Parsed& parsed) noexcept;

// An ICMP error that came in on `side` (from the server side or beyond it, or the client side) about
// a packet that we sent out there: translates the quoted packet back into what the other end had
// sent, the outer destination to that end, and, when the error comes from the flow's own endpoint
// whose address is translated, the outer source. Fixes the quoted IP and L4 checksums as far as
// they are present, and the ICMP checksum (RFC 5508 section 4). Decrements the TTL of the error, as
// Rewrite does.
void RewriteIcmpError(net::Packet& packet, const net::Parsed& parsed, const net::Parsed& quoted,
                      const flow::FlowHot4& flow, flow::Side side) noexcept;
void RewriteIcmpError(net::Packet& packet, const net::Parsed& parsed, const net::Parsed& quoted,
                      const flow::FlowHot6& flow, flow::Side side) noexcept;

}  // namespace tandem::nat
