// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "dataplane/nat/rewrite.h"
#include "tests/unit/nat/packets.h"

using namespace tandem;
using namespace tandem::nat::test;
using flow::Side;

namespace {

Side Other(Side side) {
  return side == Side::kClient ? Side::kServer : Side::kClient;
}

uint32_t SourceOf(const Bytes& bytes, const net::Parsed& parsed, const net::FlowKey4&) {
  uint32_t address = 0;
  std::memcpy(&address, bytes.data() + parsed.l3_offset + 12, 4);
  return address;
}
net::Ipv6Bytes SourceOf(const Bytes& bytes, const net::Parsed& parsed, const net::FlowKey6&) {
  net::Ipv6Bytes address;
  std::memcpy(address.bytes, bytes.data() + parsed.l3_offset + 8, 16);
  return address;
}
uint32_t DestinationOf(const Bytes& bytes, const net::Parsed& parsed, const net::FlowKey4&) {
  uint32_t address = 0;
  std::memcpy(&address, bytes.data() + parsed.l3_offset + 16, 4);
  return address;
}
net::Ipv6Bytes DestinationOf(const Bytes& bytes, const net::Parsed& parsed, const net::FlowKey6&) {
  net::Ipv6Bytes address;
  std::memcpy(address.bytes, bytes.data() + parsed.l3_offset + 24, 16);
  return address;
}

// A destination unreachable from `source` to `destination` with `quote` in it.
template <class Key>
Bytes BuildError(const Key& key, const Bytes& quote, const Shape& shape) {
  constexpr bool kIpv6 = sizeof(Key) == sizeof(net::FlowKey6);
  return Headers(key, shape).IcmpError(kIpv6 ? 1 : 3, 1, quote).Build();
}

// One error about one packet: `original` came in on `side`'s far end, left towards `side`, and was
// quoted from there.
template <class Hot>
struct Case {
  using Key = typename Hot::Key;
  Hot flow;
  Side side;
  bool from_endpoint;
  Key outer;
  Bytes expected_quote;  // what the far end sent, one hop on
  size_t l4_in_quote = 0;
  Bytes error;
  net::Parsed parsed;
  net::Parsed quoted;

  Case(Prng& prng, uint8_t protocol)
      : flow(RandomFlow<Hot>(prng, protocol)),
        side(prng.Below(2) == 0 ? Side::kClient : Side::kServer),
        from_endpoint(prng.Below(2) == 0) {
    const bool is_reply = side == Side::kClient;  // the server's answer, refused by the client
    Shape shape = RandomShape(prng);
    shape.vlan = false;
    shape.payload += 8;  // an error quotes that much of any protocol
    Bytes original = Build(prng, KeyOf(flow, Other(side)), protocol, is_reply, shape);
    const net::Parsed original_parsed = ParseOf(original);
    REQUIRE(original_parsed.drop == DropReason::kNone);
    Bytes sent = original;
    net::Packet sent_packet = PacketOf(sent);
    nat::Rewrite(sent_packet, original_parsed, flow, Other(side));
    net::Packet original_packet = PacketOf(original);
    nat::DecrementTtl(original_packet, original_parsed);

    l4_in_quote = original_parsed.l4_offset - 14U;
    const size_t quote_min = l4_in_quote + 8;
    const size_t whole = original.size() - 14;
    const size_t length =
        whole <= quote_min ? whole
                           : quote_min + prng.Below(static_cast<uint32_t>(whole - quote_min + 1));
    expected_quote.assign(original.begin() + 14, original.begin() + 14 + static_cast<long>(length));
    const Bytes quote(sent.begin() + 14, sent.begin() + 14 + static_cast<long>(length));

    outer.source = KeyOf(flow, side).source;
    if (!from_endpoint) RandomAddress(prng, outer.source);
    outer.destination = KeyOf(flow, side).destination;
    shape = RandomShape(prng);
    error = BuildError(outer, quote, shape);
    ParseAll();
  }

  void ParseAll() {
    parsed = ParseOf(error);
    REQUIRE(parsed.drop == DropReason::kNone);
    REQUIRE(parsed.kind == net::Kind::kIcmpError);
    net::ParseQuoted(PacketOf(error), parsed, quoted);
    REQUIRE(quoted.drop == DropReason::kNone);
    // As the pipeline finds the flow: the quoted key turned round is the near side's.
    const Key& key = KeyIn(quoted, flow);
    REQUIRE(Key{key.destination, key.source, key.destination_port, key.source_port} ==
            KeyOf(flow, side));
  }

  Bytes Translated() {
    Bytes bytes = error;
    net::Packet packet = PacketOf(bytes);
    nat::RewriteIcmpError(packet, parsed, quoted, flow, side);
    return bytes;
  }
};

template <class Hot>
std::vector<uint8_t> Protocols() {
  return {kTcp, kUdp, Hot::kIsIpv6 ? kIcmpv6 : kIcmp, kGre};
}

}  // namespace

TEMPLATE_TEST_CASE("icmp error: the far end sees its own packet quoted", "[nat]", flow::FlowHot4,
                   flow::FlowHot6) {
  const auto seed = GENERATE(range(uint64_t{1}, uint64_t{20}));
  CAPTURE(seed);
  Prng prng(seed);
  for (int i = 0; i < 50; ++i) {
    for (const uint8_t protocol : Protocols<TestType>()) {
      CAPTURE(protocol, i);
      Case<TestType> test(prng, protocol);
      const auto& far = KeyOf(test.flow, Other(test.side));
      Bytes after = test.Translated();
      const net::Parsed parsed = ParseOf(after);
      REQUIRE(parsed.drop == DropReason::kNone);
      REQUIRE(parsed.ttl == test.parsed.ttl - 1);
      REQUIRE(IsIpSumGood(after, parsed));
      REQUIRE(L4Sum(after, parsed) == 0xffff);
      REQUIRE(DestinationOf(after, parsed, far) == far.source);
      REQUIRE(SourceOf(after, parsed, far) ==
              (test.from_endpoint ? far.destination : test.outer.source));

      Bytes quote(after.begin() + parsed.l4_offset + 8, after.end());
      REQUIRE(quote.size() == test.expected_quote.size());
      // A TCP checksum of which only the first byte is there cannot be fixed.
      if (protocol == kTcp && quote.size() == test.l4_in_quote + 17) {
        quote.pop_back();
        test.expected_quote.pop_back();
      }
      REQUIRE(quote == test.expected_quote);
    }
  }
}

TEMPLATE_TEST_CASE("icmp error: damage stays visible", "[nat]", flow::FlowHot4, flow::FlowHot6) {
  Prng prng(3);
  for (int i = 0; i < 300; ++i) {
    Case<TestType> test(prng, i % 2 == 0 ? kTcp : kUdp);
    uint8_t& unused = test.error[test.parsed.l4_offset + 7U];
    unused = static_cast<uint8_t>(unused ^ (1U << prng.Below(8)));
    REQUIRE(L4Sum(test.Translated(), test.parsed) != 0xffff);
  }
}

TEMPLATE_TEST_CASE("icmp error: a quote cut off in the first buffer is fixed as far as it goes",
                   "[nat]", flow::FlowHot4, flow::FlowHot6) {
  Prng prng(4);
  for (int i = 0; i < 100; ++i) {
    Case<TestType> test(prng, kTcp);
    Bytes after = test.error;
    net::Packet packet = PacketOf(after);
    packet.contiguous = test.quoted.l4_offset + 8U;
    nat::RewriteIcmpError(packet, test.parsed, test.quoted, test.flow, test.side);
    REQUIRE(L4Sum(after, test.parsed) == 0xffff);
    REQUIRE(std::equal(after.begin() + packet.contiguous, after.end(),
                       test.error.begin() + packet.contiguous));
  }
}

TEST_CASE("icmp error: a quoted UDP checksum of 0 stays", "[nat]") {
  Prng prng(5);
  for (int i = 0; i < 100; ++i) {
    Case<flow::FlowHot4> test(prng, kUdp);
    const size_t checksum = test.quoted.l4_offset + 6U;
    Set16(test.error, checksum, 0);
    const size_t icmp_checksum = test.parsed.l4_offset + 2U;
    Set16(test.error, icmp_checksum, 0);
    Set16(test.error, icmp_checksum, static_cast<uint16_t>(~L4Sum(test.error, test.parsed)));
    const Bytes after = test.Translated();
    REQUIRE(Get16(after, checksum) == 0);
    REQUIRE(L4Sum(after, test.parsed) == 0xffff);
  }
}
