// SPDX-License-Identifier: Apache-2.0
//
// The parser's short way: it takes the frames that it is there for, and says of what it takes exactly what
// the long way says, however frames are damaged.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>

#include "dataplane/base/prng.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/parse_common.h"
#include "tests/support/packet_builder.h"
#include "tests/support/parsed_check.h"

namespace tandem::test {
namespace {

using net::Parsed;

PacketBuilder Plain() {
  return PacketBuilder().Ipv4("10.0.0.1", "192.0.2.10");
}

std::vector<Bytes> CommonFrames() {
  return {
      Plain().Tcp(1234, 80, kAck).Payload(10).Build(),
      Plain().Tos(0xb8).Tcp(1234, 80, kSyn).TcpOptions({2, 4, 5, 180}).Build(),
      Plain().Vlan(10).Tcp(1234, 80, kFin | kAck).PadTo(60).Build(),
      Plain().DontFragment().Udp(5353, 53).Payload(3).PadTo(60).Build(),
      Plain().Vlan(0xe00a).Udp(5353, 53).NoUdpChecksum().Payload(300).Build(),
  };
}

bool IsTaken(const TestPacket& packet) {
  Parsed parsed;
  return net::ParseCommon(packet.packet(), parsed);
}

void FixIpChecksum(Bytes& frame) {
  const size_t l3 = frame[12] == 0x81 ? 18 : 14;
  if (frame.size() < l3 + 20) return;
  frame[l3 + 10] = frame[l3 + 11] = 0;
  const auto sum = static_cast<uint16_t>(~net::ChecksumFold(net::ChecksumAdd(&frame[l3], 20)));
  std::memcpy(&frame[l3 + 10], &sum, sizeof(sum));
}

// Bytes that decide something are hit more often, and by values that matter.
void Damage(Bytes& frame, Prng& prng) {
  constexpr std::array<uint8_t, 12> kValues = {0,    1,    8,    0x10, 0x3f, 0x45,
                                               0x46, 0x50, 0x7f, 0x81, 0xe0, 0xff};
  const uint32_t hits = prng.Below(4);
  for (uint32_t i = 0; i < hits; ++i) {
    const auto reach = static_cast<uint32_t>(std::min<size_t>(frame.size(), 64));
    frame[prng.Below(reach)] = prng.Below(2) == 0 ? kValues[prng.Below(kValues.size())]
                                                  : static_cast<uint8_t>(prng.Next());
  }
  if (prng.Below(4) != 0) FixIpChecksum(frame);
}

}  // namespace

TEST_CASE("parse: frames as nearly all are go the short way", "[net]") {
  for (const Bytes& frame : CommonFrames()) {
    CHECK(IsTaken(TestPacket(frame)));
    TestPacket vouched(frame);
    vouched.packet().flags = net::kIpChecksumGood;
    CHECK(IsTaken(vouched));
  }
}

TEST_CASE("parse: nothing odd goes the short way", "[net]") {
  CHECK_FALSE(IsTaken(TestPacket(Plain().BadIpChecksum().Udp(1, 2).PadTo(60).Build())));
  CHECK_FALSE(IsTaken(TestPacket(Plain().Fragment(0, true).Udp(1, 2).PadTo(60).Build())));
  CHECK_FALSE(IsTaken(TestPacket(Plain().Fragment(7, false).Udp(1, 2).PadTo(60).Build())));
  CHECK_FALSE(IsTaken(TestPacket(Plain().Tcp(1, 2, kSyn | kFin).PadTo(60).Build())));
  CHECK_FALSE(IsTaken(TestPacket(Plain().EchoRequest(7).PadTo(60).Build())));
  for (const char* address : {"0.0.0.1", "127.0.0.1", "224.0.0.1", "255.255.255.255"}) {
    CAPTURE(address);
    CHECK_FALSE(IsTaken(
        TestPacket(PacketBuilder().Ipv4(address, "192.0.2.1").Udp(1, 2).PadTo(60).Build())));
    CHECK_FALSE(IsTaken(
        TestPacket(PacketBuilder().Ipv4("192.0.2.1", address).Udp(1, 2).PadTo(60).Build())));
  }
}

TEST_CASE("parse: both ways say the same of whatever the short one takes", "[net]") {
  const std::vector<Bytes> frames = CommonFrames();
  Prng prng(1);
  unsigned taken = 0;
  for (unsigned i = 0; i < 300'000; ++i) {
    Bytes frame = frames[prng.Below(static_cast<uint32_t>(frames.size()))];
    Damage(frame, prng);
    const size_t contiguous =
        prng.Below(8) == 0 ? prng.Below(static_cast<uint32_t>(frame.size())) : frame.size();
    TestPacket packet = TestPacket::Split(frame, contiguous);
    packet.packet().flags = static_cast<uint16_t>(prng.Below(4) == 0 ? prng.Below(8) : 0);
    Parsed common;
    if (!net::ParseCommon(packet.packet(), common)) continue;
    ++taken;
    Parsed any;
    net::ParseAny(packet.packet(), any);
    if (!IsSame(common, any)) {
      CAPTURE(i, contiguous, packet.packet().flags);
      FAIL_CHECK("they differ");
    }
  }
  CHECK(taken > 100'000);
}

}  // namespace tandem::test
