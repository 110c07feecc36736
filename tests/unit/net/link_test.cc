// SPDX-License-Identifier: Apache-2.0
//
// The link header of a packet that leaves, the echo reply that goes back in its request's frame, and the
// request to all hosts.
#include "dataplane/net/link.h"
#include "tests/unit/net/frame_test_util.h"
#include "tests/unit/net/good_frames.h"

namespace {

using namespace tandem;
using namespace tandem::test;
using net::Kind;
using net::Parsed;

Bytes BehindLink(const Bytes& frame, const Parsed& parsed) {
  return Bytes(frame.begin() + parsed.l3_offset, frame.end());
}

}  // namespace

TEST_CASE("set link: tags come and go, everything behind them stays", "[net]") {
  for (const GoodFrame& good : GoodFrames()) {
    CAPTURE(good.name);
    for (const auto& link : {kLink, kTaggedLink}) {
      TestPacket packet(good.bytes);
      Parsed parsed = ParsedOf(packet);
      const Bytes before = BehindLink(packet.bytes(), parsed);
      const uint8_t* ip = packet.packet().data + parsed.l3_offset;
      const uint32_t room = packet.packet().headroom + packet.packet().length;
      REQUIRE(net::SetLink(packet.packet(), parsed, link));
      const Bytes after = packet.bytes();
      CHECK(BehindLink(after, parsed) == before);
      CHECK(packet.packet().data + parsed.l3_offset == ip);
      CHECK(packet.packet().headroom + packet.packet().length == room);
      CHECK(packet.packet().contiguous == packet.packet().length);
      CHECK(std::equal(link.destination.begin(), link.destination.end(), after.begin()));
      CHECK(std::equal(link.source.begin(), link.source.end(), after.begin() + 6));
      const Parsed again = ParsedOf(packet);
      CHECK(again.kind == good.kind);
      CHECK(again.vlan == link.vlan);
      CHECK(again.l3_offset == parsed.l3_offset);
      if (good.kind != Kind::kArp) CHECK(again.l4_offset == parsed.l4_offset);
    }
  }
}

TEST_CASE("set link: a tag without headroom is refused and nothing is written", "[net]") {
  const Bytes frame = PacketBuilder().Ipv4("10.0.0.1", "10.0.0.2").Udp(1, 2).Build();
  for (uint16_t headroom = 0; headroom < 6; ++headroom) {
    TestPacket packet(frame, headroom);
    Parsed parsed = ParsedOf(packet);
    CHECK(net::SetLink(packet.packet(), parsed, kTaggedLink) == (headroom >= 4));
    if (headroom >= 4) continue;
    CHECK(packet.bytes() == frame);
    CHECK(parsed.l3_offset == 14);
    CHECK(packet.packet().headroom == headroom);
    // Without a tag there is nothing to make room for.
    CHECK(net::SetLink(packet.packet(), parsed, kLink));
  }
}

TEST_CASE("set link: a tag that is replaced needs no headroom, one that goes leaves some",
          "[net]") {
  TestPacket packet(PacketBuilder().Vlan(0xe007).Ipv4("10.0.0.1", "10.0.0.2").Udp(1, 2).Build(), 0);
  Parsed parsed = ParsedOf(packet);
  REQUIRE(net::SetLink(packet.packet(), parsed, kTaggedLink));
  CHECK(ParsedOf(packet).vlan == 10);
  REQUIRE(net::SetLink(packet.packet(), parsed, kLink));
  CHECK(packet.packet().headroom == 4);
  CHECK(parsed.l3_offset == 14);
  CHECK(ParsedOf(packet).kind == Kind::kUdp);
}

TEST_CASE("echo reply: swaps the ends and keeps every checksum right", "[net]") {
  const auto v4 = PacketBuilder().Ipv4("10.0.0.1", "192.0.2.10");
  const auto v6 = PacketBuilder().Ipv6("2001:db8::1", "2001:db8::10");
  for (const auto& base : {v4, v6}) {
    for (const uint8_t ttl : Bytes{1, 64, 65, 255}) {
      TestPacket packet(PacketBuilder(base).Ttl(ttl).EchoRequest(77, 5).Payload(33).BuildPacket());
      const Parsed request = ParsedOf(packet);
      net::EchoReplyInPlace(packet.packet(), request, DestinationOf(request));
      CHECK(Complaint(packet.bytes()) == "");
      const Parsed reply = ParsedOf(packet);
      CHECK(reply.kind == Kind::kIcmpQuery);
      CHECK((reply.flags & net::kIcmpReply) != 0);
      CHECK(reply.ttl == 64);
      if (request.is_ipv6()) {
        CHECK(reply.key6.source == request.key6.destination);
        CHECK(reply.key6.destination == request.key6.source);
        CHECK(reply.key6.destination_port == request.key6.source_port);
      } else {
        CHECK(reply.key4.source == request.key4.destination);
        CHECK(reply.key4.destination == request.key4.source);
        CHECK(reply.key4.destination_port == request.key4.source_port);
      }
    }
  }
}

TEST_CASE("echo to all hosts: is asked as any host does, and is answered from an own address",
          "[net]") {
  const auto check = [](const IpAddress& asks, const IpAddress& answers, const MacAddress& group) {
    for (net::LinkHeader link : {kLink, kTaggedLink}) {
      link.destination = net::MulticastMac(net::AllHosts(asks.is_v4()));
      CHECK(link.destination == group);
      TestPacket packet(
          Written([&](net::FrameBuffer out) { return net::BuildEchoToAllHosts(out, link, asks); }));
      const Parsed request = ParsedOf(packet);
      CHECK(request.kind == Kind::kIcmpQuery);
      CHECK((request.flags & net::kIcmpReply) == 0);
      CHECK(request.ttl == 1);
      CHECK(request.vlan == link.vlan);
      CHECK(SourceOf(request) == asks);
      CHECK(DestinationOf(request) == net::AllHosts(asks.is_v4()));
      net::EchoReplyInPlace(packet.packet(), request, answers);
      CHECK(Complaint(packet.bytes()) == "");
      const Parsed reply = ParsedOf(packet);
      CHECK((reply.flags & net::kIcmpReply) != 0);
      CHECK(SourceOf(reply) == answers);
      CHECK(DestinationOf(reply) == asks);
    }
  };
  check(Ip("10.0.0.1"), Ip("10.0.0.254"), Mac("01:00:5e:00:00:01"));
  check(Ip("2001:db8::1"), Ip("2001:db8::ff"), Mac("33:33:00:00:00:01"));
  check(Ip("fe80::1"), Ip("2001:db8::ff"), Mac("33:33:00:00:00:01"));
}
