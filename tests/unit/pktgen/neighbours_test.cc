// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/neighbours.h"

#include <catch2/catch.hpp>

#include "dataplane/base/limits.h"
#include "tests/support/packet_builder.h"
#include "tools/pktgen/address_range.h"

namespace tandem::pktgen {
namespace {

using test::Ip;
using test::Mac;
using test::PacketBuilder;

const MacAddress kOurs = Mac("02:00:00:00:00:99");
const MacAddress kDevice = Mac("02:00:00:00:00:0d");

struct Asked {
  std::array<uint8_t, kOriginatedFrameMax> frame{};
  size_t length = 0;
  net::Parsed parsed;

  net::Packet packet() {
    net::Packet packet;
    packet.data = frame.data();
    packet.length = packet.contiguous = static_cast<uint32_t>(length);
    return packet;
  }
};

Neighbours Of(const char* range) {
  return Neighbours(kOurs, [range = *AddressRange::Parse(range)](const IpAddress& address) {
    return range.Contains(address);
  });
}

Asked AnswerTo(Neighbours& neighbours, const PacketBuilder& question) {
  test::TestPacket packet = question.BuildPacket();
  net::Parsed parsed;
  net::Parse(packet.packet(), parsed);
  Asked answer;
  REQUIRE((parsed.kind == net::Kind::kArp || parsed.kind == net::Kind::kNd));
  answer.length = neighbours.Answer(packet.packet(), parsed, answer.frame);
  if (answer.length > 0) net::Parse(answer.packet(), answer.parsed);
  return answer;
}

TEST_CASE("neighbours: ARP for any address of ours is answered, for others not", "[pktgen]") {
  Neighbours neighbours = Of("10.0.0.0/16");
  Asked answer = AnswerTo(neighbours, PacketBuilder().ArpRequest(kDevice, "10.0.0.1", "10.0.77.5"));
  REQUIRE(answer.length == kFrameMin);
  net::ArpPacket arp;
  REQUIRE(net::ReadArp(answer.packet(), answer.parsed, arp) == DropReason::kNone);
  CHECK_FALSE(arp.is_request);
  CHECK(arp.sender == Ip("10.0.77.5"));
  CHECK(arp.sender_mac == kOurs);
  CHECK(arp.target == Ip("10.0.0.1"));
  CHECK(AnswerTo(neighbours, PacketBuilder().ArpRequest(kDevice, "10.0.0.1", "10.1.0.1")).length ==
        0);
  CHECK(AnswerTo(neighbours, PacketBuilder().ArpRequest(kDevice, "10.0.0.1", "10.0.0.1")).length ==
        0);
}

TEST_CASE("neighbours: solicitations for any address of ours are answered", "[pktgen]") {
  Neighbours neighbours = Of("2001:db8::/64");
  Asked answer = AnswerTo(
      neighbours,
      PacketBuilder().Ipv6("2001:db8:9::1", "ff02::1:ff00:5").Solicitation("2001:db8::5", kDevice));
  REQUIRE(answer.length > 0);
  net::NdPacket nd;
  REQUIRE(net::ReadNd(answer.packet(), answer.parsed, nd) == DropReason::kNone);
  CHECK_FALSE(nd.is_solicitation);
  CHECK(nd.target == Ip("2001:db8::5"));
  CHECK(nd.link_address == kOurs);
}

TEST_CASE("neighbours: asks every 200 ms until the device has answered", "[pktgen]") {
  Neighbours neighbours = Of("10.0.0.0/16");
  Asked question;
  CHECK(neighbours.Ask(kSecond, question.frame) == 0);
  neighbours.LookFor(Ip("192.0.2.1"), Ip("10.0.0.1"));
  question.length = neighbours.Ask(kSecond, question.frame);
  REQUIRE(question.length == kFrameMin);
  CHECK(neighbours.Ask(kSecond + 199 * kMillisecond, question.frame) == 0);
  CHECK(neighbours.Ask(kSecond + 200 * kMillisecond, question.frame) > 0);
  CHECK_FALSE(neighbours.found());
  AnswerTo(neighbours, PacketBuilder().ArpReply(kDevice, "192.0.2.2", kOurs, "10.0.0.1"));
  CHECK_FALSE(neighbours.found());
  AnswerTo(neighbours, PacketBuilder().ArpReply(kDevice, "192.0.2.1", kOurs, "10.0.0.1"));
  REQUIRE(neighbours.found());
  CHECK(*neighbours.found() == kDevice);
  CHECK(neighbours.Ask(9 * kSecond, question.frame) == 0);
}

TEST_CASE("neighbours: finds a device by neighbour discovery", "[pktgen]") {
  Neighbours neighbours = Of("2001:db8::/64");
  neighbours.LookFor(Ip("2001:db8:2::1"), Ip("2001:db8::1"));
  Asked question;
  question.length = neighbours.Ask(kSecond, question.frame);
  REQUIRE(question.length > 0);
  net::Parse(question.packet(), question.parsed);
  net::NdPacket nd;
  REQUIRE(net::ReadNd(question.packet(), question.parsed, nd) == DropReason::kNone);
  CHECK(nd.is_solicitation);
  CHECK(nd.target == Ip("2001:db8:2::1"));
  AnswerTo(neighbours, PacketBuilder()
                           .Ipv6("2001:db8:2::1", "2001:db8::1")
                           .Advertisement("2001:db8:2::1", 0x60, kDevice));
  CHECK(neighbours.found() == kDevice);
}

}  // namespace
}  // namespace tandem::pktgen
