// SPDX-License-Identifier: Apache-2.0
//
// Applies a flow's translation to a packet: addresses, ports (or ICMP query identifier), TTL or hop
// limit, and the checksums over them, incrementally (RFC 1624 equation 3, so that damage done
// elsewhere stays visible to the endpoint). A UDP checksum of 0 over IPv4 stays 0 (RFC 768).
//
// Pure; writes only inside the headers that Parse vouched for.
#pragma once

#include <rte_byteorder.h>

#include "dataplane/flow/flow.h"
#include "dataplane/nat/fields.h"
#include "dataplane/net/packet.h"
#include "dataplane/net/parse.h"

namespace tandem::nat {

// A packet that came in on `side` of `flow` and leaves on the other. Decrements the TTL, which the
// caller has checked to be above 1. For a first fragment the L4 header is rewritten all the same.
inline void Rewrite(net::Packet& packet, const net::Parsed& parsed, const flow::FlowHot4& flow,
                    flow::Side side) noexcept;
inline void Rewrite(net::Packet& packet, const net::Parsed& parsed, const flow::FlowHot6& flow,
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

// ---- in line: every packet goes through it ------------------------------------------------------

namespace internal {

// TTL is the high byte of its 16-bit word: one less is 0x0100 taken away.
inline constexpr uint64_t kTtlChange = static_cast<uint16_t>(~RTE_BE16(0x0100));

// What is neither TCP nor UDP. `answer` and `addresses` as below.
template <class Key>
void RewriteOther(net::Packet& packet, const net::Parsed& parsed, const Key& answer,
                  uint64_t addresses) noexcept;

// The packet leaves with `answer` turned round; `addresses` is the change already made to its addresses.
template <class Key>
inline void RewriteL4(net::Packet& packet, const net::Parsed& parsed, net::Kind kind, uint8_t* l4,
                      const Key& answer, uint64_t addresses) noexcept {
  if (kind == net::Kind::kUdp) {
    FixUdpChecksum(l4 + kUdpChecksumOffset, addresses + TurnPorts(l4, answer));
  } else if (kind == net::Kind::kTcp) {
    FixChecksum(l4 + kTcpChecksumOffset, addresses + TurnPorts(l4, answer));
  } else {
    RewriteOther(packet, parsed, answer, addresses);
  }
}

}  // namespace internal

// (What is read of `parsed` is read before the packet, which might be the same memory, is written.)
inline void Rewrite(net::Packet& packet, const net::Parsed& parsed, const flow::FlowHot4& flow,
                    flow::Side side) noexcept {
  const net::FlowKey4& answer = KeyOf(flow, flow::Opposite(side));
  uint8_t* const ip = packet.data + parsed.l3_offset;
  uint8_t* const l4 = packet.data + parsed.l4_offset;
  const net::Kind kind = parsed.kind;
  const uint64_t addresses = TurnAddresses(ip + kIpv4SourceOffset, answer);
  --ip[kIpv4TtlOffset];
  FixChecksum(ip + kIpv4ChecksumOffset, addresses + internal::kTtlChange);
  internal::RewriteL4(packet, parsed, kind, l4, answer, addresses);
}

inline void Rewrite(net::Packet& packet, const net::Parsed& parsed, const flow::FlowHot6& flow,
                    flow::Side side) noexcept {
  const net::FlowKey6& answer = KeyOf(flow, flow::Opposite(side));
  uint8_t* const ip = packet.data + parsed.l3_offset;
  uint8_t* const l4 = packet.data + parsed.l4_offset;
  const uint64_t addresses = TurnAddresses(ip + kIpv6SourceOffset, answer);
  --ip[kIpv6HopLimitOffset];
  internal::RewriteL4(packet, parsed, parsed.kind, l4, answer, addresses);
}

}  // namespace tandem::nat
