// SPDX-License-Identifier: Apache-2.0
//
// Frames for tests and benchmarks, right by default and wrong on demand.
//
//   PacketBuilder().Ipv4("10.0.0.1", "10.0.0.2").Tcp(1234, 80, kSyn).Payload(10).Build()
//
// Name the IP header before what it carries. Vlan and the extension headers nest in the order of
// their calls; everything else is named once. Lengths and checksums are computed by Build() with code of
// its own, so that they check the dataplane's; Override and Bad calls put a wrong value in the right
// one's place. Ports, sequence numbers and lengths are in host byte order.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "dataplane/base/ip_address.h"
#include "tests/support/test_packet.h"

namespace tandem::test {

using Bytes = std::vector<uint8_t>;

enum TcpFlag : uint8_t { kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16, kUrg = 32 };

inline constexpr std::string_view kClientMac = "02:00:00:00:00:0c";
inline constexpr std::string_view kDeviceMac = "02:00:00:00:00:0d";

// Aborts on text that is no address: a mistake in the test.
IpAddress Ip(std::string_view text);
MacAddress Mac(std::string_view text);

class PacketBuilder {
 public:
  // Ethernet: kClientMac to kDeviceMac, untagged, unless said otherwise. The EtherType follows from
  // the layers named.
  PacketBuilder& Ethernet(std::string_view source, std::string_view destination);
  PacketBuilder& Ethernet(const MacAddress& source, const MacAddress& destination);
  PacketBuilder& Vlan(uint16_t tag, uint16_t ether_type = 0x8100);
  PacketBuilder& EtherTypeOverride(uint16_t ether_type);

  PacketBuilder& Ipv4(std::string_view source, std::string_view destination);
  PacketBuilder& Ipv6(std::string_view source, std::string_view destination);
  PacketBuilder& IpPair(const IpAddress& source, const IpAddress& destination);  // of one family
  PacketBuilder& Ttl(uint8_t ttl);                                               // or hop limit; 64
  PacketBuilder& Tos(uint8_t tos);
  PacketBuilder& Id(uint16_t id);
  PacketBuilder& DontFragment();
  // IPv4: the header's field. IPv6: adds a fragment header. `offset` in units of 8 bytes.
  PacketBuilder& Fragment(uint16_t offset, bool more);
  PacketBuilder& Ipv4Options(Bytes options);  // padded with zeros to 4 bytes
  // IPv6: next header and length are filled in, `body` is what follows them, padded to 8 bytes in
  // all. The length field counts what it has to for `type`.
  PacketBuilder& Extension(uint8_t type, Bytes body = Bytes(6));
  // IPv6: goes out as it is, but for the next header in the first byte.
  PacketBuilder& RawExtension(uint8_t type, Bytes bytes);
  PacketBuilder& VersionOverride(uint8_t version);
  PacketBuilder& IhlOverride(uint8_t ihl);
  PacketBuilder& LengthOverride(uint16_t length);  // IPv4 total or IPv6 payload length
  PacketBuilder& BadIpChecksum();

  PacketBuilder& Tcp(uint16_t source_port, uint16_t destination_port, uint8_t flags);
  PacketBuilder& Seq(uint32_t sequence);
  PacketBuilder& Ack(uint32_t acknowledgement);
  PacketBuilder& Window(uint16_t window);
  PacketBuilder& TcpOptions(Bytes options);  // padded with zeros to 4 bytes
  PacketBuilder& DataOffsetOverride(uint8_t words);

  PacketBuilder& Udp(uint16_t source_port, uint16_t destination_port);
  PacketBuilder& UdpLengthOverride(uint16_t length);
  PacketBuilder& NoUdpChecksum();

  // ICMP or ICMPv6 after the family of the IP header.
  PacketBuilder& Icmp(uint8_t type, uint8_t code, uint32_t rest = 0);
  PacketBuilder& EchoRequest(uint16_t identifier, uint16_t sequence = 1);
  PacketBuilder& EchoReply(uint16_t identifier, uint16_t sequence = 1);
  // `quoted` as BuildIp() made it, possibly cut off.
  PacketBuilder& IcmpError(uint8_t type, uint8_t code, const Bytes& quoted, uint32_t rest = 0);

  // Hop limit 255 unless Ttl was called. `flags` of an advertisement: router 0x80, solicited 0x40,
  // override 0x20. An option with the link address where one is given.
  PacketBuilder& Solicitation(std::string_view target, std::optional<MacAddress> link = {});
  PacketBuilder& Advertisement(std::string_view target, uint8_t flags,
                               std::optional<MacAddress> link = {});

  PacketBuilder& ArpRequest(const MacAddress& sender_mac, std::string_view sender,
                            std::string_view target);
  PacketBuilder& ArpReply(const MacAddress& sender_mac, std::string_view sender,
                          const MacAddress& target_mac, std::string_view target);

  // Any other protocol; the payload follows the IP header.
  PacketBuilder& Protocol(uint8_t protocol);
  PacketBuilder& BadL4Checksum();

  PacketBuilder& Payload(size_t size);  // bytes counting up from 0
  PacketBuilder& Payload(Bytes bytes);
  PacketBuilder& PadTo(size_t size);       // zeros behind the packet, as Ethernet pads
  PacketBuilder& TruncateTo(size_t size);  // last of all

  Bytes Build() const;
  Bytes BuildIp() const;  // from the IP header on, for IcmpError
  TestPacket BuildPacket() const { return TestPacket(Build()); }

 private:
  enum class L4 { kNone, kTcp, kUdp, kIcmp, kArp, kRaw };

  PacketBuilder& Arp(uint16_t operation, const MacAddress& sender_mac, std::string_view sender,
                     const MacAddress& target_mac, std::string_view target);
  Bytes BuildLink() const;
  Bytes BuildIpv4(const Bytes& l4) const;
  Bytes BuildIpv6(const Bytes& l4) const;
  Bytes BuildL4() const;
  Bytes BuildTcp() const;
  Bytes BuildUdp() const;
  Bytes BuildIcmp() const;
  void FillL4Checksum(Bytes& l4, size_t offset) const;
  uint8_t protocol() const;

  MacAddress source_mac_ = Mac(kClientMac);
  MacAddress destination_mac_ = Mac(kDeviceMac);
  std::vector<std::pair<uint16_t, uint16_t>> tags_;  // EtherType, tag
  std::optional<uint16_t> ether_type_;
  bool has_ip_ = false;
  bool is_v4_ = true;
  IpAddress source_;
  IpAddress destination_;
  std::optional<uint8_t> ttl_;
  uint8_t tos_ = 0;
  uint16_t id_ = 0;
  uint16_t fragment_ = 0;  // IPv4 field
  Bytes ip_options_;
  std::vector<std::pair<uint8_t, Bytes>> extensions_;
  std::optional<uint8_t> version_;
  std::optional<uint8_t> ihl_;
  std::optional<uint16_t> length_;
  bool is_ip_checksum_bad_ = false;
  L4 l4_ = L4::kNone;
  uint16_t source_port_ = 0;
  uint16_t destination_port_ = 0;
  uint8_t tcp_flags_ = 0;
  uint32_t sequence_ = 0;
  uint32_t acknowledgement_ = 0;
  uint16_t window_ = 65535;
  Bytes tcp_options_;
  std::optional<uint8_t> data_offset_;
  std::optional<uint16_t> udp_length_;
  bool has_udp_checksum_ = true;
  uint8_t icmp_type_ = 0;
  uint8_t icmp_code_ = 0;
  uint32_t icmp_rest_ = 0;
  uint8_t protocol_ = 0;
  bool is_l4_checksum_bad_ = false;
  Bytes payload_;
  size_t pad_to_ = 0;
  std::optional<size_t> truncate_to_;
};

}  // namespace tandem::test
