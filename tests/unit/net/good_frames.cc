// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/net/good_frames.h"

namespace tandem::test {
namespace {

using net::Kind;

PacketBuilder V4() {
  return PacketBuilder().Ipv4("10.0.0.1", "192.0.2.10");
}
PacketBuilder V6() {
  return PacketBuilder().Ipv6("2001:db8::1", "2001:db8::10");
}

const Bytes kSynOptions = {2, 4, 5, 180, 1, 3, 3, 7, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0};

void AddIpv4(std::vector<GoodFrame>& frames) {
  frames.push_back({"tcp", Kind::kTcp, V4().Tcp(1234, 80, kAck).Payload(10).Build()});
  frames.push_back({"tcp syn with options", Kind::kTcp,
                    V4().Vlan(10).Tcp(1234, 80, kSyn).TcpOptions(kSynOptions).Build()});
  frames.push_back({"udp padded", Kind::kUdp, V4().Udp(5353, 53).Payload(3).PadTo(60).Build()});
  frames.push_back({"udp without payload", Kind::kUdp, V4().Udp(5353, 53).Build()});
  frames.push_back({"udp behind record route", Kind::kUdp,
                    V4().Ipv4Options({1, 7, 7, 4, 0, 0, 0, 0}).Udp(5353, 53).Payload(3).Build()});
  frames.push_back(
      {"udp first fragment", Kind::kUdp,
       V4().Fragment(0, true).Udp(5353, 53).UdpLengthOverride(2000).Payload(16).Build()});
  frames.push_back({"echo request", Kind::kIcmpQuery, V4().EchoRequest(77).Payload(8).Build()});
  frames.push_back({"echo reply", Kind::kIcmpQuery, V4().Vlan(7).EchoReply(77).Build()});
  const Bytes quoted =
      PacketBuilder().Ipv4("192.0.2.10", "10.0.0.1").Tcp(80, 1234, kAck).Payload(4).BuildIp();
  frames.push_back({"port unreachable", Kind::kIcmpError, V4().IcmpError(3, 3, quoted).Build()});
  frames.push_back({"icmp timestamp", Kind::kIcmpOther, V4().Icmp(13, 0).Payload(12).Build()});
  frames.push_back({"gre", Kind::kIpOther, V4().Protocol(47).Payload(12).Build()});
  frames.push_back({"protocol without a byte", Kind::kIpOther, V4().Protocol(50).Build()});
  frames.push_back({"arp request", Kind::kArp,
                    PacketBuilder().ArpRequest(Mac(kClientMac), "10.0.0.1", "10.0.0.2").Build()});
  frames.push_back({"arp reply", Kind::kArp,
                    PacketBuilder()
                        .Vlan(3)
                        .ArpReply(Mac(kClientMac), "10.0.0.1", Mac(kDeviceMac), "10.0.0.2")
                        .PadTo(60)
                        .Build()});
}

void AddIpv6(std::vector<GoodFrame>& frames) {
  frames.push_back({"tcp6", Kind::kTcp, V6().Vlan(10).Tcp(1234, 80, kAck).Payload(5).Build()});
  frames.push_back(
      {"tcp6 syn", Kind::kTcp, V6().Tcp(1234, 80, kSyn).TcpOptions(kSynOptions).Build()});
  frames.push_back({"udp6", Kind::kUdp, V6().Udp(5353, 53).Payload(3).Build()});
  frames.push_back({"udp6 behind every extension", Kind::kUdp,
                    V6().Extension(0)
                        .Extension(60, Bytes(14))
                        .Extension(43, {4, 0, 0, 0, 0, 0})
                        .Fragment(0, false)
                        .Extension(51, Bytes(22))
                        .Extension(60)
                        .Udp(5353, 53)
                        .Payload(3)
                        .Build()});
  frames.push_back(
      {"udp6 first fragment", Kind::kUdp,
       V6().Fragment(0, true).Udp(5353, 53).UdpLengthOverride(2000).Payload(16).Build()});
  frames.push_back({"echo request 6", Kind::kIcmpQuery, V6().EchoRequest(77).Payload(8).Build()});
  frames.push_back({"echo reply 6", Kind::kIcmpQuery, V6().EchoReply(77).Build()});
  const Bytes quoted = PacketBuilder()
                           .Ipv6("2001:db8::10", "2001:db8::1")
                           .Extension(60)
                           .Udp(53, 5353)
                           .Payload(4)
                           .BuildIp();
  frames.push_back({"too big 6", Kind::kIcmpError, V6().IcmpError(2, 0, quoted, 1280).Build()});
  frames.push_back({"router solicitation", Kind::kIcmpOther, V6().Ttl(255).Icmp(133, 0).Build()});
  frames.push_back({"sctp6", Kind::kIpOther, V6().Protocol(132).Payload(12).Build()});
  frames.push_back({"no next header", Kind::kIpOther, V6().Extension(60).Protocol(59).Build()});
}

void AddNd(std::vector<GoodFrame>& frames) {
  frames.push_back({"solicitation", Kind::kNd,
                    PacketBuilder()
                        .Ipv6("fe80::1", "ff02::1:ff00:2")
                        .Solicitation("fe80::2", Mac(kClientMac))
                        .Build()});
  frames.push_back(
      {"duplicate address detection", Kind::kNd,
       PacketBuilder().Vlan(9).Ipv6("::", "ff02::1:ff00:2").Solicitation("fe80::2").Build()});
  frames.push_back({"advertisement", Kind::kNd,
                    PacketBuilder()
                        .Ipv6("fe80::2", "fe80::1")
                        .Advertisement("fe80::2", 0x60, Mac(kDeviceMac))
                        .Build()});
}

}  // namespace

std::vector<GoodFrame> GoodFrames() {
  std::vector<GoodFrame> frames;
  AddIpv4(frames);
  AddIpv6(frames);
  AddNd(frames);
  return frames;
}

}  // namespace tandem::test
