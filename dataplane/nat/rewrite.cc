// SPDX-License-Identifier: Apache-2.0
#include "dataplane/nat/rewrite.h"

namespace tandem::nat {

template <class Key>
void internal::RewriteOther(net::Packet& packet, const net::Parsed& parsed, const Key& answer,
                            uint64_t addresses) noexcept {
  uint8_t* l4 = packet.data + parsed.l4_offset;
  // Only ICMPv6 covers the addresses (RFC 4443 section 2.3).
  const uint64_t covered = parsed.is_ipv6() ? addresses : 0;
  if (parsed.kind == net::Kind::kIcmpQuery) {
    const bool is_reply = (parsed.flags & net::kIcmpReply) != 0;
    const uint64_t identifier = Replace(l4 + kIcmpIdentifierOffset,
                                        is_reply ? answer.source_port : answer.destination_port);
    FixIcmpChecksum(l4 + kIcmpChecksumOffset, identifier + covered);
  } else if (parsed.kind == net::Kind::kIcmpOther && parsed.is_ipv6()) {
    FixIcmpChecksum(l4 + kIcmpChecksumOffset, covered);
  }
}

template void internal::RewriteOther(net::Packet&, const net::Parsed&, const net::FlowKey4&,
                                     uint64_t) noexcept;
template void internal::RewriteOther(net::Packet&, const net::Parsed&, const net::FlowKey6&,
                                     uint64_t) noexcept;

void DecrementTtl(net::Packet& packet, const net::Parsed& parsed) noexcept {
  uint8_t* ip = packet.data + parsed.l3_offset;
  if (parsed.is_ipv6()) {
    --ip[kIpv6HopLimitOffset];
    return;
  }
  --ip[kIpv4TtlOffset];
  FixChecksum(ip + kIpv4ChecksumOffset, internal::kTtlChange);
}

}  // namespace tandem::nat
