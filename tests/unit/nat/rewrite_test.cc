// SPDX-License-Identifier: Apache-2.0
#include "dataplane/nat/rewrite.h"

#include <catch2/catch.hpp>

#include "tests/unit/nat/packets.h"

using namespace tandem;
using namespace tandem::nat::test;
using flow::Side;

namespace {

template <class Hot>
std::vector<uint8_t> Protocols() {
  return {kTcp, kUdp, Hot::kIsIpv6 ? kIcmpv6 : kIcmp, kGre};
}

Side Other(Side side) {
  return side == Side::kClient ? Side::kServer : Side::kClient;
}

template <class Key>
Key Reversed(const Key& key) {
  return {key.destination, key.source, key.destination_port, key.source_port};
}

// Takes a packet that left back to what came in.
template <class Hot>
Hot Inverse(const Hot& flow, Side side) {
  Hot inverse;
  inverse.client = Reversed(KeyOf(flow, Other(side)));
  inverse.server = Reversed(KeyOf(flow, side));
  return inverse;
}

size_t TtlOffset(const net::Parsed& parsed) {
  return parsed.l3_offset + (parsed.is_ipv6() ? 7U : 8U);
}

// The bytes without TTL and IPv4 checksum.
Bytes WithoutTtl(Bytes bytes, const net::Parsed& parsed) {
  bytes[TtlOffset(parsed)] = 0;
  if (!parsed.is_ipv6()) Set16(bytes, parsed.l3_offset + 10U, 0);
  return bytes;
}

template <class Hot>
struct Case {
  Hot flow;
  Side side = Side::kClient;
  Bytes before;
  net::Parsed parsed;

  Case(Prng& prng, uint8_t protocol, const Shape& shape)
      : flow(RandomFlow<Hot>(prng, protocol)),
        side(prng.Below(2) == 0 ? Side::kClient : Side::kServer),
        before(Build(prng, KeyOf(flow, side), protocol, side == Side::kServer, shape)),
        parsed(ParseOf(before)) {
    REQUIRE(parsed.drop == DropReason::kNone);
    REQUIRE(KeyIn(parsed, flow) == KeyOf(flow, side));
  }
  Bytes Rewritten(Bytes bytes) const {
    net::Packet packet = PacketOf(bytes);
    nat::Rewrite(packet, parsed, flow, side);
    return bytes;
  }
  Bytes Restored(Bytes bytes) const {
    net::Packet packet = PacketOf(bytes);
    nat::Rewrite(packet, parsed, Inverse(flow, side), Side::kClient);
    return bytes;
  }
};

}  // namespace

TEMPLATE_TEST_CASE("rewrite: the packet leaves with the other side's key and right checksums",
                   "[nat]", flow::FlowHot4, flow::FlowHot6) {
  const auto seed = GENERATE(range(uint64_t{1}, uint64_t{20}));
  CAPTURE(seed);
  Prng prng(seed);
  for (int i = 0; i < 50; ++i) {
    for (const uint8_t protocol : Protocols<TestType>()) {
      CAPTURE(protocol);
      const Shape shape = RandomShape(prng);
      const Case<TestType> test(prng, protocol, shape);
      Bytes after = test.Rewritten(test.before);
      const net::Parsed parsed = ParseOf(after);
      REQUIRE(parsed.drop == DropReason::kNone);
      REQUIRE(KeyIn(parsed, test.flow) == Reversed(KeyOf(test.flow, Other(test.side))));
      REQUIRE(parsed.ttl == shape.ttl - 1);
      REQUIRE(IsIpSumGood(after, parsed));
      if (protocol != kGre) REQUIRE(L4Sum(after, parsed) == 0xffff);
      REQUIRE(WithoutTtl(test.Restored(after), parsed) == WithoutTtl(test.before, parsed));
    }
  }
}

TEMPLATE_TEST_CASE("rewrite: damage stays visible", "[nat]", flow::FlowHot4, flow::FlowHot6) {
  const auto seed = GENERATE(range(uint64_t{1}, uint64_t{10}));
  CAPTURE(seed);
  Prng prng(seed);
  for (int i = 0; i < 50; ++i) {
    for (const uint8_t protocol : {kTcp, kUdp, TestType::kIsIpv6 ? kIcmpv6 : kIcmp}) {
      const Case<TestType> test(prng, protocol, RandomShape(prng));
      Bytes damaged = test.before;
      damaged.back() = static_cast<uint8_t>(damaged.back() ^ (1U << prng.Below(8)));
      Bytes after = test.Rewritten(damaged);
      REQUIRE(L4Sum(after, test.parsed) != 0xffff);
      REQUIRE(WithoutTtl(test.Restored(after), test.parsed) == WithoutTtl(damaged, test.parsed));
    }
    // The IPv4 header, damaged where Parse does not look because the NIC said that it is good.
    if (TestType::kIsIpv6) continue;
    const Case<TestType> test(prng, kTcp, RandomShape(prng));
    Bytes damaged = test.before;
    uint8_t& identification = damaged[test.parsed.l3_offset + 4U];
    identification = static_cast<uint8_t>(identification ^ (1U << prng.Below(8)));
    REQUIRE_FALSE(IsIpSumGood(test.Rewritten(damaged), test.parsed));
  }
}

TEMPLATE_TEST_CASE("rewrite: a UDP checksum of 0 stays, and none becomes 0", "[nat]",
                   flow::FlowHot4, flow::FlowHot6) {
  Prng prng(5);
  for (int i = 0; i < 100; ++i) {
    Shape shape = RandomShape(prng);
    shape.udp_checksum = false;
    const Case<TestType> unchecked(prng, kUdp, shape);
    const Bytes after = unchecked.Rewritten(unchecked.before);
    REQUIRE(Get16(after, ChecksumOffset(unchecked.parsed)) == 0);

    // Exchange the last word for one that makes the checksum after the rewrite come out as 0.
    shape.udp_checksum = true;
    shape.payload = 2 * (1 + prng.Below(20));
    const Case<TestType> test(prng, kUdp, shape);
    Bytes bytes = test.before;
    const size_t word = bytes.size() - 2;
    const size_t checksum = ChecksumOffset(test.parsed);
    Set16(bytes, word, 0);
    Set16(bytes, checksum, 0);
    Set16(bytes, checksum, static_cast<uint16_t>(~L4Sum(bytes, test.parsed)));
    const Bytes probe = test.Rewritten(bytes);
    Set16(bytes, word, Get16(probe, checksum));
    Set16(bytes, checksum, 0);
    Set16(bytes, checksum, static_cast<uint16_t>(~L4Sum(bytes, test.parsed)));
    if (Get16(bytes, checksum) == 0) continue;
    const Bytes zero = test.Rewritten(bytes);
    REQUIRE(Get16(zero, checksum) == 0xffff);
    REQUIRE(L4Sum(zero, test.parsed) == 0xffff);
  }
}

TEST_CASE("rewrite: a first fragment's L4 header is rewritten as the whole packet's", "[nat]") {
  Prng prng(6);
  for (int i = 0; i < 100; ++i) {
    for (const uint8_t protocol : {kTcp, kUdp}) {
      const Case<flow::FlowHot4> test(prng, protocol, RandomShape(prng));
      Bytes fragment = test.before;
      const size_t l3 = test.parsed.l3_offset;
      fragment[l3 + 6] = 0x20;  // more fragments
      Set16(fragment, l3 + 10, 0);
      Set16(fragment, l3 + 10, static_cast<uint16_t>(~Sum(fragment, l3, test.parsed.l4_offset)));
      const net::Parsed parsed = ParseOf(fragment);
      REQUIRE(parsed.drop == DropReason::kNone);
      REQUIRE((parsed.flags & net::kFirstFragment) != 0);
      const Bytes after = test.Rewritten(fragment);
      const Bytes whole = test.Rewritten(test.before);
      REQUIRE(IsIpSumGood(after, parsed));
      REQUIRE(std::equal(after.begin() + parsed.l4_offset, after.end(),
                         whole.begin() + parsed.l4_offset));
    }
  }
}

TEST_CASE("rewrite: ICMPv6 without identifier keeps its checksum right", "[nat]") {
  Prng prng(7);
  Case<flow::FlowHot6> test(prng, kIcmpv6, RandomShape(prng));
  test.before[test.parsed.l4_offset] = 200;  // private experimentation
  const size_t checksum = ChecksumOffset(test.parsed);
  Set16(test.before, checksum, 0);
  Set16(test.before, checksum, static_cast<uint16_t>(~L4Sum(test.before, test.parsed)));
  test.parsed = ParseOf(test.before);
  REQUIRE(test.parsed.kind == net::Kind::kIcmpOther);
  const Bytes after = test.Rewritten(test.before);
  CHECK(L4Sum(after, test.parsed) == 0xffff);
  CHECK(Get16(after, test.parsed.l4_offset + 4U) == Get16(test.before, test.parsed.l4_offset + 4U));
}

TEMPLATE_TEST_CASE("rewrite: only the TTL, with its checksum", "[nat]", flow::FlowHot4,
                   flow::FlowHot6) {
  Prng prng(8);
  for (int i = 0; i < 200; ++i) {
    const Shape shape = RandomShape(prng);
    const Case<TestType> test(prng, kTcp, shape);
    Bytes after = test.before;
    net::Packet packet = PacketOf(after);
    nat::DecrementTtl(packet, test.parsed);
    REQUIRE(after[TtlOffset(test.parsed)] == shape.ttl - 1);
    REQUIRE(IsIpSumGood(after, test.parsed));
    REQUIRE(WithoutTtl(after, test.parsed) == WithoutTtl(test.before, test.parsed));
  }
}
