// SPDX-License-Identifier: Apache-2.0
//
// The packet inside an ICMP error, and the options of a SYN.
#include <catch2/catch.hpp>

#include "tests/unit/net/good_frames.h"

namespace {

using namespace tandem;
using namespace tandem::test;
using net::Kind;
using net::Parsed;

struct Outcome {
  Parsed outer;
  Parsed quoted;
};

Outcome Quoted(const Bytes& frame, size_t contiguous) {
  const TestPacket packet = TestPacket::Split(frame, contiguous);
  Outcome outcome;
  net::Parse(packet.packet(), outcome.outer);
  REQUIRE(outcome.outer.kind == Kind::kIcmpError);
  net::ParseQuoted(packet.packet(), outcome.outer, outcome.quoted);
  return outcome;
}

Outcome Quoted(const PacketBuilder& quoted) {
  const Bytes packet = quoted.BuildIp();
  const Bytes frame =
      packet[0] >> 4 == 4
          ? PacketBuilder().Ipv4("198.51.100.1", "10.0.0.1").IcmpError(3, 3, packet).Build()
          : PacketBuilder().Ipv6("2001:db8:9::1", "2001:db8::1").IcmpError(1, 4, packet).Build();
  return Quoted(frame, frame.size());
}

DropReason DropOf(const PacketBuilder& quoted) {
  const Outcome outcome = Quoted(quoted);
  CHECK((outcome.quoted.kind == Kind::kNone) == (outcome.quoted.drop != DropReason::kNone));
  return outcome.quoted.drop;
}

PacketBuilder V4() {
  return PacketBuilder().Ipv4("10.0.0.1", "192.0.2.10");
}
PacketBuilder V6() {
  return PacketBuilder().Ipv6("2001:db8::1", "2001:db8::10");
}

uint16_t Wire(uint16_t host) {
  return __builtin_bswap16(host);
}

net::TcpSynOptions OptionsOf(const Bytes& options) {
  const TestPacket packet(V4().Tcp(1, 2, kSyn).TcpOptions(options).Build());
  Parsed parsed;
  net::Parse(packet.packet(), parsed);
  REQUIRE(parsed.kind == Kind::kTcp);
  return net::ParseTcpSynOptions(packet.packet(), parsed);
}

}  // namespace

TEST_CASE("quoted: the key is as we once sent the packet", "[net]") {
  const Parsed tcp = Quoted(V4().Ttl(9).Tcp(1234, 80, kAck).Payload(30)).quoted;
  CHECK(tcp.drop == DropReason::kNone);
  CHECK(tcp.kind == Kind::kTcp);
  CHECK(tcp.ttl == 9);
  CHECK(tcp.protocol == 6);
  CHECK(tcp.l3_offset == 14 + 20 + 8);
  CHECK(tcp.l4_offset == 14 + 20 + 8 + 20);
  CHECK(tcp.ip_length == 20 + 20 + 30);
  CHECK(tcp.l4_length == 20 + 30);
  CHECK(tcp.key4.source == Ip("10.0.0.1").v4());
  CHECK(tcp.key4.destination == Ip("192.0.2.10").v4());
  CHECK(tcp.key4.source_port == Wire(1234));
  CHECK(tcp.key4.destination_port == Wire(80));

  const Parsed udp = Quoted(V6().Extension(60).Udp(7, 53).Payload(30)).quoted;
  CHECK(udp.kind == Kind::kUdp);
  CHECK(udp.is_ipv6());
  CHECK(udp.l3_offset == 14 + 40 + 8);
  CHECK(udp.l4_offset == 14 + 40 + 8 + 40 + 8);
  CHECK(udp.l4_length == 38);
  CHECK(IpAddress::V6(udp.key6.destination.bytes) == Ip("2001:db8::10"));
  CHECK(udp.key6.source_port == Wire(7));
}

TEST_CASE("quoted: an echo has its identifier on its own side", "[net]") {
  const Parsed request = Quoted(V4().EchoRequest(77)).quoted;
  CHECK(request.kind == Kind::kIcmpQuery);
  CHECK(request.key4.source_port == Wire(77));
  const Parsed reply = Quoted(V6().EchoReply(77)).quoted;
  CHECK(reply.kind == Kind::kIcmpQuery);
  CHECK((reply.flags & net::kIcmpReply) != 0);
  CHECK(reply.key6.destination_port == Wire(77));
}

TEST_CASE("quoted: 8 bytes behind the IP header are enough, 7 are not", "[net]") {
  for (const auto& builder : {V4().Tcp(1234, 80, kAck), V6().Extension(60).Tcp(1234, 80, kAck)}) {
    const Bytes whole = builder.BuildIp();
    const bool is_v4 = whole[0] >> 4 == 4;
    const size_t headers = is_v4 ? 20 : 48;
    for (size_t size = 0; size <= whole.size(); ++size) {
      CAPTURE(is_v4, size);
      const Bytes quote(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
      const auto outer = is_v4 ? PacketBuilder().Ipv4("198.51.100.1", "10.0.0.1")
                               : PacketBuilder().Ipv6("2001:db8:9::1", "2001:db8::1");
      // Padding behind the packet is not part of the quote.
      const Bytes frame =
          PacketBuilder(outer).IcmpError(is_v4 ? 3 : 1, 1, quote).PadTo(200).Build();
      const Outcome outcome = Quoted(frame, frame.size());
      CHECK(outcome.quoted.drop == (size < headers + 8 ? DropReason::kIcmpBad : DropReason::kNone));
    }
  }
}

TEST_CASE("quoted: what the first buffer does not hold is unusable", "[net]") {
  const Bytes quote = V4().Udp(1, 2).BuildIp();
  const Bytes frame =
      PacketBuilder().Ipv4("198.51.100.1", "10.0.0.1").IcmpError(3, 3, quote).Build();
  for (size_t contiguous = 14 + 20 + 8; contiguous <= frame.size(); ++contiguous) {
    CHECK(Quoted(frame, contiguous).quoted.drop ==
          (contiguous < frame.size() ? DropReason::kIcmpBad : DropReason::kNone));
  }
}

TEST_CASE("quoted: what has no ports to find a flow by is icmp_bad", "[net]") {
  CHECK(DropOf(V4().Fragment(1, false).Udp(1, 2)) == DropReason::kIcmpBad);
  CHECK(DropOf(V6().Fragment(1, true).Udp(1, 2)) == DropReason::kIcmpBad);
  CHECK(DropOf(V4().VersionOverride(6).Udp(1, 2)) == DropReason::kIcmpBad);
  CHECK(DropOf(V4().IhlOverride(4).Udp(1, 2)) == DropReason::kIcmpBad);
  CHECK(DropOf(V4().IhlOverride(15).Udp(1, 2)) == DropReason::kIcmpBad);
  CHECK(DropOf(V4().LengthOverride(19).Udp(1, 2)) == DropReason::kIcmpBad);
  CHECK(DropOf(V6().LengthOverride(4).Extension(60).Udp(1, 2)) == DropReason::kIcmpBad);
  // An error about an error.
  CHECK(DropOf(V4().Icmp(3, 1).Payload(28)) == DropReason::kIcmpBad);
  CHECK(DropOf(V6().Icmp(1, 1).Payload(48)) == DropReason::kIcmpBad);
}

TEST_CASE("quoted: an error of the other family is icmp_bad", "[net]") {
  const Bytes v6 = V6().Udp(1, 2).BuildIp();
  const Bytes frame = PacketBuilder().Ipv4("198.51.100.1", "10.0.0.1").IcmpError(3, 3, v6).Build();
  CHECK(Quoted(frame, frame.size()).quoted.drop == DropReason::kIcmpBad);
}

TEST_CASE("quoted: a first fragment and odd lengths are taken as they are", "[net]") {
  const Parsed first = Quoted(V4().Fragment(0, true).Udp(1, 2).Payload(8)).quoted;
  CHECK(first.kind == Kind::kUdp);
  CHECK((first.flags & net::kFirstFragment) != 0);
  CHECK(Quoted(V4().LengthOverride(1500).BadIpChecksum().Udp(1, 2)).quoted.ip_length == 1500);
}

TEST_CASE("syn options: MSS and window scale are found among others", "[net]") {
  const auto options = OptionsOf({4, 2, 1, 2, 4, 5, 180, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 3, 3, 7});
  CHECK(options.mss == 1460);
  CHECK(options.has_window_scale);
  CHECK(options.window_scale == 7);
  const auto none = OptionsOf({});
  CHECK(none.mss == 0);
  CHECK_FALSE(none.has_window_scale);
}

TEST_CASE("syn options: a window scale above 14 counts as 14", "[net]") {
  CHECK(OptionsOf({3, 3, 14}).window_scale == 14);
  CHECK(OptionsOf({3, 3, 15}).window_scale == 14);
  CHECK(OptionsOf({3, 3, 255}).window_scale == 14);
}

TEST_CASE("syn options: a malformed list is read up to the damage", "[net]") {
  CHECK(OptionsOf({2, 4, 5, 180, 9, 0, 3, 3}).mss == 1460);
  CHECK_FALSE(OptionsOf({9, 0, 3, 3, 7, 0, 0, 0}).has_window_scale);
  CHECK_FALSE(OptionsOf({9, 40, 3, 3, 7, 0, 0, 0}).has_window_scale);
  CHECK_FALSE(OptionsOf({0, 3, 3, 7}).has_window_scale);
  CHECK_FALSE(OptionsOf({1, 1, 1, 3}).has_window_scale);
  CHECK_FALSE(OptionsOf({3, 4, 7, 0}).has_window_scale);  // wrong length for its kind
  CHECK(OptionsOf({2, 3, 5, 0}).mss == 0);
}
