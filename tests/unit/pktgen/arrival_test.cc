// SPDX-License-Identifier: Apache-2.0
//
// What Inspect makes of frames, right and wrong, and what the builder makes.
#include "tools/pktgen/arrival.h"

#include <catch2/catch.hpp>

#include "dataplane/base/prng.h"
#include "tests/support/frame_check.h"
#include "tests/support/packet_builder.h"
#include "tests/unit/pktgen/marked_frame.h"
#include "tools/pktgen/tcp.h"

namespace tandem::pktgen {
namespace {

using test::Ip;
using test::PacketBuilder;

constexpr RunKey kSomeRun = {0x1122334455667788, 1000};
constexpr Signature kMark = {false, 1, 2, 77, 5, 123456, 0};

test::Bytes Request(bool is_tcp, bool is_v4, size_t payload_size) {
  return MarkedFrame(kSomeRun, kMark, {.is_tcp = is_tcp, .is_v4 = is_v4}, payload_size);
}

Counter InspectBytes(const test::Bytes& bytes, Arrival& arrival) {
  const test::TestPacket packet(bytes);
  return Inspect(packet.packet(), Side::kServer, kSomeRun, arrival);
}

TEST_CASE("arrival: what the builder makes is understood, at every size", "[pktgen]") {
  const bool is_tcp = GENERATE(false, true);
  const bool is_v4 = GENERATE(false, true);
  for (const size_t size : {18U, 19U, 23U, 24U, 25U, 26U, 100U, 101U, 1000U, 1448U}) {
    Arrival arrival;
    REQUIRE(InspectBytes(Request(is_tcp, is_v4, size), arrival) == Counter::kNone);
    CHECK(arrival.kind == (is_tcp ? Arrival::Kind::kTcp : Arrival::Kind::kUdp));
    CHECK(arrival.is_marked);
    CHECK(arrival.flow == 77);
    CHECK(arrival.payload_size == size);
    CHECK(arrival.Destination().port == 80);
  }
}

TEST_CASE("arrival: frame sizes are those asked for, or what a mark needs", "[pktgen]") {
  const FrameBuilder v4({}, {Ip("192.0.2.1"), 80}, 1);
  const FrameBuilder v6({}, {Ip("2001:db8::1"), 80}, 1);
  CHECK(v4.PayloadSize(false, 64) == kSignatureSize);
  CHECK(v4.FrameSize(false, v4.PayloadSize(false, 64)) == 60);
  CHECK(v4.FrameSize(false, v4.PayloadSize(false, 1518)) == 1514);
  CHECK(v4.FrameSize(true, v4.PayloadSize(true, 64)) == 84);
  CHECK(v4.FrameSize(true, v4.PayloadSize(true, 570)) == 566);
  CHECK(v6.FrameSize(false, v6.PayloadSize(false, 64)) == 80);
  CHECK(v6.FrameSize(true, v6.PayloadSize(true, 1518)) == 1514);
}

TEST_CASE("arrival: no bit behind the MACs can be turned round unnoticed", "[pktgen]") {
  const bool is_tcp = GENERATE(false, true);
  test::Bytes bytes = Request(is_tcp, true, 60);
  for (size_t bit = 8 * 14; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    Arrival arrival;
    INFO(bit / 8);
    CHECK(InspectBytes(bytes, arrival) != Counter::kNone);
    bytes[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
  }
}

TEST_CASE("arrival: damage that a right checksum covers is found by the payload", "[pktgen]") {
  // Two words of the filler, whose sum stays; and UDP without a checksum.
  test::Bytes bytes = Request(false, true, 60);
  const size_t payload = 42;
  bytes[payload + 30] ^= 0x01;
  Arrival arrival;
  CHECK(InspectBytes(bytes, arrival) == Counter::kL4ChecksumBad);
  bytes[40] = bytes[41] = 0;
  CHECK(InspectBytes(bytes, arrival) == Counter::kPayloadBad);
  bytes[payload + 30] ^= 0x01;
  CHECK(InspectBytes(bytes, arrival) == Counter::kNone);
  bytes[payload + 7] ^= 0x01;
  CHECK(InspectBytes(bytes, arrival) == Counter::kPayloadBad);
}

TEST_CASE("arrival: other people's packets", "[pktgen]") {
  Arrival arrival;
  const auto ip = [] { return PacketBuilder().Ipv4("10.0.0.1", "10.1.0.1"); };
  CHECK(InspectBytes(ip().Udp(1, 2).Payload(100).Build(), arrival) == Counter::kForeign);
  CHECK(InspectBytes(ip().Udp(1, 2).Payload(test::Bytes(40, 0xaa)).Build(), arrival) ==
        Counter::kForeign);
  CHECK(InspectBytes(ip().Udp(1, 2).Build(), arrival) == Counter::kForeign);
  CHECK(InspectBytes(ip().Tcp(1, 2, test::kSyn).Build(), arrival) == Counter::kForeign);
  CHECK(InspectBytes(ip().Tcp(1, 2, test::kRst).Build(), arrival) == Counter::kNone);
  // A SYN whose timestamp happens to be a flow's; and one of ours.
  test::Bytes options = {1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0};
  net::Store32(options.data() + 4, kSomeRun.TimestampOf(5));
  const auto syn = [&] { return ip().Tcp(1, 2, test::kSyn).TcpOptions(options); };
  CHECK(InspectBytes(syn().Window(64240).Build(), arrival) == Counter::kForeign);
  CHECK(InspectBytes(syn().Window(kWindow).Build(), arrival) == Counter::kNone);
  CHECK(arrival.flow == 5);
  CHECK(InspectBytes(ip().EchoRequest(1).Build(), arrival) == Counter::kNone);
  CHECK(arrival.kind == Arrival::Kind::kEcho);
  CHECK(InspectBytes(ip().EchoReply(1).Build(), arrival) == Counter::kOther);
  CHECK(InspectBytes(ip().Udp(1, 2).Payload(100).BadL4Checksum().Build(), arrival) ==
        Counter::kL4ChecksumBad);
  CHECK(InspectBytes(ip().Udp(1, 2).Payload(9).BadIpChecksum().Build(), arrival) ==
        Counter::kIpChecksumBad);
  CHECK(InspectBytes(PacketBuilder().EtherTypeOverride(0x88cc).Payload(50).Build(), arrival) ==
        Counter::kOther);
}

TEST_CASE("arrival: a flow that the run does not have", "[pktgen]") {
  RunKey few = kSomeRun;
  few.flows = 77;
  const test::TestPacket packet(Request(false, true, 18));
  Arrival arrival;
  CHECK(Inspect(packet.packet(), Side::kServer, few, arrival) == Counter::kFlowUnknown);
}

TEST_CASE("arrival: cut off and mutilated frames do no harm", "[pktgen]") {
  Prng prng(17);
  const bool is_tcp = GENERATE(false, true);
  const bool is_v4 = GENERATE(false, true);
  const test::Bytes whole = Request(is_tcp, is_v4, 50);
  Arrival arrival;
  for (size_t size = 0; size < whole.size(); ++size) {
    const test::TestPacket packet(
        test::Bytes(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size)));
    CHECK(Inspect(packet.packet(), Side::kServer, kSomeRun, arrival) != Counter::kNone);
    const test::TestPacket split = test::TestPacket::Split(whole, size);
    CHECK(Inspect(split.packet(), Side::kServer, kSomeRun, arrival) != Counter::kNone);
  }
  for (int i = 0; i < 20000; ++i) {
    test::Bytes bytes = whole;
    for (uint32_t k = 0; k <= prng.Below(4); ++k) {
      bytes[prng.Below(static_cast<uint32_t>(bytes.size()))] =
          static_cast<uint8_t>(prng.Next() >> 56);
    }
    InspectBytes(bytes, arrival);
  }
}

TEST_CASE("tcp options: the timestamps are found among others, and nowhere else", "[pktgen]") {
  const auto find = [](std::vector<uint8_t> options) {
    options.insert(options.begin(), 20, 0);
    return FindTimestamps(options.data(), options.size());
  };
  CHECK(find({1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0}) == 24);
  CHECK(find({2, 4, 5, 0xb4, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}) == 26);
  CHECK(find({}) == 0);
  CHECK(find({8, 10, 0, 0}) == 0);
  CHECK(find({8}) == 0);
  CHECK(find({0, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0}) == 0);
  CHECK(find({2, 0, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0}) == 0);
}

}  // namespace
}  // namespace tandem::pktgen
