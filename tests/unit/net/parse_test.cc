// SPDX-License-Identifier: Apache-2.0
//
// Each reason for which Parse drops, once for each check that gives it; and what it says about the
// frames that it takes.
#include "dataplane/net/parse.h"

#include <catch2/catch.hpp>

#include "dataplane/base/limits.h"
#include "tests/unit/net/good_frames.h"

namespace {

using namespace tandem;
using namespace tandem::test;
using net::Kind;
using net::Parsed;

Parsed ParsedOf(const Bytes& frame, uint16_t flags = 0) {
  TestPacket packet(frame);
  packet.packet().flags = flags;
  Parsed parsed;
  net::Parse(packet.packet(), parsed);
  return parsed;
}

DropReason DropOf(const PacketBuilder& builder, uint16_t flags = 0) {
  const Parsed parsed = ParsedOf(builder.Build(), flags);
  CHECK((parsed.kind == Kind::kNone) == (parsed.drop != DropReason::kNone));
  return parsed.drop;
}

Kind KindOf(const PacketBuilder& builder) {
  return ParsedOf(builder.Build()).kind;
}

PacketBuilder V4() {
  return PacketBuilder().Ipv4("10.0.0.1", "192.0.2.10");
}
PacketBuilder V6() {
  return PacketBuilder().Ipv6("2001:db8::1", "2001:db8::10");
}
PacketBuilder Udp4() {
  return V4().Udp(1000, 53).Payload(4);
}
PacketBuilder Tcp4() {
  return V4().Tcp(1000, 80, kAck).Payload(4);
}
PacketBuilder Udp6() {
  return V6().Udp(1000, 53).Payload(4);
}

uint16_t Wire(uint16_t host) {
  return __builtin_bswap16(host);
}

}  // namespace

namespace tandem {

std::ostream& operator<<(std::ostream& out, DropReason reason) {
  return out << NameOf(reason);
}

}  // namespace tandem

TEST_CASE("parse: takes one frame of each shape", "[net]") {
  for (const GoodFrame& frame : GoodFrames()) {
    CAPTURE(frame.name);
    const Parsed parsed = ParsedOf(frame.bytes);
    CHECK(parsed.drop == DropReason::kNone);
    CHECK(parsed.kind == frame.kind);
  }
}

TEST_CASE("parse: names every field of a tagged TCP segment", "[net]") {
  const Parsed parsed = ParsedOf(PacketBuilder()
                                     .Vlan(0xe00a)  // priority 7, VLAN 10
                                     .Ipv4("10.0.0.1", "192.0.2.10")
                                     .Ttl(17)
                                     .Tcp(1234, 80, kSyn | kUrg)
                                     .TcpOptions({2, 4, 5, 180})
                                     .Payload(9)
                                     .PadTo(100)
                                     .Build());
  CHECK(parsed.vlan == 10);
  CHECK(parsed.flags == net::kVlanTag);
  CHECK(parsed.l3_offset == 18);
  CHECK(parsed.l4_offset == 38);
  CHECK(parsed.ip_length == 20 + 24 + 9);
  CHECK(parsed.l4_length == 24 + 9);
  CHECK(parsed.protocol == 6);
  CHECK(parsed.ttl == 17);
  CHECK(parsed.tcp_flags == (kSyn | kUrg));
  CHECK(parsed.key4.source == Ip("10.0.0.1").v4());
  CHECK(parsed.key4.destination == Ip("192.0.2.10").v4());
  CHECK(parsed.key4.source_port == Wire(1234));
  CHECK(parsed.key4.destination_port == Wire(80));
}

TEST_CASE("parse: names every field of an IPv6 datagram behind extension headers", "[net]") {
  const Parsed parsed =
      ParsedOf(V6().Ttl(3).Extension(0).Extension(60, Bytes(14)).Udp(7, 53).Payload(2).Build());
  CHECK(parsed.is_ipv6());
  CHECK(parsed.kind == Kind::kUdp);
  CHECK(parsed.protocol == 17);
  CHECK(parsed.ttl == 3);
  CHECK(parsed.l4_offset == 14 + 40 + 8 + 16);
  CHECK(parsed.ip_length == 40 + 24 + 10);
  CHECK(parsed.l4_length == 10);
  CHECK(IpAddress::V6(parsed.key6.source.bytes) == Ip("2001:db8::1"));
  CHECK(IpAddress::V6(parsed.key6.destination.bytes) == Ip("2001:db8::10"));
  CHECK(parsed.key6.source_port == Wire(7));
  CHECK(parsed.key6.destination_port == Wire(53));
}

TEST_CASE("parse: an ICMP query's identifier takes the port of its own end", "[net]") {
  const Parsed request = ParsedOf(V4().EchoRequest(77).Build());
  CHECK(request.key4.source_port == Wire(77));
  CHECK(request.key4.destination_port == 0);
  CHECK((request.flags & net::kIcmpReply) == 0);
  const Parsed reply = ParsedOf(V6().EchoReply(77).Build());
  CHECK(reply.key6.source_port == 0);
  CHECK(reply.key6.destination_port == Wire(77));
  CHECK((reply.flags & net::kIcmpReply) != 0);
}

TEST_CASE("parse: what has no ports has ports 0 in its key", "[net]") {
  for (const GoodFrame& frame : GoodFrames()) {
    if (frame.kind != Kind::kIpOther && frame.kind != Kind::kIcmpError &&
        frame.kind != Kind::kIcmpOther && frame.kind != Kind::kNd) {
      continue;
    }
    CAPTURE(frame.name);
    const Parsed parsed = ParsedOf(frame.bytes);
    CHECK((parsed.is_ipv6() ? parsed.key6.source_port : parsed.key4.source_port) == 0);
    CHECK((parsed.is_ipv6() ? parsed.key6.destination_port : parsed.key4.destination_port) == 0);
  }
}

TEST_CASE("parse: flags a group MAC", "[net]") {
  auto builder = Udp4();
  CHECK((ParsedOf(builder.Build()).flags & net::kGroupMac) == 0);
  builder.Ethernet(kClientMac, "ff:ff:ff:ff:ff:ff");
  CHECK((ParsedOf(builder.Build()).flags & net::kGroupMac) != 0);
  builder.Ethernet(kClientMac, "33:33:00:00:00:01");
  CHECK((ParsedOf(builder.Build()).flags & net::kGroupMac) != 0);
}

TEST_CASE("parse: a priority tag is a tag of no VLAN", "[net]") {
  const Parsed parsed = ParsedOf(Udp4().Vlan(0x6000).Build());
  CHECK(parsed.vlan == net::kUntagged);
  CHECK((parsed.flags & net::kVlanTag) != 0);
}

// Ethernet.

TEST_CASE("parse: more than one tag is vlan_stacked", "[net]") {
  CHECK(DropOf(Udp4().Vlan(1).Vlan(2)) == DropReason::kVlanStacked);
  CHECK(DropOf(Udp4().Vlan(1, 0x88a8).Vlan(2)) == DropReason::kVlanStacked);
  CHECK(DropOf(Udp4().Vlan(1).Vlan(2, 0x88a8)) == DropReason::kVlanStacked);
}

TEST_CASE("parse: any other EtherType is ethertype_unknown", "[net]") {
  CHECK(DropOf(Udp4().EtherTypeOverride(0x88cc)) == DropReason::kEtherTypeUnknown);
  CHECK(DropOf(Udp4().EtherTypeOverride(60)) == DropReason::kEtherTypeUnknown);  // 802.3 length
  CHECK(DropOf(Udp4().Vlan(5).EtherTypeOverride(0x9100)) == DropReason::kEtherTypeUnknown);
}

// IPv4.

TEST_CASE("parse: a version that the EtherType denies is ip_version_bad", "[net]") {
  CHECK(DropOf(Udp4().VersionOverride(5)) == DropReason::kIpVersionBad);
  CHECK(DropOf(Udp4().EtherTypeOverride(0x86dd).Payload(40)) == DropReason::kIpVersionBad);
  CHECK(DropOf(Udp6().VersionOverride(4)) == DropReason::kIpVersionBad);
  CHECK(DropOf(Udp6().EtherTypeOverride(0x0800)) == DropReason::kIpVersionBad);
}

TEST_CASE("parse: IHL below 5 is ip_header_length_bad", "[net]") {
  for (uint8_t ihl = 0; ihl < 5; ++ihl) {
    CHECK(DropOf(Udp4().IhlOverride(ihl)) == DropReason::kIpHeaderLengthBad);
  }
}

TEST_CASE("parse: an IP length that its header or the frame denies is ip_length_bad", "[net]") {
  CHECK(DropOf(Udp4().LengthOverride(19)) == DropReason::kIpLengthBad);
  CHECK(DropOf(Udp4().LengthOverride(0)) == DropReason::kIpLengthBad);
  CHECK(DropOf(Udp4().LengthOverride(20 + 8 + 5)) == DropReason::kIpLengthBad);
  CHECK(DropOf(Udp4().IhlOverride(10).LengthOverride(32).PadTo(100)) == DropReason::kIpLengthBad);
  CHECK(DropOf(Udp6().LengthOverride(8 + 5)) == DropReason::kIpLengthBad);
  CHECK(DropOf(Udp6().LengthOverride(65535)) == DropReason::kIpLengthBad);
}

TEST_CASE("parse: IHL beyond the frame is truncated", "[net]") {
  CHECK(DropOf(V4().Udp(1, 2).IhlOverride(15)) == DropReason::kTruncated);
}

TEST_CASE("parse: a wrong IPv4 checksum is ip_checksum_bad, unless the NIC vouches", "[net]") {
  CHECK(DropOf(Udp4().BadIpChecksum()) == DropReason::kIpChecksumBad);
  CHECK(DropOf(Udp4().BadIpChecksum(), net::kIpChecksumGood) == DropReason::kNone);
  CHECK(DropOf(Udp4(), net::kIpChecksumBad) == DropReason::kIpChecksumBad);
  CHECK(DropOf(Udp4(), net::kIpChecksumBad | net::kIpChecksumGood) == DropReason::kIpChecksumBad);
  CHECK(DropOf(Udp4().Ipv4Options({1, 1, 1, 1}).BadIpChecksum()) == DropReason::kIpChecksumBad);
}

TEST_CASE("parse: every bit of the IPv4 header is under the checksum", "[net]") {
  const Bytes frame = Tcp4().Build();
  for (size_t bit = 0; bit < 160; ++bit) {
    Bytes damaged = frame;
    damaged[14 + bit / 8] = static_cast<uint8_t>(damaged[14 + bit / 8] ^ (1U << (bit % 8)));
    CHECK(ParsedOf(damaged).drop != DropReason::kNone);
  }
}

TEST_CASE("parse: a source route, or options it could hide in, is ip_option_bad", "[net]") {
  const Bytes loose = {131, 7, 4, 10, 0, 0, 9, 0};
  const Bytes strict = {1, 137, 7, 4, 10, 0, 0, 9};
  for (const Bytes& options : {loose, strict, Bytes{7, 0, 0, 0}, Bytes{7, 1, 0, 0},
                               Bytes{7, 5, 0, 0}, Bytes{1, 1, 1, 7}}) {
    CHECK(DropOf(Udp4().Ipv4Options(options)) == DropReason::kIpOptionBad);
  }
  for (const Bytes& options : {Bytes{0, 131, 7, 4}, Bytes{1, 1, 1, 1}, Bytes{148, 4, 0, 0},
                               Bytes{7, 7, 4, 0, 0, 0, 0, 0}, Bytes{1, 1, 7, 2}}) {
    CHECK(DropOf(Udp4().Ipv4Options(options)) == DropReason::kNone);
  }
}

TEST_CASE("parse: addresses that are never a source are ip_source_bad", "[net]") {
  for (const char* source : {"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.0.1", "224.0.0.1",
                             "239.255.255.255", "255.255.255.255"}) {
    CAPTURE(source);
    CHECK(DropOf(PacketBuilder().Ipv4(source, "10.0.0.2").Udp(1, 2)) == DropReason::kIpSourceBad);
  }
  for (const char* source : {"1.0.0.0", "126.255.255.255", "128.0.0.1", "223.255.255.255",
                             "240.0.0.1", "255.255.255.254", "169.254.1.1"}) {
    CAPTURE(source);
    CHECK(DropOf(PacketBuilder().Ipv4(source, "10.0.0.2").Udp(1, 2)) == DropReason::kNone);
  }
  for (const char* source : {"::", "::1", "ff02::1", "::ffff:10.0.0.1"}) {
    CAPTURE(source);
    CHECK(DropOf(PacketBuilder().Ipv6(source, "2001:db8::1").Udp(1, 2)) ==
          DropReason::kIpSourceBad);
  }
  CHECK(DropOf(PacketBuilder().Ipv6("::2", "2001:db8::1").Udp(1, 2)) == DropReason::kNone);
}

TEST_CASE("parse: only a solicitation may come from the unspecified address", "[net]") {
  const auto from_nobody = [] { return PacketBuilder().Ipv6("::", "ff02::1:ff00:2"); };
  CHECK(DropOf(from_nobody().Solicitation("fe80::2")) == DropReason::kNone);
  CHECK(DropOf(from_nobody().Advertisement("fe80::2", 0)) == DropReason::kIpSourceBad);
  CHECK(DropOf(from_nobody().EchoRequest(1)) == DropReason::kIpSourceBad);
  CHECK(DropOf(from_nobody().Tcp(1, 2, kSyn)) == DropReason::kIpSourceBad);
  CHECK(DropOf(from_nobody().Protocol(132)) == DropReason::kIpSourceBad);
}

TEST_CASE("parse: addresses that are no destination on a wire are ip_destination_bad", "[net]") {
  for (const char* destination : {"0.0.0.0", "0.255.0.1", "127.0.0.1"}) {
    CAPTURE(destination);
    CHECK(DropOf(PacketBuilder().Ipv4("10.0.0.1", destination).Udp(1, 2)) ==
          DropReason::kIpDestinationBad);
  }
  for (const char* destination : {"::", "::1", "::ffff:10.0.0.1"}) {
    CAPTURE(destination);
    CHECK(DropOf(PacketBuilder().Ipv6("2001:db8::1", destination).Udp(1, 2)) ==
          DropReason::kIpDestinationBad);
  }
}

TEST_CASE("parse: a multicast or broadcast destination is for the pipeline to judge", "[net]") {
  CHECK(KindOf(PacketBuilder().Ipv4("10.0.0.1", "224.0.0.5").Protocol(89)) == Kind::kIpOther);
  CHECK(KindOf(PacketBuilder().Ipv4("10.0.0.1", "255.255.255.255").Udp(1, 2)) == Kind::kUdp);
  CHECK(KindOf(PacketBuilder().Ipv6("fe80::1", "ff02::fb").Udp(1, 2)) == Kind::kUdp);
}

TEST_CASE("parse: a fragment that is not the first is dropped as such", "[net]") {
  CHECK(DropOf(Udp4().Fragment(1, true)) == DropReason::kFragment);
  CHECK(DropOf(Udp4().Fragment(0x1fff, false)) == DropReason::kFragment);
  CHECK(DropOf(V6().Fragment(1, false).Udp(1, 2)) == DropReason::kFragment);
  CHECK(DropOf(V6().Extension(0).Fragment(0x1fff, true).Udp(1, 2)) == DropReason::kFragment);
  CHECK(DropOf(Udp4().DontFragment()) == DropReason::kNone);
}

TEST_CASE("parse: a first fragment is flagged, an atomic fragment is a whole packet", "[net]") {
  CHECK((ParsedOf(Tcp4().Fragment(0, true).Build()).flags & net::kFirstFragment) != 0);
  CHECK((ParsedOf(V6().Fragment(0, true).Tcp(1, 2, kAck).Build()).flags & net::kFirstFragment) !=
        0);
  const Parsed atomic = ParsedOf(V6().Fragment(0, false).Tcp(1, 2, kAck).Build());
  CHECK(atomic.kind == Kind::kTcp);
  CHECK((atomic.flags & net::kFirstFragment) == 0);
}

// IPv6 extension headers.

TEST_CASE("parse: a chain of kIpv6ExtensionsMax headers passes, one more does not", "[net]") {
  auto builder = Udp6();
  for (int i = 0; i < net::kIpv6ExtensionsMax; ++i)
    builder.Extension(60);
  CHECK(DropOf(builder) == DropReason::kNone);
  CHECK(DropOf(builder.Extension(60)) == DropReason::kIpExtensionBad);
}

TEST_CASE("parse: a chain must end where headers may still be read", "[net]") {
  // 14 + 40 + 398 is the last l4_offset that leaves room for 60 bytes of TCP in kHeadersMax.
  const auto with_chain = [](size_t units) { return Udp6().Extension(60, Bytes(units * 8 - 2)); };
  CHECK(14 + 40 + 49 * 8 <= kHeadersMax - 60);
  CHECK(DropOf(with_chain(49)) == DropReason::kNone);
  CHECK(DropOf(with_chain(50)) == DropReason::kIpExtensionBad);
  CHECK(DropOf(with_chain(256)) == DropReason::kIpExtensionBad);
}

TEST_CASE("parse: hop-by-hop options stand first or nowhere", "[net]") {
  CHECK(DropOf(Udp6().Extension(0).Extension(60)) == DropReason::kNone);
  CHECK(DropOf(Udp6().Extension(60).Extension(0)) == DropReason::kIpExtensionBad);
  CHECK(DropOf(Udp6().Extension(0).Extension(0)) == DropReason::kIpExtensionBad);
}

TEST_CASE("parse: routing header type 0 is refused, others pass", "[net]") {
  CHECK(DropOf(Udp6().Extension(43, {0, 1, 0, 0, 0, 0})) == DropReason::kIpExtensionBad);
  CHECK(DropOf(Udp6().Extension(43, {0, 0, 0, 0, 0, 0})) == DropReason::kIpExtensionBad);
  CHECK(DropOf(Udp6().Extension(43, {4, 0, 0, 0, 0, 0})) == DropReason::kNone);
}

TEST_CASE("parse: a chain that runs past the packet is ip_extension_bad", "[net]") {
  CHECK(DropOf(V6().RawExtension(60, {0, 4, 0, 0, 0, 0, 0, 0})) == DropReason::kIpExtensionBad);
  CHECK(DropOf(V6().RawExtension(60, {0, 0, 0, 0})) == DropReason::kIpExtensionBad);
  CHECK(DropOf(Udp6().Extension(60).LengthOverride(4)) == DropReason::kIpExtensionBad);
  // A jumbogram's length of 0, with a frame long enough to read on.
  CHECK(DropOf(Udp6().Extension(0).LengthOverride(0)) == DropReason::kIpExtensionBad);
}

TEST_CASE("parse: a second fragment header is ip_extension_bad", "[net]") {
  CHECK(DropOf(Udp6().Fragment(0, false).Fragment(0, false)) == DropReason::kIpExtensionBad);
}

TEST_CASE("parse: encrypted and nameless payloads are other protocols", "[net]") {
  for (const uint8_t protocol : Bytes{50, 59, 135, 4, 1}) {
    const Parsed parsed = ParsedOf(V6().Extension(60).Protocol(protocol).Payload(9).Build());
    CHECK(parsed.kind == Kind::kIpOther);
    CHECK(parsed.protocol == protocol);
    CHECK(parsed.l4_length == 9);
  }
  CHECK(KindOf(V4().Protocol(58).Payload(30)) == Kind::kIpOther);
  CHECK(KindOf(V4().Protocol(51).Payload(30)) == Kind::kIpOther);
}

// L4.

TEST_CASE("parse: an L4 header that the packet cuts off is truncated", "[net]") {
  CHECK(DropOf(V4().Protocol(6).Payload(19)) == DropReason::kTruncated);
  CHECK(DropOf(V4().Protocol(6).Payload(19).PadTo(100)) == DropReason::kTruncated);
  CHECK(DropOf(V4().Protocol(17).Payload(7)) == DropReason::kTruncated);
  CHECK(DropOf(V4().Protocol(1).Payload(7)) == DropReason::kTruncated);
  CHECK(DropOf(V6().Protocol(58).Payload(7)) == DropReason::kTruncated);
  CHECK(DropOf(V6().Protocol(6).Payload(0)) == DropReason::kTruncated);
  // RFC 1858: the flags hide in the second fragment.
  CHECK(DropOf(V4().Fragment(0, true).Protocol(6).Payload(8)) == DropReason::kTruncated);
}

TEST_CASE("parse: an impossible UDP length is l4_length_bad", "[net]") {
  for (const uint16_t length : std::initializer_list<uint16_t>{0, 7, 13, 65535}) {
    CHECK(DropOf(Udp4().UdpLengthOverride(length)) == DropReason::kL4LengthBad);
    CHECK(DropOf(Udp6().UdpLengthOverride(length)) == DropReason::kL4LengthBad);
  }
  CHECK(DropOf(Udp4().UdpLengthOverride(8)) == DropReason::kNone);
  CHECK(DropOf(Udp4().Fragment(0, true).UdpLengthOverride(2000)) == DropReason::kNone);
  CHECK(DropOf(Udp4().Fragment(0, true).UdpLengthOverride(7)) == DropReason::kL4LengthBad);
}

TEST_CASE("parse: an impossible TCP data offset is l4_length_bad", "[net]") {
  for (const uint8_t words : Bytes{0, 4, 7, 15}) {
    CHECK(DropOf(Tcp4().DataOffsetOverride(words)) == DropReason::kL4LengthBad);
    CHECK(DropOf(Tcp4().Fragment(0, true).DataOffsetOverride(words)) == DropReason::kL4LengthBad);
  }
  CHECK(DropOf(Tcp4().DataOffsetOverride(6)) == DropReason::kNone);
}

TEST_CASE("parse: flag combinations that no TCP sends are tcp_flags_bad", "[net]") {
  for (unsigned flags = 0; flags < 256; ++flags) {
    const bool syn = (flags & kSyn) != 0;
    const bool bad = (flags & 0x3f) == 0 || (syn && (flags & (kFin | kRst)));
    CAPTURE(flags);
    CHECK(DropOf(V4().Tcp(1, 2, static_cast<uint8_t>(flags))) ==
          (bad ? DropReason::kTcpFlagsBad : DropReason::kNone));
  }
}

TEST_CASE("parse: TCP and UDP whose checksum the NIC found wrong are l4_checksum_bad", "[net]") {
  CHECK(DropOf(Udp4(), net::kL4ChecksumBad) == DropReason::kL4ChecksumBad);
  CHECK(DropOf(Tcp4(), net::kL4ChecksumBad) == DropReason::kL4ChecksumBad);
  CHECK(DropOf(Udp6(), net::kL4ChecksumBad) == DropReason::kL4ChecksumBad);
  CHECK(DropOf(V4().Protocol(47), net::kL4ChecksumBad) == DropReason::kNone);
}

TEST_CASE("parse: the same endpoint on both sides is land", "[net]") {
  const auto same4 = [] { return PacketBuilder().Ipv4("10.0.0.1", "10.0.0.1"); };
  const auto same6 = [] { return PacketBuilder().Ipv6("fe80::1", "fe80::1"); };
  CHECK(DropOf(same4().Tcp(80, 80, kSyn)) == DropReason::kLand);
  CHECK(DropOf(same4().Udp(53, 53)) == DropReason::kLand);
  CHECK(DropOf(same6().Tcp(80, 80, kSyn)) == DropReason::kLand);
  CHECK(DropOf(same4().EchoRequest(9)) == DropReason::kLand);
  CHECK(DropOf(same6().EchoReply(9)) == DropReason::kLand);
  CHECK(DropOf(same4().Protocol(47)) == DropReason::kLand);
  CHECK(DropOf(same6().Protocol(132)) == DropReason::kLand);
  CHECK(DropOf(same4().Tcp(81, 80, kSyn)) == DropReason::kNone);
  CHECK(DropOf(same6().Udp(81, 80)) == DropReason::kNone);
  CHECK(DropOf(V4().Tcp(80, 80, kSyn)) == DropReason::kNone);
}

TEST_CASE("parse: neighbour discovery from afar, cut short or in fragments is nd_bad", "[net]") {
  const auto on_link = [] { return PacketBuilder().Ipv6("fe80::1", "fe80::2"); };
  CHECK(KindOf(on_link().Solicitation("fe80::2")) == Kind::kNd);
  CHECK(DropOf(on_link().Solicitation("fe80::2").Ttl(254)) == DropReason::kNdBad);
  CHECK(DropOf(on_link().Ttl(255).Icmp(136, 0).Payload(15)) == DropReason::kNdBad);
  CHECK(DropOf(on_link().Fragment(0, true).Solicitation("fe80::2")) == DropReason::kNdBad);
}

TEST_CASE("parse: ICMP types fall into queries, errors and others", "[net]") {
  for (unsigned type = 0; type < 256; ++type) {
    const Kind kind4 = type == 0 || type == 8                  ? Kind::kIcmpQuery
                       : type == 3 || type == 11 || type == 12 ? Kind::kIcmpError
                                                               : Kind::kIcmpOther;
    const Kind kind6 = type == 128 || type == 129   ? Kind::kIcmpQuery
                       : type >= 1 && type <= 4     ? Kind::kIcmpError
                       : type == 135 || type == 136 ? Kind::kNd
                                                    : Kind::kIcmpOther;
    CAPTURE(type);
    CHECK(KindOf(V4().Icmp(static_cast<uint8_t>(type), 0)) == kind4);
    const auto v6 = V6().Ttl(255).Icmp(static_cast<uint8_t>(type), 0).Payload(16);
    CHECK(KindOf(v6) == kind6);
  }
}
