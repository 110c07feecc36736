// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/usual_frame.h"

#include <bit>
#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/frame.h"
#include "dataplane/net/headers.h"
#include "tools/pktgen/tcp.h"

namespace tandem::pktgen {
namespace {

constexpr uint16_t kEtherTypeV4 = __builtin_bswap16(RTE_ETHER_TYPE_IPV4);
constexpr uint16_t kEtherTypeV6 = __builtin_bswap16(RTE_ETHER_TYPE_IPV6);
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

// Each sets what `parsed` says of the IP header, and `sum` to what the pseudo header adds to the L4 checksum.
// False for everything that Parse looks at more closely.
bool ReadUsualIpv4(const net::Packet& packet, net::Parsed& parsed, uint64_t& sum) {
  const uint8_t* const ip = packet.data + net::kEthernetSize;
  const auto first = WordAt<uint64_t>(ip);       // version to fragment offset
  const auto second = WordAt<uint64_t>(ip + 8);  // TTL to source
  const auto destination = WordAt<uint32_t>(ip + 16);
  const auto source = static_cast<uint32_t>(second >> 32);
  if ((first & 0xff) != 0x45 || (first >> 48 & 0xff3f) != 0) return false;
  if (net::ChecksumFold(SumOf(first) + SumOf(second) + destination) != 0xffff) return false;
  const uint32_t from = source & 0xff;
  const uint32_t to = destination & 0xff;
  if (from == 0 || from == 127 || from >= 224 || to == 0 || to == 127 || source == destination) {
    return false;
  }
  parsed.flags = 0;
  parsed.ttl = static_cast<uint8_t>(second);
  parsed.protocol = static_cast<uint8_t>(second >> 8);
  parsed.ip_length = __builtin_bswap16(static_cast<uint16_t>(first >> 16));
  parsed.l4_offset = net::kEthernetSize + net::kIpv4Size;
  parsed.l4_length = parsed.ip_length - static_cast<uint32_t>(net::kIpv4Size);
  parsed.key4.source = source;
  parsed.key4.destination = destination;
  sum = uint64_t{source} + destination;
  return parsed.ip_length > net::kIpv4Size;
}

bool ReadUsualIpv6(const net::Packet& packet, net::Parsed& parsed, uint64_t& sum) {
  const uint8_t* const ip = packet.data + net::kEthernetSize;
  if (ip[0] >> 4 != 6) return false;
  net::FlowKey6& key = parsed.key6;
  std::memcpy(key.source.bytes, ip + 8, 16);
  std::memcpy(key.destination.bytes, ip + 24, 16);
  const AddressWords source = WordsOf(key.source.bytes);
  const AddressWords destination = WordsOf(key.destination.bytes);
  const uint8_t from = key.source.bytes[0];
  if (from == 0 || from == 0xff || key.destination.bytes[0] == 0 || source == destination) {
    return false;
  }
  parsed.flags = net::kIpv6;
  parsed.ttl = ip[7];
  parsed.protocol = ip[6];
  parsed.l4_length = net::Load16(ip + 4);
  parsed.ip_length = parsed.l4_length + static_cast<uint32_t>(net::kIpv6Size);
  parsed.l4_offset = net::kEthernetSize + net::kIpv6Size;
  sum = SumOf(source.high) + SumOf(source.low) + SumOf(destination.high) + SumOf(destination.low);
  return true;
}

// Of the L4 header, which it adds to `sum`: how long it is; 0 when it is not the usual one.
size_t ReadUsualUdp(const uint8_t* udp, Arrival& arrival, uint64_t& sum) {
  const auto header = WordAt<uint64_t>(udp);
  if (arrival.parsed.l4_length < net::kUdpSize + kSignatureSize ||
      net::Load16(udp + 4) != arrival.parsed.l4_length) {
    return 0;
  }
  arrival.kind = Arrival::Kind::kUdp;
  arrival.parsed.kind = net::Kind::kUdp;
  arrival.parsed.tcp_flags = 0;
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
  arrival.parsed.kind = net::Kind::kTcp;
  arrival.parsed.tcp_flags = arrival.tcp_flags = tcp[13];
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

void SetPorts(net::Parsed& parsed, const uint8_t* l4) {
  if (parsed.is_ipv6()) {
    std::memcpy(&parsed.key6.source_port, l4, 4);
  } else {
    std::memcpy(&parsed.key4.source_port, l4, 4);
  }
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
  constexpr size_t kUdpOverIpv6Size = net::kEthernetSize + net::kIpv6Size + net::kUdpSize;
  const uint8_t* const data = packet.data;
  if (packet.length < kFrameMin || packet.contiguous < packet.length || packet.flags != 0 ||
      (data[0] & RTE_ETHER_GROUP_ADDR) != 0) {
    return false;
  }
  net::Parsed& parsed = arrival.parsed;
  const auto ether_type = WordAt<uint16_t>(data + 12);
  uint64_t sum = 0;
  if (ether_type == kEtherTypeV4) {
    if (!ReadUsualIpv4(packet, parsed, sum)) return false;
  } else if (ether_type != kEtherTypeV6 || packet.length < kUdpOverIpv6Size ||
             !ReadUsualIpv6(packet, parsed, sum)) {
    return false;
  }
  if (net::kEthernetSize + size_t{parsed.ip_length} > packet.length) return false;
  sum += __builtin_bswap16(static_cast<uint16_t>(parsed.l4_length));
  sum += uint64_t{parsed.protocol} << 8;
  const uint8_t* const l4 = data + parsed.l4_offset;
  const size_t header_size = parsed.protocol == net::kProtocolUdp ? ReadUsualUdp(l4, arrival, sum)
                             : parsed.protocol == net::kProtocolTcp
                                 ? ReadUsualTcp(l4, side, run, arrival, sum)
                                 : 0;
  if (header_size == 0) return false;
  arrival.payload_offset = parsed.l4_offset + header_size;
  arrival.payload_size = parsed.l4_length - header_size;
  if (!ReadUsualPayload(l4 + header_size, run, sum, arrival)) return false;
  SetPorts(parsed, l4);
  parsed.drop = DropReason::kNone;
  parsed.vlan = net::kUntagged;
  parsed.l3_offset = net::kEthernetSize;
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
