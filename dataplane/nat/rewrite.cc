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

// `out` is what the packet leaves with, `addresses` the change already made to its addresses.
template <class Key>
void RewriteL4(Packet& packet, const Parsed& parsed, const Key& out, uint64_t addresses) noexcept {
  uint8_t* l4 = packet.data + parsed.l4_offset;
  switch (parsed.kind) {
    case Kind::kTcp: {
      const uint64_t ports = ReplacePorts(l4, out.source_port, out.destination_port);
      FixChecksum(l4 + kTcpChecksumOffset, addresses + ports);
      return;
    }
    case Kind::kUdp: {
      const uint64_t ports = ReplacePorts(l4, out.source_port, out.destination_port);
      FixUdpChecksum(l4 + kUdpChecksumOffset, addresses + ports);
      return;
    }
    case Kind::kIcmpQuery: {
      const bool is_reply = (parsed.flags & net::kIcmpReply) != 0;
      const uint64_t identifier =
          Replace(l4 + kIcmpIdentifierOffset, is_reply ? out.destination_port : out.source_port);
      FixChecksum(l4 + kIcmpChecksumOffset, identifier + (parsed.is_ipv6() ? addresses : 0));
      return;
    }
    case Kind::kIcmpOther:
      // No identifier, but ICMPv6 covers the addresses (RFC 4443 section 2.3).
      if (parsed.is_ipv6()) FixChecksum(l4 + kIcmpChecksumOffset, addresses);
      return;
    case Kind::kIcmpError:
    case Kind::kNd:
    case Kind::kIpOther:
    case Kind::kArp:
    case Kind::kNone:
      return;
  }
}

}  // namespace

void Rewrite(Packet& packet, const Parsed& parsed, const flow::FlowHot4& flow,
             flow::Side side) noexcept {
  const net::FlowKey4 out = LeavingKey(flow, side);
  uint8_t* ip = packet.data + parsed.l3_offset;
  const uint64_t addresses = ReplaceAddresses(ip + kIpv4SourceOffset, out.source, out.destination);
  --ip[kIpv4TtlOffset];
  FixChecksum(ip + kIpv4ChecksumOffset, addresses + kTtlChange);
  RewriteL4(packet, parsed, out, addresses);
}

void Rewrite(Packet& packet, const Parsed& parsed, const flow::FlowHot6& flow,
             flow::Side side) noexcept {
  const net::FlowKey6 out = LeavingKey(flow, side);
  uint8_t* ip = packet.data + parsed.l3_offset;
  const uint64_t addresses = ReplaceAddresses(ip + kIpv6SourceOffset, out.source, out.destination);
  --ip[kIpv6HopLimitOffset];
  RewriteL4(packet, parsed, out, addresses);
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
