// SPDX-License-Identifier: Apache-2.0
#include "dataplane/nat/rewrite.h"

#include <rte_byteorder.h>

#include "dataplane/nat/fields.h"

namespace tandem::nat {
namespace {

using net::Kind;
using net::Packet;
using net::Parsed;

// TTL is the high byte of its 16-bit word: one less is 0x0100 taken away.
constexpr uint64_t kTtlChange = static_cast<uint16_t>(~RTE_BE16(0x0100));

// What is neither TCP nor UDP. `answer` and `addresses` as below.
template <class Key>
[[gnu::noinline]] void RewriteOther(Packet& packet, const Parsed& parsed, const Key& answer,
                                    uint64_t addresses) noexcept {
  uint8_t* l4 = packet.data + parsed.l4_offset;
  // Only ICMPv6 covers the addresses (RFC 4443 section 2.3).
  const uint64_t covered = parsed.is_ipv6() ? addresses : 0;
  if (parsed.kind == Kind::kIcmpQuery) {
    const bool is_reply = (parsed.flags & net::kIcmpReply) != 0;
    const uint64_t identifier = Replace(l4 + kIcmpIdentifierOffset,
                                        is_reply ? answer.source_port : answer.destination_port);
    FixIcmpChecksum(l4 + kIcmpChecksumOffset, identifier + covered);
  } else if (parsed.kind == Kind::kIcmpOther && parsed.is_ipv6()) {
    FixIcmpChecksum(l4 + kIcmpChecksumOffset, covered);
  }
}

// The packet leaves with `answer` turned round; `addresses` is the change already made to its addresses.
template <class Key>
inline void RewriteL4(Packet& packet, const Parsed& parsed, const Key& answer,
                      uint64_t addresses) noexcept {
  uint8_t* l4 = packet.data + parsed.l4_offset;
  if (parsed.kind == Kind::kUdp) {
    FixUdpChecksum(l4 + kUdpChecksumOffset, addresses + TurnPorts(l4, answer));
  } else if (parsed.kind == Kind::kTcp) {
    FixChecksum(l4 + kTcpChecksumOffset, addresses + TurnPorts(l4, answer));
  } else {
    RewriteOther(packet, parsed, answer, addresses);
  }
}

}  // namespace

void Rewrite(Packet& packet, const Parsed& parsed, const flow::FlowHot4& flow,
             flow::Side side) noexcept {
  const net::FlowKey4& answer = KeyOf(flow, Opposite(side));
  uint8_t* ip = packet.data + parsed.l3_offset;
  const uint64_t addresses = TurnAddresses(ip + kIpv4SourceOffset, answer);
  --ip[kIpv4TtlOffset];
  FixChecksum(ip + kIpv4ChecksumOffset, addresses + kTtlChange);
  RewriteL4(packet, parsed, answer, addresses);
}

void Rewrite(Packet& packet, const Parsed& parsed, const flow::FlowHot6& flow,
             flow::Side side) noexcept {
  const net::FlowKey6& answer = KeyOf(flow, Opposite(side));
  uint8_t* ip = packet.data + parsed.l3_offset;
  const uint64_t addresses = TurnAddresses(ip + kIpv6SourceOffset, answer);
  --ip[kIpv6HopLimitOffset];
  RewriteL4(packet, parsed, answer, addresses);
}

void DecrementTtl(Packet& packet, const Parsed& parsed) noexcept {
  uint8_t* ip = packet.data + parsed.l3_offset;
  if (parsed.is_ipv6()) {
    --ip[kIpv6HopLimitOffset];
    return;
  }
  --ip[kIpv4TtlOffset];
  FixChecksum(ip + kIpv4ChecksumOffset, kTtlChange);
}

}  // namespace tandem::nat
