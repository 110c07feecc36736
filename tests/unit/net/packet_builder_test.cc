// SPDX-License-Identifier: Apache-2.0
//
// The builder of test packets, checked against Parse and against the frame checker.
#include "tests/support/packet_builder.h"

#include <catch2/catch.hpp>

#include "dataplane/net/parse.h"
#include "tests/support/frame_check.h"

namespace {

using namespace tandem;
using namespace tandem::test;
using net::Kind;

net::Parsed ParseOf(const Bytes& frame) {
  const TestPacket packet(frame);
  net::Parsed parsed;
  net::Parse(packet.packet(), parsed);
  return parsed;
}

}  // namespace

TEST_CASE("packet builder: what it builds parses as what was asked for", "[net]") {
  const Bytes tcp = PacketBuilder()
                        .Vlan(10)
                        .Ipv4("10.0.0.1", "10.0.0.2")
                        .Ttl(7)
                        .Tcp(1234, 80, kSyn)
                        .Seq(1)
                        .Payload(10)
                        .Build();
  CHECK(tcp.size() == 14 + 4 + 20 + 20 + 10);
  CHECK(Complaint(tcp).empty());
  const net::Parsed parsed = ParseOf(tcp);
  CHECK(parsed.kind == Kind::kTcp);
  CHECK(parsed.vlan == 10);
  CHECK(parsed.ttl == 7);
  CHECK(parsed.key4.source == Ip("10.0.0.1").v4());
  CHECK(parsed.key4.destination == Ip("10.0.0.2").v4());
  CHECK(parsed.key4.source_port == __builtin_bswap16(1234));
  CHECK(parsed.key4.destination_port == __builtin_bswap16(80));

  const Bytes udp =
      PacketBuilder().Ipv6("2001:db8::1", "2001:db8::2").Udp(5, 53).Payload(3).Build();
  CHECK(Complaint(udp).empty());
  CHECK(ParseOf(udp).kind == Kind::kUdp);
  CHECK(ParseOf(udp).is_ipv6());
}

TEST_CASE("packet builder: what is broken on demand is broken", "[net]") {
  const auto base = PacketBuilder().Ipv4("10.0.0.1", "10.0.0.2").Udp(5, 53).Payload(3);
  CHECK(Complaint(PacketBuilder(base).BadIpChecksum().Build()) == "ip checksum");
  CHECK(Complaint(PacketBuilder(base).BadL4Checksum().Build()) == "udp checksum");
  CHECK(Complaint(PacketBuilder(base).LengthOverride(100).Build()) == "ip length");
  CHECK(Complaint(PacketBuilder(base).NoUdpChecksum().Build()).empty());
  CHECK(PacketBuilder(base).TruncateTo(20).Build().size() == 20);
  CHECK(PacketBuilder(base).PadTo(60).Build().size() == 60);
}
