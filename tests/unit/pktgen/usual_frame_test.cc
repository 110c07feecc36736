// SPDX-License-Identifier: Apache-2.0
//
// The short way for usual frames says and does what the long one would.
#include "tools/pktgen/usual_frame.h"

#include <catch2/catch.hpp>

#include "dataplane/base/prng.h"
#include "dataplane/net/frame_writer.h"
#include "tests/support/parsed_check.h"
#include "tests/unit/pktgen/marked_frame.h"
#include "tools/pktgen/tcp.h"

namespace tandem::pktgen {
namespace {

using test::Ip;

constexpr RunKey kUsualRun = {0x1122334455667788, 1000};
constexpr Signature kUsualMark = {false, 1, 2, 77, 0x12345, 123456, 0};

test::Bytes UsualFrame(bool is_tcp, bool is_v4, size_t payload_size) {
  return MarkedFrame(kUsualRun, kUsualMark, {.is_tcp = is_tcp, .is_v4 = is_v4}, payload_size);
}

net::Packet PacketOn(test::Bytes& bytes) {
  net::Packet packet;
  packet.data = bytes.data();
  packet.length = packet.contiguous = static_cast<uint32_t>(bytes.size());
  return packet;
}

void CheckSame(const Arrival& one, const Arrival& other) {
  CHECK(one.kind == other.kind);
  CHECK(one.flow == other.flow);
  CHECK(one.is_marked == other.is_marked);
  CHECK(one.payload_offset == other.payload_offset);
  CHECK(one.payload_size == other.payload_size);
  CHECK(one.SourceWords() == other.SourceWords());
  CHECK(one.DestinationWords() == other.DestinationWords());
  CHECK(one.timestamps_offset == other.timestamps_offset);
  CHECK(one.signature.is_reply == other.signature.is_reply);
  CHECK(one.signature.sequence == other.signature.sequence);
  CHECK(one.signature.sent_ns == other.signature.sent_ns);
  CHECK(one.signature.answered_ns == other.signature.answered_ns);
  CHECK(test::IsSame(one.parsed, other.parsed));
  if (one.kind != Arrival::Kind::kTcp) return;
  CHECK(one.tcp_flags == other.tcp_flags);
  CHECK(one.sequence == other.sequence);
  CHECK(one.acknowledgement == other.acknowledgement);
}

// Answers the frame both ways; returns the answer.
test::Bytes CheckAnswers(test::Bytes bytes, const Arrival& usual, const Arrival& close) {
  test::Bytes other = bytes;
  net::Packet packet = PacketOn(bytes);
  net::Packet other_packet = PacketOn(other);
  constexpr Nanos kAnsweredAt = 0x0000abcdef987654;
  if (usual.kind == Arrival::Kind::kTcp) {
    const TcpTurn turn = {kTcpAck | kTcpPsh, 0xfedcba98, 0x76543210};
    TurnRoundTcp(packet, usual, turn, kAnsweredAt, kUsualRun);
    TurnRoundTcp(other_packet, close, turn, kAnsweredAt, kUsualRun);
  } else {
    TurnRound(packet, usual, kAnsweredAt, kUsualRun);
    TurnRound(other_packet, close, kAnsweredAt, kUsualRun);
  }
  CHECK(bytes == other);
  return bytes;
}

// All checksums anew, so that what is wrong is found by nothing but the look at it.
void Mend(test::Bytes& bytes, bool is_v4, bool is_tcp) {
  uint8_t* const ip = bytes.data() + net::kEthernetSize;
  uint8_t* const l4 = ip + (is_v4 ? net::kIpv4Size : net::kIpv6Size);
  const size_t length = bytes.size() - static_cast<size_t>(l4 - bytes.data());
  if (is_v4) {
    net::Store16(ip + 10, 0);
    const auto sum = static_cast<uint16_t>(~net::ChecksumFold(net::ChecksumAdd(ip, 20)));
    std::memcpy(ip + 10, &sum, sizeof(sum));
  }
  uint8_t* const at = l4 + (is_tcp ? kTcpChecksumAt : kUdpChecksumAt);
  net::Store16(at, 0);
  const uint16_t sum = net::internal::L4Checksum(ip, is_v4, l4, length);
  std::memcpy(at, &sum, sizeof(sum));
}

TEST_CASE("usual frames: are recognized, and answered as the long way does", "[pktgen]") {
  const bool is_tcp = GENERATE(false, true);
  const bool is_v4 = GENERATE(false, true);
  for (const size_t size : {18U, 19U, 23U, 24U, 25U, 26U, 100U, 101U, 1000U, 1448U}) {
    test::Bytes bytes = UsualFrame(is_tcp, is_v4, size);
    Arrival usual;
    Arrival close;
    INFO(size);
    REQUIRE(InspectUsual(PacketOn(bytes), Side::kServer, kUsualRun, usual));
    REQUIRE(InspectClosely(PacketOn(bytes), Side::kServer, kUsualRun, close) == Counter::kNone);
    CHECK(usual.is_usual);
    CHECK_FALSE(close.is_usual);
    CheckSame(usual, close);
    test::Bytes answer = CheckAnswers(bytes, usual, close);
    Arrival reply;
    CHECK(InspectClosely(PacketOn(answer), Side::kClient, kUsualRun, reply) == Counter::kNone);
    CHECK(InspectUsual(PacketOn(answer), Side::kClient, kUsualRun, reply));
    CHECK(reply.signature.is_reply);
  }
}

TEST_CASE("usual frames: nothing passes that the long way refuses", "[pktgen]") {
  const bool is_tcp = GENERATE(false, true);
  const bool is_v4 = GENERATE(false, true);
  const size_t size = GENERATE(18U, 40U);
  Prng prng(23);
  int passed = 0;
  const test::Bytes whole = UsualFrame(is_tcp, is_v4, size);
  for (int i = 0; i < 20000; ++i) {
    test::Bytes bytes = whole;
    // One byte or two, mostly of the headers.
    for (uint32_t k = 0; k <= prng.Below(2); ++k) {
      const uint32_t at = prng.Below(static_cast<uint32_t>(bytes.size()));
      bytes[at] =
          static_cast<uint8_t>(prng.Below(2) == 0 ? prng.Next() >> 56 : prng.Below(3) * 127);
    }
    if (prng.Below(4) != 0) Mend(bytes, is_v4, is_tcp);
    if (prng.Below(16) == 0) bytes.resize(prng.Below(static_cast<uint32_t>(bytes.size())));
    Arrival usual;
    if (!InspectUsual(PacketOn(bytes), Side::kServer, kUsualRun, usual)) continue;
    ++passed;
    Arrival close;
    REQUIRE(InspectClosely(PacketOn(bytes), Side::kServer, kUsualRun, close) == Counter::kNone);
    CheckSame(usual, close);
    CheckAnswers(bytes, usual, close);
  }
  CHECK(passed > 1000);  // MACs, TTL, addresses and ports may be anything
}

TEST_CASE("usual frames: every bit of a large payload counts", "[pktgen]") {
  test::Bytes bytes = UsualFrame(false, true, 1472);
  for (size_t at = 42; at < bytes.size(); ++at) {
    bytes[at] ^= 0x10;
    Arrival arrival;
    CHECK_FALSE(InspectUsual(PacketOn(bytes), Side::kServer, kUsualRun, arrival));
    bytes[at] ^= 0x10;
  }
}

TEST_CASE("usual frames: the builder's headers are right by other code", "[pktgen]") {
  const bool is_v4 = GENERATE(false, true);
  const size_t size = GENERATE(18U, 23U, 24U, 101U, 1400U);
  const test::Bytes built = UsualFrame(false, is_v4, size);
  test::PacketBuilder packet;
  packet.Ethernet(MacAddress(), MacAddress());
  if (is_v4) {
    packet.Ipv4("10.0.0.1", "192.0.2.1").DontFragment();
  } else {
    packet.Ipv6("2001:db8:1::1", "2001:db8::1");
  }
  const test::Bytes payload(built.end() - static_cast<ptrdiff_t>(size), built.end());
  CHECK(built == packet.Udp(5555, 80).Payload(payload).Build());
}

}  // namespace
}  // namespace tandem::pktgen
