// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/turn_round.h"

#include <algorithm>

#include "dataplane/net/frame_writer.h"
#include "tools/pktgen/tcp.h"
#include "tools/pktgen/usual_frame.h"

namespace tandem::pktgen {
namespace {

constexpr uint8_t kTtl = 64;

void Swap(uint8_t* one, uint8_t* other, size_t size) {
  std::swap_ranges(one, one + size, other);
}

void TurnIp(uint8_t* ip, bool is_v4, size_t header_size) {
  if (!is_v4) {
    ip[7] = kTtl;
    Swap(ip + 8, ip + 24, 16);
    return;
  }
  Swap(ip + 12, ip + 16, 4);
  ip[8] = kTtl;
  std::memset(ip + 10, 0, 2);
  const auto checksum =
      static_cast<uint16_t>(~net::ChecksumFold(net::ChecksumAdd(ip, header_size)));
  std::memcpy(ip + 10, &checksum, sizeof(checksum));
}

// Returns the size of the filler.
size_t MarkAsReply(net::Packet& packet, const Arrival& arrival, Nanos now, const RunKey& run) {
  if (!arrival.is_marked) return 0;
  Signature signature = arrival.signature;
  signature.is_reply = true;
  signature.answered_ns = now;
  const std::span<uint8_t> payload(packet.data + arrival.payload_offset, arrival.payload_size);
  WriteSignature(payload, signature, run.key);
  return payload.size() - FillerOffset(payload.size());
}

void TurnHeaders(net::Packet& packet, const Arrival& arrival) {
  const net::Parsed& parsed = arrival.parsed;
  uint8_t* const ip = packet.data + parsed.l3_offset;
  uint8_t* const l4 = packet.data + parsed.l4_offset;
  Swap(packet.data, packet.data + 6, 6);
  TurnIp(ip, !parsed.is_ipv6(), static_cast<size_t>(parsed.l4_offset - parsed.l3_offset));
  Swap(l4, l4 + 2, 2);
}

uint16_t StoreChecksum(net::Packet& packet, const net::Parsed& parsed, size_t at, size_t filler) {
  uint8_t* const l4 = packet.data + parsed.l4_offset;
  std::memset(l4 + at, 0, 2);
  const auto checksum = static_cast<uint16_t>(~net::ChecksumFold(
      net::ChecksumAdd(l4, parsed.l4_length - filler, PseudoHeaderSumOf(packet, parsed))));
  std::memcpy(l4 + at, &checksum, sizeof(checksum));
  return checksum;
}

}  // namespace

void TurnRound(net::Packet& packet, const Arrival& arrival, Nanos now, const RunKey& run) noexcept {
  if (arrival.is_usual) {
    TurnRoundUsual(packet, arrival, now, run);
    return;
  }
  TurnHeaders(packet, arrival);
  const size_t filler = MarkAsReply(packet, arrival, now, run);
  if (StoreChecksum(packet, arrival.parsed, kUdpChecksumAt, filler) == 0) {
    std::memset(packet.data + arrival.parsed.l4_offset + kUdpChecksumAt, 0xff, 2);
  }
}

void TurnRoundTcp(net::Packet& packet, const Arrival& arrival, const TcpTurn& turn, Nanos now,
                  const RunKey& run) noexcept {
  if (arrival.is_usual) {
    TurnRoundUsualTcp(packet, arrival, turn, now, run);
    return;
  }
  TurnHeaders(packet, arrival);
  uint8_t* const tcp = packet.data + arrival.parsed.l4_offset;
  net::Store32(tcp + 4, turn.sequence);
  net::Store32(tcp + 8, turn.acknowledgement);
  tcp[13] = turn.flags;
  if (arrival.timestamps_offset != 0) {
    uint8_t* const values = packet.data + arrival.timestamps_offset;
    net::Store32(values, kServerTimestamp);
    net::Store32(values + 4, run.TimestampOf(arrival.flow));
  }
  const size_t filler = MarkAsReply(packet, arrival, now, run);
  StoreChecksum(packet, arrival.parsed, kTcpChecksumAt, filler);
}

}  // namespace tandem::pktgen
