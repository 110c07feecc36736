// SPDX-License-Identifier: Apache-2.0
//
// ARP and neighbour discovery: what is believed, and what we write ourselves.
#include "tests/unit/net/frame_test_util.h"

namespace {

using namespace tandem;
using namespace tandem::test;
using net::ArpPacket;
using net::Kind;
using net::NdPacket;
using net::Parsed;

const MacAddress kNeighbour = Mac("02:00:00:00:00:99");

DropReason ReadArp(const Bytes& frame, ArpPacket& arp) {
  const TestPacket packet(frame);
  const Parsed parsed = ParsedOf(packet);
  REQUIRE(parsed.kind == Kind::kArp);
  return net::ReadArp(packet.packet(), parsed, arp);
}

DropReason ArpDropOf(Bytes frame, size_t offset, Bytes change) {
  std::copy(change.begin(), change.end(), frame.begin() + 14 + static_cast<ptrdiff_t>(offset));
  ArpPacket arp;
  return ReadArp(frame, arp);
}

DropReason ReadNd(const Bytes& frame, NdPacket& nd) {
  const TestPacket packet(frame);
  const Parsed parsed = ParsedOf(packet);
  REQUIRE(parsed.kind == Kind::kNd);
  return net::ReadNd(packet.packet(), parsed, nd);
}

DropReason NdDropOf(const PacketBuilder& builder) {
  NdPacket nd;
  return ReadNd(builder.Build(), nd);
}

PacketBuilder OnLink() {
  return PacketBuilder().Ipv6("fe80::1", "fe80::2");
}

// A message by hand: target fe80::2 and `options`.
PacketBuilder Message(PacketBuilder builder, uint8_t type, const Bytes& options, uint8_t code = 0) {
  Bytes body(16);
  body[0] = 0xfe;
  body[1] = 0x80;
  body[15] = 2;
  body.insert(body.end(), options.begin(), options.end());
  return builder.Ttl(255).Icmp(type, code).Payload(body);
}

Bytes Option(uint8_t type, uint8_t length, MacAddress mac = kNeighbour) {
  return {type, length, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]};
}

void CheckSame(const NdPacket& a, const NdPacket& b) {
  CHECK(a.is_solicitation == b.is_solicitation);
  CHECK(a.is_router == b.is_router);
  CHECK(a.is_solicited == b.is_solicited);
  CHECK(a.is_override == b.is_override);
  CHECK(a.source == b.source);
  CHECK(a.destination == b.destination);
  CHECK(a.target == b.target);
  CHECK(a.has_link_address == b.has_link_address);
  CHECK(a.link_address == b.link_address);
}

}  // namespace

TEST_CASE("arp: requests and replies are read field by field", "[net]") {
  ArpPacket arp;
  const Bytes request =
      PacketBuilder().Vlan(3).ArpRequest(kNeighbour, "10.0.0.9", "10.0.0.1").PadTo(60).Build();
  CHECK(ReadArp(request, arp) == DropReason::kNone);
  CHECK(arp.is_request);
  CHECK(arp.sender_mac == kNeighbour);
  CHECK(arp.sender == Ip("10.0.0.9"));
  CHECK(arp.target == Ip("10.0.0.1"));
  const Bytes reply =
      PacketBuilder().ArpReply(kNeighbour, "10.0.0.9", Mac(kDeviceMac), "10.0.0.1").Build();
  CHECK(ReadArp(reply, arp) == DropReason::kNone);
  CHECK_FALSE(arp.is_request);
  CHECK(arp.target_mac == Mac(kDeviceMac));
}

TEST_CASE("arp: a probe may come from 0.0.0.0, an answer may not", "[net]") {
  ArpPacket arp;
  CHECK(ReadArp(PacketBuilder().ArpRequest(kNeighbour, "0.0.0.0", "10.0.0.1").Build(), arp) ==
        DropReason::kNone);
  CHECK(ReadArp(PacketBuilder().ArpReply(kNeighbour, "0.0.0.0", kNeighbour, "10.0.0.1").Build(),
                arp) == DropReason::kArpBad);
}

TEST_CASE("arp: what makes no sense is arp_bad", "[net]") {
  const Bytes frame = PacketBuilder().ArpRequest(kNeighbour, "10.0.0.9", "10.0.0.1").Build();
  CHECK(ArpDropOf(frame, 0, {0, 6}) == DropReason::kArpBad);        // hardware
  CHECK(ArpDropOf(frame, 2, {0x86, 0xdd}) == DropReason::kArpBad);  // protocol
  CHECK(ArpDropOf(frame, 4, {8}) == DropReason::kArpBad);           // lengths
  CHECK(ArpDropOf(frame, 5, {16}) == DropReason::kArpBad);
  CHECK(ArpDropOf(frame, 6, {0, 0}) == DropReason::kArpBad);  // operation
  CHECK(ArpDropOf(frame, 6, {0, 3}) == DropReason::kArpBad);
  CHECK(ArpDropOf(frame, 8, {0x01}) == DropReason::kArpBad);  // sender is a group
  CHECK(ArpDropOf(frame, 14, {224, 0, 0, 1}) == DropReason::kArpBad);
  CHECK(ArpDropOf(frame, 14, {255, 255, 255, 255}) == DropReason::kArpBad);
  CHECK(ArpDropOf(frame, 14, {127, 0, 0, 1}) == DropReason::kArpBad);
  CHECK(ArpDropOf(frame, 14, {0, 0, 0, 1}) == DropReason::kArpBad);
}

TEST_CASE("arp: what we write is read back the same", "[net]") {
  for (const bool is_request : {true, false}) {
    for (const auto& link : {kLink, kTaggedLink}) {
      const ArpPacket sent{is_request, kNeighbour, Ip("10.0.0.9"), Mac(kDeviceMac), Ip("10.0.0.1")};
      const TestPacket packet(
          Written([&](net::FrameBuffer out) { return net::BuildArp(out, link, sent); }));
      const Parsed parsed = ParsedOf(packet);
      CHECK(parsed.vlan == link.vlan);
      CHECK(packet.bytes().size() == kFrameMin);
      ArpPacket read;
      REQUIRE(net::ReadArp(packet.packet(), parsed, read) == DropReason::kNone);
      CHECK(read.is_request == is_request);
      CHECK(read.sender_mac == sent.sender_mac);
      CHECK(read.sender == sent.sender);
      CHECK(read.target_mac == sent.target_mac);
      CHECK(read.target == sent.target);
    }
  }
}

TEST_CASE("nd: solicitations and advertisements are read field by field", "[net]") {
  NdPacket nd;
  CHECK(ReadNd(OnLink().Solicitation("fe80::2", kNeighbour).Build(), nd) == DropReason::kNone);
  CheckSame(nd, {true, false, false, false, Ip("fe80::1"), Ip("fe80::2"), Ip("fe80::2"), true,
                 kNeighbour});
  CHECK(ReadNd(OnLink().Advertisement("fe80::1", 0xe0).Build(), nd) == DropReason::kNone);
  CheckSame(nd, {false, true, true, true, Ip("fe80::1"), Ip("fe80::2"), Ip("fe80::1"), false, {}});
}

TEST_CASE("nd: checksum, code and target are checked", "[net]") {
  CHECK(NdDropOf(OnLink().Solicitation("fe80::2").BadL4Checksum()) == DropReason::kNdBad);
  CHECK(NdDropOf(Message(OnLink(), 135, {}, 1)) == DropReason::kNdBad);
  CHECK(NdDropOf(OnLink().Solicitation("ff02::1")) == DropReason::kNdBad);
  CHECK(NdDropOf(OnLink().Solicitation("::")) == DropReason::kNdBad);
  CHECK(NdDropOf(OnLink().Advertisement("::ffff:10.0.0.1", 0)) == DropReason::kNdBad);
  CHECK(NdDropOf(Message(OnLink(), 135, {})) == DropReason::kNone);
}

TEST_CASE("nd: options must add up", "[net]") {
  CHECK(NdDropOf(Message(OnLink(), 135, Option(1, 1))) == DropReason::kNone);
  CHECK(NdDropOf(Message(OnLink(), 135, Option(1, 0))) == DropReason::kNdBad);
  CHECK(NdDropOf(Message(OnLink(), 135, Option(1, 2))) == DropReason::kNdBad);
  CHECK(NdDropOf(Message(OnLink(), 135, {14, 1, 0})) == DropReason::kNdBad);
  CHECK(NdDropOf(Message(OnLink(), 135, {14, 1, 0, 0, 0, 0, 0, 0})) == DropReason::kNone);
  // No station has a group's address.
  CHECK(NdDropOf(Message(OnLink(), 135, Option(1, 1, Mac("33:33:00:00:00:01")))) ==
        DropReason::kNdBad);
}

TEST_CASE("nd: the link address option is the message's own kind", "[net]") {
  NdPacket nd;
  CHECK(ReadNd(Message(OnLink(), 135, Option(2, 1)).Build(), nd) == DropReason::kNone);
  CHECK_FALSE(nd.has_link_address);
  CHECK(ReadNd(Message(OnLink(), 136, Option(1, 1)).Build(), nd) == DropReason::kNone);
  CHECK_FALSE(nd.has_link_address);
  CHECK(ReadNd(Message(OnLink(), 136, Option(2, 1)).Build(), nd) == DropReason::kNone);
  CHECK(nd.link_address == kNeighbour);
}

TEST_CASE("nd: duplicate address detection goes to the group and names no station", "[net]") {
  const auto to_group = PacketBuilder().Ipv6("::", "ff02::1:ff00:2");
  CHECK(NdDropOf(Message(to_group, 135, {})) == DropReason::kNone);
  CHECK(NdDropOf(Message(to_group, 135, Option(1, 1))) == DropReason::kNdBad);
  CHECK(NdDropOf(Message(PacketBuilder().Ipv6("::", "fe80::2"), 135, {})) == DropReason::kNdBad);
  CHECK(NdDropOf(Message(PacketBuilder().Ipv6("::", "ff02::1"), 135, {})) == DropReason::kNdBad);
}

TEST_CASE("nd: an advertisement to all is not solicited", "[net]") {
  const auto to_all = PacketBuilder().Ipv6("fe80::1", "ff02::1");
  CHECK(NdDropOf(PacketBuilder(to_all).Advertisement("fe80::1", 0x20)) == DropReason::kNone);
  CHECK(NdDropOf(PacketBuilder(to_all).Advertisement("fe80::1", 0x60)) == DropReason::kNdBad);
}

TEST_CASE("nd: what we write is read back the same", "[net]") {
  const NdPacket solicitation{true,          false,         false,
                              false,         Ip("fe80::1"), Ip("ff02::1:ff00:2"),
                              Ip("fe80::2"), true,          kNeighbour};
  const NdPacket detection{true,          false, false, false, IpAddress(), Ip("ff02::1:ff00:2"),
                           Ip("fe80::2"), false, {}};
  const NdPacket advertisement{false,         true,          true, true,      Ip("fe80::2"),
                               Ip("fe80::1"), Ip("fe80::2"), true, kNeighbour};
  const NdPacket unsolicited{false,         false,         false, true,      Ip("fe80::2"),
                             Ip("ff02::1"), Ip("fe80::2"), true,  kNeighbour};
  for (const NdPacket& sent : {solicitation, detection, advertisement, unsolicited}) {
    for (const auto& link : {kLink, kTaggedLink}) {
      const Bytes frame =
          Written([&](net::FrameBuffer out) { return net::BuildNd(out, link, sent); });
      NdPacket read;
      REQUIRE(ReadNd(frame, read) == DropReason::kNone);
      CheckSame(read, sent);
    }
  }
}

TEST_CASE("nd: group addresses follow from the target", "[net]") {
  CHECK(net::SolicitedNode(Ip("2001:db8::1234:5678")) == Ip("ff02::1:ff34:5678"));
  CHECK(net::MulticastMac(Ip("ff02::1:ff34:5678")) == Mac("33:33:ff:34:56:78"));
  CHECK(net::MulticastMac(Ip("ff02::1")) == Mac("33:33:00:00:00:01"));
  CHECK(net::MulticastMac(Ip("239.129.2.3")) == Mac("01:00:5e:01:02:03"));
}
