// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/usual_frame.h"

#include <bit>
#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/parse.h"
#include "tools/pktgen/tcp.h"

namespace tandem::pktgen {
namespace {

constexpr uint8_t kTurnedTtl = 64;

// As it stands there: network byte order.
template <typename Word>
Word WordAt(const uint8_t* from) {
  Word word = 0;
  std::memcpy(&word, from, sizeof(word));
  return word;
}
template <typename Word>
void PutWord(uint8_t* to, Word word) {
  std::memcpy(to, &word, sizeof(word));
}

constexpr uint64_t SumOf(uint64_t word) {
  return (word & 0xffffffff) + (word >> 32);
}

bool IsZero(const uint8_t* bytes, size_t size) {
  return size == 0 || (bytes[0] == 0 && std::memcmp(bytes, bytes + 1, size - 1) == 0);
}

// TCP or UDP right behind an IP header without options, untagged, whole.
bool IsUsual(const net::Parsed& parsed) {
  const size_t ip_size = parsed.is_ipv6() ? net::kIpv6Size : net::kIpv4Size;
  return parsed.drop == DropReason::kNone && (parsed.flags & ~net::kIpv6) == 0 &&
         parsed.l4_offset == net::kEthernetSize + ip_size;
}

// What the pseudo header adds to the L4 checksum.
uint64_t PseudoSumOf(const net::Parsed& parsed) {
  const uint64_t rest =
      __builtin_bswap16(static_cast<uint16_t>(parsed.l4_length)) + (uint64_t{parsed.protocol} << 8);
  if (!parsed.is_ipv6()) return rest + parsed.key4.source + parsed.key4.destination;
  const AddressWords source = WordsOf(parsed.key6.source.bytes);
  const AddressWords destination = WordsOf(parsed.key6.destination.bytes);
  return rest + SumOf(source.high) + SumOf(source.low) + SumOf(destination.high) +
         SumOf(destination.low);
}

// Of the L4 header, which it adds to `sum`: how long it is; 0 when it is not the usual one.
size_t ReadUsualUdp(const uint8_t* udp, Arrival& arrival, uint64_t& sum) {
  const auto header = WordAt<uint64_t>(udp);
  if (arrival.parsed.l4_length < net::kUdpSize + kSignatureSize ||
      net::Load16(udp + 4) != arrival.parsed.l4_length) {
    return 0;
  }
  arrival.kind = Arrival::Kind::kUdp;
  arrival.timestamps_offset = 0;
  sum += SumOf(header);
  return net::kUdpSize;
}

size_t ReadUsualTcp(const uint8_t* tcp, Side side, const RunKey& run, Arrival& arrival,
                    uint64_t& sum) {
  constexpr uint32_t kOptions = __builtin_bswap32(0x0101080a);  // as WriteTimestamps
  constexpr uint8_t kEndOfData = kTcpSyn | kTcpFin | kTcpRst;
  if (arrival.parsed.l4_length < kTcpHeaderSize + kSignatureSize) return 0;
  if (tcp[12] >> 4 != kTcpHeaderSize / 4 || WordAt<uint32_t>(tcp + net::kTcpSize) != kOptions ||
      net::Load16(tcp + 14) != kWindow || (tcp[13] & kEndOfData) != 0 || (tcp[13] & kTcpAck) == 0) {
    return 0;
  }
  constexpr size_t kValuesAt = net::kTcpSize + 4;
  arrival.kind = Arrival::Kind::kTcp;
  arrival.tcp_flags = tcp[13];
  arrival.sequence = net::Load32(tcp + 4);
  arrival.acknowledgement = net::Load32(tcp + 8);
  arrival.timestamps_offset = arrival.parsed.l4_offset + kValuesAt;
  arrival.flow = run.FlowOf(net::Load32(tcp + kValuesAt + (side == Side::kServer ? 0 : 4)));
  for (size_t at = 0; at < kTcpHeaderSize; at += 8)
    sum += SumOf(WordAt<uint64_t>(tcp + at));
  return kTcpHeaderSize;
}

// The mark and what is behind it, and with them the checksum: `sum` is that of all before.
bool ReadUsualPayload(const uint8_t* payload, const RunKey& run, uint64_t sum, Arrival& arrival) {
  const bool is_long = arrival.payload_size >= kSignatureLongSize;
  const size_t filler = FillerOffset(arrival.payload_size);
  const Mark mark = Mark::Load(payload, is_long);
  if (net::ChecksumFold(sum + mark.Sum()) != 0xffff || !mark.has_magic() ||
      mark.check != mark.Check(is_long, run.key) ||
      !IsZero(payload + filler, arrival.payload_size - filler)) {
    return false;
  }
  mark.Read(arrival.signature);
  const bool is_of_flow =
      arrival.kind == Arrival::Kind::kUdp || arrival.flow == arrival.signature.flow;
  arrival.flow = arrival.signature.flow;
  return is_of_flow && arrival.flow < run.flows;
}

// The old and the new values of words under a checksum, RFC 1624 equation 3.
uint16_t Follow(uint16_t checksum, uint64_t before, uint64_t after) {
  return static_cast<uint16_t>(
      ~net::ChecksumFold(static_cast<uint16_t>(~checksum) + after +
                         static_cast<uint16_t>(~net::ChecksumFold(before))));
}

void TurnUsualIpv4(uint8_t* ip) {
  const auto addresses = WordAt<uint64_t>(ip + 12);
  const auto before = WordAt<uint16_t>(ip + 8);  // TTL and protocol
  const auto after = static_cast<uint16_t>((before & 0xff00) | kTurnedTtl);
  PutWord(ip + 10, Follow(WordAt<uint16_t>(ip + 10), before, after));
  PutWord(ip + 8, after);
  PutWord(ip + 12, std::rotl(addresses, 32));
}

void TurnUsualIpv6(uint8_t* ip) {
  const AddressWords source = WordsOf(ip + 8);
  std::memcpy(ip + 8, ip + 24, 16);
  PutWord(ip + 24, source.high);
  PutWord(ip + 32, source.low);
  ip[7] = kTurnedTtl;
}

// MACs, addresses, ports and TTL.
void TurnUsualHeaders(uint8_t* data, const net::Parsed& parsed) {
  const auto source_mac = WordAt<uint64_t>(data + 6);
  std::memcpy(data + 6, data, 6);
  std::memcpy(data, &source_mac, 6);
  uint8_t* const ip = data + net::kEthernetSize;
  parsed.is_ipv6() ? TurnUsualIpv6(ip) : TurnUsualIpv4(ip);
  uint8_t* const ports = data + parsed.l4_offset;
  PutWord(ports, std::rotl(WordAt<uint32_t>(ports), 16));
}

// What the old and the new words add to the checksum above them.
struct Change {
  uint64_t before = 0;
  uint64_t after = 0;

  void Put(uint8_t* to, uint32_t word) {
    before += WordAt<uint32_t>(to);
    after += word;
    PutWord(to, word);
  }
};

void TurnMark(uint8_t* payload, const Arrival& arrival, Nanos now, const RunKey& run,
              Change& change) {
  const bool is_long = arrival.payload_size >= kSignatureLongSize;
  change.before += Mark::Load(payload, is_long).Sum();
  Signature signature = arrival.signature;
  signature.is_reply = true;
  signature.answered_ns = now;
  const Mark mark = Mark::Of(signature, is_long, run.key);
  mark.Store(payload, is_long);
  change.after += mark.Sum();
}

}  // namespace

bool InspectUsual(const net::Packet& packet, Side side, const RunKey& run,
                  Arrival& arrival) noexcept {
  const net::Parsed& parsed = arrival.parsed;
  net::Parse(packet, arrival.parsed);
  if (packet.contiguous < packet.length || packet.flags != 0 || !IsUsual(parsed)) return false;
  const uint8_t* const l4 = packet.data + parsed.l4_offset;
  uint64_t sum = PseudoSumOf(parsed);
  size_t header_size = 0;
  if (parsed.kind == net::Kind::kUdp) header_size = ReadUsualUdp(l4, arrival, sum);
  if (parsed.kind == net::Kind::kTcp) header_size = ReadUsualTcp(l4, side, run, arrival, sum);
  if (header_size == 0) return false;
  arrival.payload_offset = parsed.l4_offset + header_size;
  arrival.payload_size = parsed.l4_length - header_size;
  if (!ReadUsualPayload(l4 + header_size, run, sum, arrival)) return false;
  arrival.is_marked = true;
  arrival.is_usual = true;
  return true;
}

void TurnRoundUsual(net::Packet& packet, const Arrival& arrival, Nanos now,
                    const RunKey& run) noexcept {
  TurnUsualHeaders(packet.data, arrival.parsed);
  Change change;
  TurnMark(packet.data + arrival.payload_offset, arrival, now, run, change);
  uint8_t* const checksum_at = packet.data + arrival.parsed.l4_offset + kUdpChecksumAt;
  uint16_t checksum = Follow(WordAt<uint16_t>(checksum_at), change.before, change.after);
  if (checksum == 0) checksum = 0xffff;  // 0 says that there is none
  PutWord(checksum_at, checksum);
}

void TurnRoundUsualTcp(net::Packet& packet, const Arrival& arrival, const TcpTurn& turn, Nanos now,
                       const RunKey& run) noexcept {
  TurnUsualHeaders(packet.data, arrival.parsed);
  uint8_t* const tcp = packet.data + arrival.parsed.l4_offset;
  uint8_t* const values = packet.data + arrival.timestamps_offset;
  Change change;
  change.Put(tcp + 4, __builtin_bswap32(turn.sequence));
  change.Put(tcp + 8, __builtin_bswap32(turn.acknowledgement));
  // Header length, flags and window in one.
  change.Put(tcp + 12, (WordAt<uint32_t>(tcp + 12) & 0xffff00ff) | uint32_t{turn.flags} << 8);
  change.Put(values, __builtin_bswap32(kServerTimestamp));
  change.Put(values + 4, __builtin_bswap32(run.TimestampOf(arrival.flow)));
  TurnMark(packet.data + arrival.payload_offset, arrival, now, run, change);
  uint8_t* const checksum_at = tcp + kTcpChecksumAt;
  PutWord(checksum_at, Follow(WordAt<uint16_t>(checksum_at), change.before, change.after));
}

}  // namespace tandem::pktgen
