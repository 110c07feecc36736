// SPDX-License-Identifier: Apache-2.0
//
// Two ends of a link and what a hostile wire may hand to one. Frames come from the packet builder,
// whose code is its own.
#include "dataplane/mirror/link.h"

#include <array>
#include <catch2/catch.hpp>
#include <deque>
#include <numeric>
#include <string>

#include "dataplane/net/checksum.h"
#include "tests/support/packet_builder.h"

namespace tandem::mirror {
namespace {

using test::Bytes;
using test::Ip;
using test::Mac;
using test::PacketBuilder;

const MacAddress kMac1 = Mac("02:00:00:00:00:01");
const MacAddress kMac2 = Mac("02:00:00:00:00:02");
const MacAddress kMac3 = Mac("02:00:00:00:00:03");
const MacAddress kAll = Mac("ff:ff:ff:ff:ff:ff");

class Wire : public FrameSink {
 public:
  std::span<uint8_t> Begin(size_t size) override {
    if (full) return {};
    begun_.assign(size, 0xaa);
    return begun_;
  }
  void Commit(size_t size) override {
    REQUIRE(size <= begun_.size());
    frames.emplace_back(begun_.begin(), begun_.begin() + static_cast<ptrdiff_t>(size));
    begun_.clear();
  }
  Bytes Take() {
    REQUIRE_FALSE(frames.empty());
    Bytes frame = frames.front();
    frames.pop_front();
    return frame;
  }

  std::deque<Bytes> frames;
  bool full = false;

 private:
  Bytes begun_;
};

struct End {
  IpPrefix address;
  Link link;
  Wire out;

  End(const MacAddress& mac, std::string_view ours, std::string_view peer)
      : address(*IpPrefix::Parse(ours)), link({mac, address, {Ip(peer)}}) {}

  bool Send(const Bytes& payload, Nanos now, uint16_t port = 1029) {
    const std::span<uint8_t> room = link.BeginDatagram(0, payload.size() + 100, now, out);
    if (room.empty()) return false;
    REQUIRE(room.size() == payload.size() + 100);
    std::copy(payload.begin(), payload.end(), room.begin());
    link.CommitDatagram(50000, port, payload.size(), out);
    return true;
  }
  std::optional<Link::Datagram> Hear(const Bytes& frame, Nanos now = 0) {
    return link.Receive(frame, now, out);
  }
};

struct Pair {
  End one;
  End two;

  explicit Pair(bool is_v4)
      : one(kMac1, is_v4 ? "10.9.0.1/30" : "fd00::1/64", is_v4 ? "10.9.0.2" : "fd00::2"),
        two(kMac2, is_v4 ? "10.9.0.2/30" : "fd00::2/64", is_v4 ? "10.9.0.1" : "fd00::1") {}

  // Carries what waits both ways, until nothing does.
  void Exchange(Nanos now = 0) {
    while (!one.out.frames.empty() || !two.out.frames.empty()) {
      if (!one.out.frames.empty()) CHECK_FALSE(two.Hear(one.out.Take(), now));
      if (!two.out.frames.empty()) CHECK_FALSE(one.Hear(two.out.Take(), now));
    }
  }
  void Resolve(Nanos now = 0) {
    CHECK_FALSE(one.Send({1}, now));
    Exchange(now);
    REQUIRE(one.link.IsKnown(0));
    REQUIRE(two.link.IsKnown(0));
  }
};

Bytes Payload(size_t size) {
  Bytes payload(size);
  for (size_t i = 0; i < size; ++i)
    payload[i] = static_cast<uint8_t>(i * 13 + 5);
  return payload;
}

// A datagram that the first end of an IPv4 or IPv6 pair accepts.
PacketBuilder Good(bool is_v4) {
  PacketBuilder builder;
  builder.Ethernet(kMac2, kMac1);
  is_v4 ? builder.Ipv4("10.9.0.2", "10.9.0.1") : builder.Ipv6("fd00::2", "fd00::1");
  builder.Ttl(255).Udp(50000, 1029).Payload(40);
  return builder;
}

MacAddress DestinationOf(const Bytes& frame) {
  MacAddress mac{};
  std::copy_n(frame.begin(), 6, mac.begin());
  return mac;
}

}  // namespace

TEST_CASE("two ends find each other and exchange datagrams of every size") {
  const bool is_v4 = GENERATE(true, false);
  Pair pair(is_v4);
  pair.Resolve();
  CHECK(pair.one.link.counters().no_neighbour.Get() == 1);
  CHECK(pair.one.link.overhead() == (is_v4 ? 42 : 62));
  CHECK(pair.one.link.ip_overhead() == (is_v4 ? 28 : 48));
  const size_t sizes[] = {1, 2, 17, 18, 19, 63, 1472, 1473, 9000};
  for (const size_t size : sizes) {
    const Bytes payload = Payload(size);
    REQUIRE(pair.one.Send(payload, 0, 1155));
    const Bytes frame = pair.one.out.Take();
    CHECK(frame.size() == std::max(size_t{60}, size + pair.one.link.overhead()));
    const auto datagram = pair.two.Hear(frame);
    REQUIRE(datagram);
    CHECK(Bytes(datagram->payload.begin(), datagram->payload.end()) == payload);
    CHECK(datagram->destination_port == 1155);
    CHECK(datagram->ip_length == size + pair.one.link.ip_overhead());
    CHECK((datagram->payload.data() >= frame.data() &&
           datagram->payload.data() + size <= frame.data() + frame.size()));
  }
  CHECK(pair.two.link.counters().malformed.Get() == 0);
}

TEST_CASE("a datagram has the bytes that the packet builder gives it") {
  const bool is_v4 = GENERATE(true, false);
  Pair pair(is_v4);
  pair.Resolve();
  Bytes payload(40);
  std::iota(payload.begin(), payload.end(), uint8_t{0});
  REQUIRE(pair.two.Send(payload, 0));
  PacketBuilder builder = Good(is_v4);
  if (is_v4) builder.Id(0).DontFragment();
  CHECK(pair.two.out.Take() == builder.Build());
}

TEST_CASE("the peer is asked for three times a second, then again when its answer has aged") {
  const bool is_v4 = GENERATE(true, false);
  Pair pair(is_v4);
  for (Nanos now = 0; now < kSecond; now += kMillisecond)
    pair.one.Send({1}, now);
  CHECK(pair.one.out.frames.size() == 3);
  CHECK(pair.one.link.counters().no_neighbour.Get() == 1000);
  const Nanos heard = kSecond;
  pair.Exchange(heard);
  REQUIRE(pair.one.link.IsKnown(0));

  REQUIRE(pair.one.Send({1}, heard + 30 * kSecond - 1));
  CHECK(pair.one.out.frames.size() == 1);
  pair.one.out.frames.clear();
  // Old: asked there, and datagrams go on.
  REQUIRE(pair.one.Send({1}, heard + 30 * kSecond));
  REQUIRE(pair.one.out.frames.size() == 2);
  CHECK(DestinationOf(pair.one.out.frames[0]) == kMac2);
  CHECK(DestinationOf(pair.one.out.frames[1]) == kMac2);
  pair.one.out.frames.clear();
  // No answer: everybody is asked.
  REQUIRE(pair.one.Send({1}, heard + 33 * kSecond));
  REQUIRE(pair.one.out.frames.size() == 2);
  CHECK((DestinationOf(pair.one.out.frames[0])[0] & 1) == 1);
  const Bytes question = pair.one.out.Take();
  CHECK(pair.one.out.Take().size() >= 60);
  CHECK_FALSE(pair.two.Hear(question, heard + 33 * kSecond));
  pair.Exchange(heard + 33 * kSecond);
  REQUIRE(pair.one.Send({1}, heard + 34 * kSecond));
  CHECK(pair.one.out.frames.size() == 1);
}

TEST_CASE("a datagram for somebody else, or not of the peer's, is counted and dropped") {
  const bool is_v4 = GENERATE(true, false);
  Pair pair(is_v4);
  const auto refuse = [&](const Bytes& frame) {
    const uint64_t before = pair.one.link.counters().not_for_us.Get();
    CHECK_FALSE(pair.one.Hear(frame));
    CHECK(pair.one.link.counters().not_for_us.Get() == before + 1);
    CHECK(pair.one.out.frames.empty());
  };
  REQUIRE(pair.one.Hear(Good(is_v4).Build()));
  refuse(Good(is_v4).Vlan(5).Build());
  refuse(Good(is_v4).Vlan(0).Build());
  refuse(Good(is_v4).Vlan(5).Vlan(6).Build());
  refuse(Good(is_v4).Ethernet(kMac2, kMac3).Build());
  refuse(Good(is_v4).Ethernet(kMac2, kAll).Build());
  refuse(Good(is_v4).EtherTypeOverride(0x88cc).Build());
  refuse(Good(is_v4).Udp(50000, 1027).Build());
  refuse(Good(is_v4).Udp(50000, 1156).Build());
  const IpAddress us = pair.one.address.address;
  const IpAddress peer = pair.two.address.address;
  const IpAddress other = Ip(is_v4 ? "10.9.0.3" : "fd00::3");
  refuse(Good(is_v4).IpPair(other, us).Build());
  refuse(Good(is_v4).IpPair(peer, other).Build());
  refuse(Good(!is_v4).Build());
  refuse(PacketBuilder()
             .Ethernet(kMac2, kMac1)
             .IpPair(peer, us)
             .Ttl(255)
             .Tcp(1029, 1029, test::kSyn)
             .Build());
  refuse(PacketBuilder().Ethernet(kMac2, kMac1).IpPair(peer, us).EchoRequest(1).Build());
  CHECK(pair.one.link.counters().malformed.Get() == 0);
  CHECK_FALSE(pair.one.link.IsKnown(0));
}

TEST_CASE("a datagram that came through a router is counted and dropped") {
  const bool is_v4 = GENERATE(true, false);
  Pair pair(is_v4);
  const uint8_t ttls[] = {0, 1, 64, 254};
  for (const uint8_t ttl : ttls)
    CHECK_FALSE(pair.one.Hear(Good(is_v4).Ttl(ttl).Build()));
  CHECK(pair.one.link.counters().ttl.Get() == 4);
}

TEST_CASE("a malformed datagram is counted and dropped") {
  const bool is_v4 = GENERATE(true, false);
  Pair pair(is_v4);
  const auto refuse = [&](const Bytes& frame) {
    const uint64_t before = pair.one.link.counters().malformed.Get();
    CHECK_FALSE(pair.one.Hear(frame));
    CHECK(pair.one.link.counters().malformed.Get() == before + 1);
  };
  refuse(Good(is_v4).NoUdpChecksum().Build());
  refuse(Good(is_v4).UdpLengthOverride(7).Build());
  refuse(Good(is_v4).UdpLengthOverride(47).Build());
  refuse(Good(is_v4).UdpLengthOverride(49).Build());
  refuse(Good(is_v4).LengthOverride(1000).Build());
  refuse(Good(is_v4).VersionOverride(is_v4 ? 6 : 4).Build());
  refuse(Good(is_v4).Fragment(0, true).Build());
  refuse(Good(is_v4).Fragment(1, false).Build());
  if (is_v4) {
    refuse(Good(is_v4).BadIpChecksum().Build());
    refuse(Good(is_v4).Ipv4Options({1, 1, 1, 1}).Build());
  } else {
    refuse(Good(is_v4).Fragment(0, false).Build());  // an atomic fragment is one all the same
    refuse(Good(is_v4).Extension(60).Build());
  }
  Bytes good = Good(is_v4).Build();
  for (size_t at = pair.one.link.overhead(); at < good.size(); ++at) {
    good[at] ^= 0x10;
    refuse(good);
    good[at] ^= 0x10;
  }
  for (size_t size = 0; size < good.size(); ++size)
    refuse(Bytes(good.begin(), good.begin() + static_cast<ptrdiff_t>(size)));
  CHECK(pair.one.Hear(good));
}

TEST_CASE("the peer's MAC is learnt from its questions and answers, and from nothing else") {
  const bool is_v4 = GENERATE(true, false);
  Pair pair(is_v4);
  const std::string us = pair.one.address.address.ToString();
  const std::string peer = pair.two.address.address.ToString();
  const std::string other = is_v4 ? "10.9.0.3" : "fd00::3";
  const auto question = [&](const MacAddress& mac, const std::string& from, const std::string& to) {
    PacketBuilder builder;
    builder.Ethernet(mac, kMac1);
    if (is_v4) return builder.ArpRequest(mac, from, to).Build();
    return builder.Ipv6(from, us).Solicitation(to, mac).Build();
  };
  const auto answer = [&](const MacAddress& mac, const std::string& of) {
    PacketBuilder builder;
    builder.Ethernet(mac, kMac1);
    if (is_v4) return builder.ArpReply(mac, of, kMac1, us).Build();
    return builder.Ipv6(of, us).Advertisement(of, 0x60, mac).Build();
  };
  const auto mac_of_peer = [&] {
    REQUIRE(pair.one.Send({1}, 0));
    return DestinationOf(pair.one.out.Take());
  };

  CHECK(pair.one.Hear(Good(is_v4).Build()));
  CHECK_FALSE(pair.one.Hear(question(kMac3, other, us)));
  CHECK(DestinationOf(pair.one.out.Take()) == kMac3);  // answered, and not learnt
  CHECK_FALSE(pair.one.Hear(question(kMac3, peer, other)));
  CHECK_FALSE(pair.one.Hear(answer(kMac3, other)));
  CHECK(pair.one.out.frames.empty());
  CHECK_FALSE(pair.one.link.IsKnown(0));
  CHECK(pair.one.link.counters().not_for_us.Get() == 2);

  CHECK_FALSE(pair.one.Hear(question(kMac2, peer, us)));
  CHECK(DestinationOf(pair.one.out.Take()) == kMac2);
  CHECK(mac_of_peer() == kMac2);
  CHECK_FALSE(pair.one.Hear(answer(kMac3, peer)));
  CHECK(mac_of_peer() == kMac3);
  // Group and broken addresses are nobody's.
  CHECK_FALSE(pair.one.Hear(answer(kAll, peer)));
  CHECK(mac_of_peer() == kMac3);
  if (!is_v4) {
    const Bytes confirm = PacketBuilder()
                              .Ethernet(kMac2, kMac1)
                              .Ipv6(peer, us)
                              .Advertisement(peer, 0x40, kMac2)
                              .Build();
    CHECK_FALSE(pair.one.Hear(confirm));
    CHECK(mac_of_peer() == kMac3);
  }
}

TEST_CASE("who asks whether our address is free is told that it is not") {
  const bool is_v4 = GENERATE(true, false);
  Pair pair(is_v4);
  PacketBuilder builder;
  builder.Ethernet(kMac3, kMac1);
  if (is_v4) {
    builder.ArpRequest(kMac3, "0.0.0.0", "10.9.0.1");
  } else {
    builder.Ipv6("::", "ff02::1:ff00:1").Solicitation("fd00::1");
  }
  CHECK_FALSE(pair.one.Hear(builder.Build()));
  CHECK(pair.one.out.frames.size() == 1);
  CHECK_FALSE(pair.one.link.IsKnown(0));
}

TEST_CASE("a link with several peers: each has a MAC address of its own, and says who it is") {
  const bool is_v4 = GENERATE(true, false);
  const auto address = [&](int of) { return (is_v4 ? "10.9.0." : "fd00::") + std::to_string(of); };
  const std::string length = is_v4 ? "/24" : "/64";
  const IpPrefix own = *IpPrefix::Parse(address(1) + length);
  Link one({kMac1, own, {Ip(address(2)), Ip(address(3))}});
  Wire out;
  End two(kMac2, address(2) + length, address(1));
  End three(kMac3, address(3) + length, address(1));
  const auto meet = [&](End& other, config::PeerIndex peer) {
    CHECK(one.BeginDatagram(peer, 10, 0, out).empty());
    while (!out.frames.empty()) {
      two.Hear(out.frames.front());
      three.Hear(out.Take());
    }
    while (!other.out.frames.empty())
      CHECK_FALSE(one.Receive(other.out.Take(), 0, out));
  };
  meet(two, 0);
  CHECK(one.IsKnown(0));
  CHECK_FALSE(one.IsKnown(1));
  REQUIRE(one.BeginDatagram(0, 10, 0, out).size() == 10);
  one.CommitDatagram(50000, 1029, 10, out);
  CHECK(two.Hear(out.frames.front()).has_value());
  CHECK_FALSE(three.Hear(out.Take()).has_value());
  meet(three, 1);
  REQUIRE(one.BeginDatagram(1, 10, 0, out).size() == 10);
  one.CommitDatagram(50000, 1029, 10, out);
  CHECK_FALSE(two.Hear(out.frames.front()).has_value());
  CHECK(three.Hear(out.Take()).has_value());

  REQUIRE(two.Send({1}, 0));
  REQUIRE(three.Send({1}, 0));
  CHECK(one.Receive(two.out.Take(), 0, out)->peer == 0);
  CHECK(one.Receive(three.out.Take(), 0, out)->peer == 1);

  // One moves, and has to be found again; the other one stays known.
  CHECK(one.SetAddresses(own, std::array{Ip(address(2)), Ip(address(3))}) == 0);
  CHECK(one.SetAddresses(own, std::array{Ip(address(2)), Ip(address(5))}) == 2);
  CHECK(one.IsKnown(0));
  CHECK_FALSE(one.IsKnown(1));
  REQUIRE(three.Send({1}, 0));
  CHECK_FALSE(one.Receive(three.out.Take(), 0, out).has_value());
  const IpPrefix moved = *IpPrefix::Parse(address(9) + length);
  CHECK(one.SetAddresses(moved, std::array{Ip(address(2)), Ip(address(5))}) == 3);
}

TEST_CASE("a sink without room loses nothing but the frame") {
  Pair pair(true);
  pair.one.out.full = true;
  CHECK_FALSE(pair.one.Send({1}, kSecond));  // the question, too
  CHECK(pair.one.link.counters().no_buffer.Get() == 1);
  CHECK(pair.one.link.counters().no_neighbour.Get() == 1);
  pair.one.out.full = false;
  pair.Resolve(2 * kSecond);
  pair.one.out.full = true;
  CHECK_FALSE(pair.one.Send({1}, 2 * kSecond));
  CHECK(pair.one.link.counters().no_buffer.Get() == 2);
  pair.one.out.full = false;
  CHECK(pair.one.link.BeginDatagram(0, 10000, 2 * kSecond, pair.one.out).empty());
  CHECK(pair.one.link.counters().no_buffer.Get() == 3);

  // A commit without a begin, and one of more than there is room for, send nothing.
  pair.one.link.CommitDatagram(50000, 1029, 10, pair.one.out);
  REQUIRE(pair.one.link.BeginDatagram(0, 100, 2 * kSecond, pair.one.out).size() == 100);
  pair.one.link.CommitDatagram(50000, 1029, 101, pair.one.out);
  CHECK(pair.one.out.frames.empty());
  const uint64_t sent = pair.one.link.counters().sent.Get();
  const uint64_t bytes = pair.one.link.counters().sent_bytes.Get();
  CHECK(pair.one.Send(Bytes(40), 2 * kSecond));
  CHECK(pair.one.link.counters().sent.Get() == sent + 1);
  CHECK(pair.one.link.counters().sent_bytes.Get() == bytes + 82);
}

}  // namespace tandem::mirror
