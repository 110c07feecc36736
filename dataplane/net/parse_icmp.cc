// SPDX-License-Identifier: Apache-2.0
//
// ICMP (RFC 792) and ICMPv6 (RFC 4443): which message it is, and the key of a query.
#include "dataplane/net/parse_internal.h"

namespace tandem::net::internal {
namespace {

// No ICMP message is shorter than 8 bytes.
DropReason CheckIcmpHeader(const Packet& packet, const Parsed& parsed) {
  if (parsed.l4_length < kIcmpSize) return DropReason::kTruncated;
  if (parsed.l4_offset + kIcmpSize > Readable(packet)) return DropReason::kHeaderSplit;
  return DropReason::kNone;
}

Ports PortsOf(const uint8_t* l4, const Parsed& parsed) {
  if (parsed.kind != Kind::kIcmpQuery) return {};
  return QueryPorts(l4, (parsed.flags & kIcmpReply) != 0);
}

bool IsNeighbourDiscovery(uint8_t type) {
  return type == kIcmpv6Solicitation || type == kIcmpv6Advertisement;
}

// The hop limit proves that the sender is on the link (RFC 4861 section 7.1), and fragments could
// hide the contents from a guard (RFC 6980 section 5). The checksum covers the whole message.
DropReason CheckNeighbourDiscovery(const Packet& packet, const Parsed& parsed) {
  if (parsed.ttl != 255 || (parsed.flags & kFirstFragment) || parsed.l4_length < kNdSize) {
    return DropReason::kNdBad;
  }
  if (parsed.l4_offset + parsed.l4_length > Readable(packet)) return DropReason::kHeaderSplit;
  return DropReason::kNone;
}

}  // namespace

Kind ClassifyIcmp(uint8_t type, Parsed& parsed) noexcept {
  switch (type) {
    case kIcmpEchoReply:
      parsed.flags |= kIcmpReply;
      return Kind::kIcmpQuery;
    case kIcmpEchoRequest:
      return Kind::kIcmpQuery;
    case kIcmpUnreachable:
    case kIcmpTimeExceeded:
    case kIcmpParameterProblem:
      return Kind::kIcmpError;
    default:
      return Kind::kIcmpOther;
  }
}

Kind ClassifyIcmpv6(uint8_t type, Parsed& parsed) noexcept {
  switch (type) {
    case kIcmpv6EchoReply:
      parsed.flags |= kIcmpReply;
      return Kind::kIcmpQuery;
    case kIcmpv6EchoRequest:
      return Kind::kIcmpQuery;
    case kIcmpv6Unreachable:
    case kIcmpv6TooBig:
    case kIcmpv6TimeExceeded:
    case kIcmpv6ParameterProblem:
      return Kind::kIcmpError;
    default:
      return Kind::kIcmpOther;
  }
}

DropReason ParseIcmp(const Packet& packet, Parsed& parsed, Ports& ports) noexcept {
  const DropReason drop = CheckIcmpHeader(packet, parsed);
  if (drop != DropReason::kNone) return drop;
  const uint8_t* l4 = packet.data + parsed.l4_offset;
  parsed.kind = ClassifyIcmp(l4[0], parsed);
  ports = PortsOf(l4, parsed);
  return DropReason::kNone;
}

DropReason ParseIcmpv6(const Packet& packet, Parsed& parsed, Ports& ports) noexcept {
  const DropReason drop = CheckIcmpHeader(packet, parsed);
  if (drop != DropReason::kNone) return drop;
  const uint8_t* l4 = packet.data + parsed.l4_offset;
  if (IsNeighbourDiscovery(l4[0])) {
    parsed.kind = Kind::kNd;
    return CheckNeighbourDiscovery(packet, parsed);
  }
  parsed.kind = ClassifyIcmpv6(l4[0], parsed);
  ports = PortsOf(l4, parsed);
  return DropReason::kNone;
}

}  // namespace tandem::net::internal
