// SPDX-License-Identifier: Apache-2.0
//
// Translation of ICMP errors, see rewrite.h.
#include <algorithm>
#include <type_traits>

#include "dataplane/nat/fields.h"
#include "dataplane/nat/rewrite.h"

namespace tandem::nat {
namespace {

using net::Kind;
using net::Packet;
using net::Parsed;

// The quoted ports and L4 checksum; returns the change in the quoted bytes. ParseQuoted vouched for
// eight bytes behind the quoted IP header; a TCP checksum may lie beyond the end of the quote.
template <class Key>
uint64_t RewriteQuotedL4(Packet& packet, const Parsed& parsed, const Parsed& quoted,
                         const Key& original, uint64_t addresses) noexcept {
  uint8_t* l4 = packet.data + quoted.l4_offset;
  switch (quoted.kind) {
    case Kind::kTcp: {
      const uint64_t ports = ReplacePorts(l4, original.source_port, original.destination_port);
      const uint32_t end = std::min(packet.contiguous, parsed.l3_offset + parsed.ip_length);
      constexpr uint32_t kNeeded = kTcpChecksumOffset + 2;
      if (quoted.l4_length < kNeeded || quoted.l4_offset + kNeeded > end) return ports;
      return ports + FixChecksum(l4 + kTcpChecksumOffset, addresses + ports);
    }
    case Kind::kUdp: {
      const uint64_t ports = ReplacePorts(l4, original.source_port, original.destination_port);
      return ports + FixUdpChecksum(l4 + kUdpChecksumOffset, addresses + ports);
    }
    case Kind::kIcmpQuery: {
      const bool is_reply = (quoted.flags & net::kIcmpReply) != 0;
      const uint64_t identifier = Replace(
          l4 + kIcmpIdentifierOffset, is_reply ? original.destination_port : original.source_port);
      const uint64_t covered = identifier + (quoted.is_ipv6() ? addresses : 0);
      return identifier + FixIcmpChecksum(l4 + kIcmpChecksumOffset, covered);
    }
    case Kind::kIcmpOther:
      return quoted.is_ipv6() ? FixIcmpChecksum(l4 + kIcmpChecksumOffset, addresses) : 0;
    case Kind::kIcmpError:
    case Kind::kNd:
    case Kind::kIpOther:
    case Kind::kArp:
    case Kind::kNone:
      return 0;
  }
  return 0;
}

// The quoted packet becomes `original`; returns the change in the ICMP message.
template <class Key>
uint64_t RewriteQuoted(Packet& packet, const Parsed& parsed, const Parsed& quoted,
                       const Key& original) noexcept {
  constexpr bool kIpv4 = sizeof(original.source) == 4;
  uint8_t* ip = packet.data + quoted.l3_offset;
  const uint64_t addresses = ReplaceAddresses(ip + (kIpv4 ? kIpv4SourceOffset : kIpv6SourceOffset),
                                              original.source, original.destination);
  uint64_t change = addresses;
  if constexpr (kIpv4) change += FixChecksum(ip + kIpv4ChecksumOffset, addresses);
  return change + RewriteQuotedL4(packet, parsed, quoted, original, addresses);
}

template <class Hot>
void RewriteError(Packet& packet, const Parsed& parsed, const Parsed& quoted, const Hot& flow,
                  flow::Side side) noexcept {
  constexpr bool kIpv4 = !Hot::kIsIpv6;
  // The quoted packet left towards `near`, as its key turned round; the far end had sent it as `far`.
  const auto& near = KeyOf(flow, side);
  const auto& far = KeyOf(flow, flow::Opposite(side));
  const uint64_t inside = RewriteQuoted(packet, parsed, quoted, far);

  uint8_t* ip = packet.data + parsed.l3_offset;
  uint8_t* source_bytes = ip + (kIpv4 ? kIpv4SourceOffset : kIpv6SourceOffset);
  auto source = Load<std::remove_cvref_t<decltype(near.source)>>(source_bytes);
  // The endpoint itself speaks under the address by which the far end knows it; a router on the way
  // keeps its own.
  if (source == near.source) source = far.destination;
  const uint64_t outside = ReplaceAddresses(source_bytes, source, far.source);
  DecrementTtl(packet, parsed);
  if constexpr (kIpv4) FixChecksum(ip + kIpv4ChecksumOffset, outside);
  FixChecksum(packet.data + parsed.l4_offset + kIcmpChecksumOffset, inside + (kIpv4 ? 0 : outside));
}

}  // namespace

void RewriteIcmpError(Packet& packet, const Parsed& parsed, const Parsed& quoted,
                      const flow::FlowHot4& flow, flow::Side side) noexcept {
  RewriteError(packet, parsed, quoted, flow, side);
}

void RewriteIcmpError(Packet& packet, const Parsed& parsed, const Parsed& quoted,
                      const flow::FlowHot6& flow, flow::Side side) noexcept {
  RewriteError(packet, parsed, quoted, flow, side);
}

}  // namespace tandem::nat
