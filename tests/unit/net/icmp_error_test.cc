// SPDX-License-Identifier: Apache-2.0
//
// ICMP errors: which packets get one (RFC 1122 section 3.2.2, RFC 4443 section 2.4), what is in it
// and how long it is (RFC 1812 section 4.3.2.3).
#include "tests/unit/net/frame_test_util.h"

namespace {

using namespace tandem;
using namespace tandem::test;
using net::IcmpErrorKind;
using net::Kind;
using net::Parsed;

Bytes ErrorAbout(const TestPacket& packet, IcmpErrorKind kind = IcmpErrorKind::kHostUnreachable,
                 const net::LinkHeader& link = kLink) {
  const Parsed parsed = ParsedOf(packet);
  REQUIRE(parsed.drop == DropReason::kNone);
  const IpAddress source = Ip(parsed.is_ipv6() ? "2001:db8:ffff::1" : "198.51.100.1");
  return Written([&](net::FrameBuffer out) {
    return net::BuildIcmpError(out, link, source, packet.packet(), parsed, kind, 1400);
  });
}

Bytes ErrorAbout(const PacketBuilder& builder,
                 IcmpErrorKind kind = IcmpErrorKind::kHostUnreachable) {
  return ErrorAbout(builder.BuildPacket(), kind);
}

PacketBuilder V4() {
  return PacketBuilder().Ipv4("10.0.0.1", "192.0.2.10");
}
PacketBuilder V6() {
  return PacketBuilder().Ipv6("2001:db8::1", "2001:db8::10");
}

}  // namespace

TEST_CASE("icmp error: type, code and MTU by kind", "[net]") {
  struct Row {
    IcmpErrorKind kind;
    uint32_t v4;  // type and code
    uint32_t v6;
  };
  for (const Row& row : {Row{IcmpErrorKind::kPortUnreachable, 0x0303, 0x0104},
                         Row{IcmpErrorKind::kHostUnreachable, 0x0301, 0x0103},
                         Row{IcmpErrorKind::kAdminProhibited, 0x030d, 0x0101},
                         Row{IcmpErrorKind::kTimeExceeded, 0x0b00, 0x0300},
                         Row{IcmpErrorKind::kTooBig, 0x0304, 0x0200}}) {
    const uint32_t rest = row.kind == IcmpErrorKind::kTooBig ? 1400 : 0;
    const Bytes v4 = ErrorAbout(V4().Udp(1, 2), row.kind);
    CHECK(Field32(v4, 34) >> 16 == row.v4);
    CHECK(Field32(v4, 38) == rest);
    const Bytes v6 = ErrorAbout(V6().Udp(1, 2), row.kind);
    CHECK(Field32(v6, 54) >> 16 == row.v6);
    CHECK(Field32(v6, 58) == rest);
  }
}

TEST_CASE("icmp error: goes to the sender and quotes the packet's key", "[net]") {
  for (const auto& builder :
       {V4().Vlan(7).Tcp(1234, 80, kSyn), V6().Extension(60).Udp(1234, 80).Payload(50),
        V4().EchoRequest(77), V6().EchoReply(77)}) {
    const TestPacket about = builder.BuildPacket();
    const Parsed original = ParsedOf(about);
    const TestPacket packet(ErrorAbout(about, IcmpErrorKind::kTimeExceeded, kTaggedLink));
    const Parsed parsed = ParsedOf(packet);
    REQUIRE(parsed.kind == Kind::kIcmpError);
    CHECK(parsed.vlan == 10);
    Parsed quoted;
    net::ParseQuoted(packet.packet(), parsed, quoted);
    REQUIRE(quoted.drop == DropReason::kNone);
    CHECK(quoted.kind == original.kind);
    CHECK(quoted.ip_length == original.ip_length);
    if (original.is_ipv6()) {
      CHECK(quoted.key6 == original.key6);
      CHECK(parsed.key6.destination == original.key6.source);
    } else {
      CHECK(quoted.key4 == original.key4);
      CHECK(parsed.key4.destination == original.key4.source);
    }
  }
}

TEST_CASE("icmp error: quotes as much as fits, and all of what is short", "[net]") {
  for (size_t payload = 0; payload < 700; ++payload) {
    CAPTURE(payload);
    const Bytes v4 = ErrorAbout(V4().Udp(1, 2).Payload(payload));
    CHECK(ParsedOf(TestPacket(v4)).ip_length == std::min<size_t>(20 + 8 + 20 + 8 + payload, 576));
    const Bytes v6 = ErrorAbout(V6().Udp(1, 2).Payload(payload));
    CHECK(ParsedOf(TestPacket(v6)).ip_length ==
          std::min<size_t>(40 + 8 + 40 + 8 + payload, kOriginatedFrameMax - 14));
  }
  const TestPacket large = V6().Udp(1, 2).Payload(1400).BuildPacket();
  CHECK(ErrorAbout(large, IcmpErrorKind::kTooBig, kTaggedLink).size() == kOriginatedFrameMax);
}

TEST_CASE("icmp error: Ethernet's padding and unread buffers are not quoted", "[net]") {
  const Bytes padded = ErrorAbout(V4().Udp(1, 2).PadTo(60));
  CHECK(ParsedOf(TestPacket(padded)).ip_length == 20 + 8 + 28);
  const Bytes frame = V4().Udp(1, 2).Payload(500).Build();
  const Bytes split = ErrorAbout(TestPacket::Split(frame, 100));
  CHECK(ParsedOf(TestPacket(split)).ip_length == 20 + 8 + 86);
}

TEST_CASE("icmp error: never about an error", "[net]") {
  for (const uint8_t type : Bytes{3, 4, 5, 11, 12}) {
    CHECK(ErrorAbout(V4().Icmp(type, 0).Payload(28)).empty());
  }
  for (const uint8_t type : Bytes{1, 2, 3, 4, 100, 127, 137}) {
    CHECK(ErrorAbout(V6().Icmp(type, 0).Payload(48)).empty());
  }
  CHECK_FALSE(ErrorAbout(V4().Icmp(13, 0).Payload(12)).empty());
  CHECK_FALSE(ErrorAbout(V6().Icmp(139, 0).Payload(12)).empty());
  CHECK_FALSE(ErrorAbout(V4().EchoRequest(1)).empty());
}

TEST_CASE("icmp error: never about what went to a group", "[net]") {
  CHECK(ErrorAbout(PacketBuilder().Ipv4("10.0.0.1", "224.0.0.9").Udp(1, 2)).empty());
  CHECK(ErrorAbout(PacketBuilder().Ipv4("10.0.0.1", "255.255.255.255").Udp(1, 2)).empty());
  CHECK(ErrorAbout(PacketBuilder().Ipv6("fe80::1", "ff02::1").Udp(1, 2)).empty());
  CHECK(ErrorAbout(V4().Ethernet(kClientMac, "01:00:5e:00:00:01").Udp(1, 2)).empty());
}

TEST_CASE("icmp error: never about a fragment that is not the first, ARP or ND", "[net]") {
  CHECK_FALSE(ErrorAbout(V4().Fragment(0, true).Udp(1, 2).Payload(8)).empty());
  const TestPacket later = V4().Fragment(1, true).Udp(1, 2).BuildPacket();
  const Parsed dropped = ParsedOf(later);
  REQUIRE(dropped.drop == DropReason::kFragment);
  CHECK(Written([&](net::FrameBuffer out) {
          return net::BuildIcmpError(out, kLink, Ip("198.51.100.1"), later.packet(), dropped,
                                     IcmpErrorKind::kHostUnreachable, 0);
        }).empty());
  CHECK(ErrorAbout(PacketBuilder().ArpRequest(Mac(kClientMac), "10.0.0.1", "10.0.0.2")).empty());
  CHECK(ErrorAbout(PacketBuilder().Ipv6("fe80::1", "fe80::2").Solicitation("fe80::2")).empty());
}

TEST_CASE("icmp error: never to a source that is not one host, nor in the other family", "[net]") {
  CHECK(ErrorAbout(PacketBuilder().Ipv4("240.0.0.1", "10.0.0.2").Udp(1, 2)).empty());
  const TestPacket packet = V4().Udp(1, 2).BuildPacket();
  const Parsed parsed = ParsedOf(packet);
  CHECK(Written([&](net::FrameBuffer out) {
          return net::BuildIcmpError(out, kLink, Ip("2001:db8::1"), packet.packet(), parsed,
                                     IcmpErrorKind::kHostUnreachable, 0);
        }).empty());
}
