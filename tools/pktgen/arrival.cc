// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/arrival.h"

#include "dataplane/net/frame_writer.h"
#include "tools/pktgen/tcp.h"
#include "tools/pktgen/usual_frame.h"

namespace tandem::pktgen {
namespace {

// A datagram over IPv4 may have no checksum (RFC 768).
bool HasChecksum(const net::Packet& packet, const net::Parsed& parsed) {
  return parsed.kind != net::Kind::kUdp || parsed.is_ipv6() ||
         net::Load16(packet.data + parsed.l4_offset + 6) != 0;
}

// The checksum, and whether all behind the mark is zero, in one reading. A sum of bytes is 0 only when
// every one of them is.
Counter Verify(const net::Packet& packet, const net::Parsed& parsed, size_t header_size,
               bool& is_filler_zero) {
  const size_t payload_size = parsed.l4_length - header_size;
  const size_t filler_size =
      payload_size < kSignatureSize ? 0 : payload_size - FillerOffset(payload_size);
  const size_t front_size = parsed.l4_length - filler_size;
  const uint64_t filler_sum =
      net::ChecksumAdd(packet.data + parsed.l4_offset + front_size, filler_size);
  is_filler_zero = filler_sum == 0;
  if (!HasChecksum(packet, parsed)) return Counter::kNone;
  // A filler at an odd place has its bytes the other way round in the sum (RFC 1071 section 2 B).
  const uint16_t filler_word = net::ChecksumFold(filler_sum);
  const uint64_t front_sum = net::ChecksumAdd(packet.data + parsed.l4_offset, front_size,
                                              PseudoHeaderSumOf(packet, parsed));
  const uint64_t sum =
      front_sum + (front_size % 2 == 0 ? filler_word : __builtin_bswap16(filler_word));
  return net::ChecksumFold(sum) == 0xffff ? Counter::kNone : Counter::kL4ChecksumBad;
}

// Whether the segment says, by its timestamps option, whose it is.
bool ReadTcp(const net::Packet& packet, const RunKey& run, Arrival& arrival, Side side) {
  const uint8_t* const tcp = packet.data + arrival.parsed.l4_offset;
  const size_t header_size = static_cast<size_t>(tcp[12] >> 4) * 4;
  arrival.tcp_flags = arrival.parsed.tcp_flags;
  arrival.sequence = net::Load32(tcp + 4);
  arrival.acknowledgement = net::Load32(tcp + 8);
  const size_t at = FindTimestamps(tcp, header_size);
  if (at == 0 || net::Load16(tcp + 14) != kWindow) return false;
  arrival.timestamps_offset = arrival.parsed.l4_offset + at;
  arrival.flow = run.FlowOf(net::Load32(tcp + at + (side == Side::kServer ? 0 : 4)));
  return arrival.flow < run.flows;
}

// Reads the mark, whose flow has to be the timestamp's where there are both.
Counter ReadMark(const net::Packet& packet, const RunKey& run, bool is_filler_zero, bool has_flow,
                 Arrival& arrival) {
  const std::span<const uint8_t> payload(packet.data + arrival.payload_offset,
                                         arrival.payload_size);
  const SignatureCheck check = ReadSignature(payload, run.key, arrival.signature);
  if (check != SignatureCheck::kGood) {
    // Somebody else's payload may begin like a mark, but hardly names a flow of ours.
    const bool is_ours =
        has_flow || (check == SignatureCheck::kDamaged && arrival.signature.flow < run.flows);
    return is_ours ? Counter::kPayloadBad : Counter::kForeign;
  }
  if (!is_filler_zero) return Counter::kPayloadBad;
  if (arrival.signature.flow >= run.flows) return Counter::kFlowUnknown;
  if (has_flow && arrival.signature.flow != arrival.flow) return Counter::kPayloadBad;
  arrival.flow = arrival.signature.flow;
  arrival.is_marked = true;
  return Counter::kNone;
}

Counter InspectL4(const net::Packet& packet, Side side, const RunKey& run, Arrival& arrival) {
  const net::Parsed& parsed = arrival.parsed;
  // Parse vouches for headers and lengths, not that all of the packet is contiguous, nor whole.
  if (parsed.l4_offset + size_t{parsed.l4_length} > packet.contiguous ||
      (parsed.flags & net::kFirstFragment) != 0) {
    return Counter::kOther;
  }
  const bool is_tcp = parsed.kind == net::Kind::kTcp;
  const uint8_t* const l4 = packet.data + parsed.l4_offset;
  const size_t header_size = is_tcp ? static_cast<size_t>(l4[12] >> 4) * 4 : net::kUdpSize;
  bool is_filler_zero = true;
  const Counter verdict = Verify(packet, parsed, header_size, is_filler_zero);
  if (verdict != Counter::kNone) return verdict;
  arrival.kind = is_tcp ? Arrival::Kind::kTcp : Arrival::Kind::kUdp;
  arrival.payload_offset = parsed.l4_offset + header_size;
  arrival.payload_size = parsed.l4_length - header_size;
  const bool has_flow = is_tcp && ReadTcp(packet, run, arrival, side);
  if (!is_tcp || arrival.payload_size > 0) {
    return ReadMark(packet, run, is_filler_zero, has_flow, arrival);
  }
  // A RST of the device's own has no options; the client finds the flow by its tuple.
  if (!has_flow && (arrival.tcp_flags & kTcpRst) == 0) return Counter::kForeign;
  return Counter::kNone;
}

uint16_t PortAt(uint16_t port_be) {
  return __builtin_bswap16(port_be);
}

}  // namespace

Endpoint Arrival::Source() const {
  return {net::SourceOf(parsed),
          PortAt(parsed.is_ipv6() ? parsed.key6.source_port : parsed.key4.source_port)};
}

Endpoint Arrival::Destination() const {
  return {net::DestinationOf(parsed),
          PortAt(parsed.is_ipv6() ? parsed.key6.destination_port : parsed.key4.destination_port)};
}

uint64_t PseudoHeaderSumOf(const net::Packet& packet, const net::Parsed& parsed) noexcept {
  const uint8_t* const ip = packet.data + parsed.l3_offset;
  return parsed.is_ipv6()
             ? net::internal::PseudoHeaderSum(ip + 8, 32, parsed.protocol, parsed.l4_length)
             : net::internal::PseudoHeaderSum(ip + 12, 8, parsed.protocol, parsed.l4_length);
}

Counter Inspect(const net::Packet& packet, Side side, const RunKey& run,
                Arrival& arrival) noexcept {
  if (InspectUsual(packet, side, run, arrival)) return Counter::kNone;
  return InspectClosely(packet, side, run, arrival);
}

Counter InspectClosely(const net::Packet& packet, Side side, const RunKey& run,
                       Arrival& arrival) noexcept {
  net::Parse(packet, arrival.parsed);
  arrival.is_marked = false;
  arrival.is_usual = false;
  arrival.flow = 0;
  arrival.timestamps_offset = 0;
  switch (arrival.parsed.kind) {
    case net::Kind::kNone:
      if (arrival.parsed.drop == DropReason::kIpChecksumBad) return Counter::kIpChecksumBad;
      return arrival.parsed.drop == DropReason::kEtherTypeUnknown ? Counter::kOther
                                                                  : Counter::kMalformed;
    case net::Kind::kArp:
    case net::Kind::kNd:
      arrival.kind = Arrival::Kind::kNeighbour;
      return Counter::kNone;
    case net::Kind::kTcp:
    case net::Kind::kUdp:
      return InspectL4(packet, side, run, arrival);
    case net::Kind::kIcmpError:
      return Counter::kIcmpErrors;
    case net::Kind::kIcmpQuery:
      if ((arrival.parsed.flags & net::kIcmpReply) != 0) return Counter::kOther;
      arrival.kind = Arrival::Kind::kEcho;
      return Counter::kNone;
    case net::Kind::kIcmpOther:
    case net::Kind::kIpOther:
      break;
  }
  return Counter::kOther;
}

}  // namespace tandem::pktgen
