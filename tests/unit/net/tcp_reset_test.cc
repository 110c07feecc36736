// SPDX-License-Identifier: Apache-2.0
//
// RFC 9293 section 3.10.7.1: what a closed port answers.
#include "tests/unit/net/frame_test_util.h"

namespace {

using namespace tandem;
using namespace tandem::test;
using net::Kind;

Bytes ResetOf(const PacketBuilder& builder, const net::LinkHeader& link = kLink) {
  const TestPacket packet = builder.BuildPacket();
  const net::Parsed parsed = ParsedOf(packet);
  REQUIRE(parsed.drop == DropReason::kNone);
  return Written(
      [&](net::FrameBuffer out) { return net::BuildTcpReset(out, link, packet.packet(), parsed); });
}

PacketBuilder V4() {
  return PacketBuilder().Ipv4("10.0.0.1", "192.0.2.10");
}
PacketBuilder V6() {
  return PacketBuilder().Ipv6("2001:db8::1", "2001:db8::10");
}

constexpr size_t kTcp4 = 14 + 20;
constexpr size_t kTcp6 = 14 + 40;

struct Expected {
  uint8_t flags;
  uint32_t sequence;
  uint32_t acknowledgement;
};

void CheckReset(const Bytes& frame, size_t tcp, const Expected& expected) {
  REQUIRE_FALSE(frame.empty());
  const TestPacket packet(frame);
  const net::Parsed parsed = ParsedOf(packet);
  CHECK(parsed.kind == Kind::kTcp);
  CHECK(parsed.tcp_flags == expected.flags);
  CHECK(Field32(frame, tcp + 4) == expected.sequence);
  CHECK(Field32(frame, tcp + 8) == expected.acknowledgement);
  CHECK(parsed.l4_length == 20);
}

}  // namespace

TEST_CASE("tcp reset: a segment with ACK is answered with its own acknowledgement", "[net]") {
  for (const uint8_t flags : Bytes{kAck, kAck | kPsh, kSyn | kAck, kFin | kAck}) {
    CheckReset(ResetOf(V4().Tcp(1234, 80, flags).Seq(7).Ack(0xfffffff0).Payload(5)), kTcp4,
               {kRst, 0xfffffff0, 0});
    CheckReset(ResetOf(V6().Tcp(1234, 80, flags).Seq(7).Ack(99).Payload(5)), kTcp6, {kRst, 99, 0});
  }
}

TEST_CASE("tcp reset: a segment without ACK is acknowledged up to its end", "[net]") {
  CheckReset(ResetOf(V4().Tcp(1, 2, kSyn).Seq(1000)), kTcp4, {kRst | kAck, 0, 1001});
  CheckReset(ResetOf(V4().Tcp(1, 2, kSyn).Seq(1000).TcpOptions({2, 4, 5, 180}).Payload(10)), kTcp4,
             {kRst | kAck, 0, 1011});
  CheckReset(ResetOf(V4().Tcp(1, 2, kFin).Seq(1000).Payload(10)), kTcp4, {kRst | kAck, 0, 1011});
  CheckReset(ResetOf(V4().Tcp(1, 2, kPsh).Seq(0xffffffff).Payload(2)), kTcp4, {kRst | kAck, 0, 1});
  // Ethernet's padding is no data.
  CheckReset(ResetOf(V4().Tcp(1, 2, kSyn).Seq(1000).PadTo(60)), kTcp4, {kRst | kAck, 0, 1001});
  CheckReset(ResetOf(V6().Extension(60).Tcp(1, 2, kSyn).Seq(1000)), kTcp6, {kRst | kAck, 0, 1001});
}

TEST_CASE("tcp reset: goes back the way the segment came", "[net]") {
  const TestPacket packet(ResetOf(V4().Tcp(1234, 80, kSyn), kTaggedLink));
  const net::Parsed parsed = ParsedOf(packet);
  CHECK(parsed.vlan == 10);
  CHECK(parsed.key4.source == Ip("192.0.2.10").v4());
  CHECK(parsed.key4.destination == Ip("10.0.0.1").v4());
  CHECK(parsed.key4.source_port == __builtin_bswap16(80));
  CHECK(parsed.key4.destination_port == __builtin_bswap16(1234));
  CHECK(parsed.ttl == 64);
}

TEST_CASE("tcp reset: nobody answers a RST, a group, or what is not TCP", "[net]") {
  CHECK(ResetOf(V4().Tcp(1, 2, kRst)).empty());
  CHECK(ResetOf(V6().Tcp(1, 2, kRst | kAck)).empty());
  CHECK(ResetOf(V4().Tcp(1, 2, kRst | kFin)).empty());
  CHECK(ResetOf(V4().Udp(1, 2)).empty());
  CHECK(ResetOf(PacketBuilder().Ipv4("10.0.0.1", "224.0.0.9").Tcp(1, 2, kSyn)).empty());
  CHECK(ResetOf(PacketBuilder().Ipv4("10.0.0.1", "255.255.255.255").Tcp(1, 2, kSyn)).empty());
  CHECK(ResetOf(PacketBuilder().Ipv6("fe80::1", "ff02::1").Tcp(1, 2, kSyn)).empty());
  CHECK(ResetOf(V4().Ethernet(kClientMac, "ff:ff:ff:ff:ff:ff").Tcp(1, 2, kSyn)).empty());
}

TEST_CASE("tcp reset: one out of nowhere carries what it is told", "[net]") {
  for (const bool is_v4 : {true, false}) {
    net::ResetSpec spec;
    spec.source = Ip(is_v4 ? "192.0.2.10" : "2001:db8::10");
    spec.destination = Ip(is_v4 ? "10.0.0.1" : "2001:db8::1");
    spec.source_port = __builtin_bswap16(80);
    spec.destination_port = __builtin_bswap16(1234);
    spec.sequence = 0x01020304;
    spec.acknowledgement = 0xf1f2f3f4;
    const Bytes frame =
        Written([&](net::FrameBuffer out) { return net::BuildTcpReset(out, kLink, spec); });
    CheckReset(frame, is_v4 ? kTcp4 : kTcp6, {kRst | kAck, 0x01020304, 0xf1f2f3f4});
    const net::Parsed parsed = ParsedOf(TestPacket(frame));
    CHECK((is_v4 ? parsed.key4.source_port : parsed.key6.source_port) == spec.source_port);
  }
}
