// SPDX-License-Identifier: Apache-2.0
#include "tests/support/packet_builder.h"

#include <numeric>
#include <string>

#include "dataplane/base/assert.h"

namespace tandem::test {
namespace {

void Put16(Bytes& out, size_t value) {
  out.push_back(static_cast<uint8_t>(value >> 8));
  out.push_back(static_cast<uint8_t>(value));
}

void Put32(Bytes& out, uint32_t value) {
  Put16(out, value >> 16);
  Put16(out, value & 0xffff);
}

template <typename Range>
void PutBytes(Bytes& out, const Range& bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void PutAddress(Bytes& out, const IpAddress& address, bool is_v4) {
  const auto& bytes = address.bytes();
  out.insert(out.end(), bytes.begin() + (is_v4 ? 12 : 0), bytes.end());
}

void Set16(Bytes& out, size_t offset, uint16_t value) {
  out[offset] = static_cast<uint8_t>(value >> 8);
  out[offset + 1] = static_cast<uint8_t>(value);
}

Bytes PaddedTo(Bytes bytes, size_t unit) {
  bytes.resize((bytes.size() + unit - 1) / unit * unit);
  return bytes;
}

// RFC 1071, the slow and plain way.
uint16_t Checksum(const Bytes& bytes) {
  uint64_t sum = 0;
  for (size_t i = 0; i < bytes.size(); i += 2) {
    sum += static_cast<uint64_t>(bytes[i]) << 8;
    if (i + 1 < bytes.size()) sum += bytes[i + 1];
  }
  while (sum >> 16)
    sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

constexpr uint8_t kTcpProtocol = 6;
constexpr uint8_t kUdpProtocol = 17;
constexpr uint8_t kFragmentHeader = 44;
constexpr uint8_t kAuthenticationHeader = 51;

}  // namespace

IpAddress Ip(std::string_view text) {
  const auto address = IpAddress::Parse(text);
  TANDEM_ASSERT(address.has_value());
  return *address;
}

MacAddress Mac(std::string_view text) {
  const auto mac = ParseMac(text);
  TANDEM_ASSERT(mac.has_value());
  return *mac;
}

PacketBuilder& PacketBuilder::Ethernet(std::string_view source, std::string_view destination) {
  return Ethernet(Mac(source), Mac(destination));
}

PacketBuilder& PacketBuilder::Ethernet(const MacAddress& source, const MacAddress& destination) {
  source_mac_ = source;
  destination_mac_ = destination;
  return *this;
}

PacketBuilder& PacketBuilder::Vlan(uint16_t tag, uint16_t ether_type) {
  tags_.emplace_back(ether_type, tag);
  return *this;
}

PacketBuilder& PacketBuilder::EtherTypeOverride(uint16_t ether_type) {
  ether_type_ = ether_type;
  return *this;
}

PacketBuilder& PacketBuilder::Ipv4(std::string_view source, std::string_view destination) {
  TANDEM_ASSERT(Ip(source).is_v4() && Ip(destination).is_v4());
  return IpPair(Ip(source), Ip(destination));
}

// Takes ::ffff:a.b.c.d for what it says: bad IPv6 packets carry it.
PacketBuilder& PacketBuilder::Ipv6(std::string_view source, std::string_view destination) {
  has_ip_ = true;
  is_v4_ = false;
  source_ = Ip(source);
  destination_ = Ip(destination);
  return *this;
}

PacketBuilder& PacketBuilder::IpPair(const IpAddress& source, const IpAddress& destination) {
  TANDEM_ASSERT(source.is_v4() == destination.is_v4());
  has_ip_ = true;
  is_v4_ = source.is_v4();
  source_ = source;
  destination_ = destination;
  return *this;
}

PacketBuilder& PacketBuilder::Ttl(uint8_t ttl) {
  ttl_ = ttl;
  return *this;
}

PacketBuilder& PacketBuilder::Tos(uint8_t tos) {
  tos_ = tos;
  return *this;
}

PacketBuilder& PacketBuilder::Id(uint16_t id) {
  id_ = id;
  return *this;
}

PacketBuilder& PacketBuilder::DontFragment() {
  fragment_ |= 0x4000;
  return *this;
}

PacketBuilder& PacketBuilder::Fragment(uint16_t offset, bool more) {
  TANDEM_ASSERT(has_ip_ && offset < 0x2000);
  if (is_v4_) {
    fragment_ = static_cast<uint16_t>((fragment_ & 0x4000) | (more ? 0x2000 : 0) | offset);
    return *this;
  }
  Bytes header = {0, 0};
  Put16(header, static_cast<size_t>(offset) << 3 | (more ? 1 : 0));
  Put32(header, id_);
  return RawExtension(kFragmentHeader, header);
}

PacketBuilder& PacketBuilder::Ipv4Options(Bytes options) {
  ip_options_ = PaddedTo(std::move(options), 4);
  return *this;
}

PacketBuilder& PacketBuilder::Extension(uint8_t type, Bytes body) {
  Bytes header = {0, 0};
  PutBytes(header, body);
  header = PaddedTo(std::move(header), 8);
  const size_t length =
      type == kAuthenticationHeader ? header.size() / 4 - 2 : header.size() / 8 - 1;
  if (type != kFragmentHeader) header[1] = static_cast<uint8_t>(length);
  return RawExtension(type, std::move(header));
}

PacketBuilder& PacketBuilder::RawExtension(uint8_t type, Bytes bytes) {
  TANDEM_ASSERT(!bytes.empty());
  extensions_.emplace_back(type, std::move(bytes));
  return *this;
}

PacketBuilder& PacketBuilder::VersionOverride(uint8_t version) {
  version_ = version;
  return *this;
}

PacketBuilder& PacketBuilder::IhlOverride(uint8_t ihl) {
  ihl_ = ihl;
  return *this;
}

PacketBuilder& PacketBuilder::LengthOverride(uint16_t length) {
  length_ = length;
  return *this;
}

PacketBuilder& PacketBuilder::BadIpChecksum() {
  is_ip_checksum_bad_ = true;
  return *this;
}

PacketBuilder& PacketBuilder::Tcp(uint16_t source_port, uint16_t destination_port, uint8_t flags) {
  l4_ = L4::kTcp;
  source_port_ = source_port;
  destination_port_ = destination_port;
  tcp_flags_ = flags;
  return *this;
}

PacketBuilder& PacketBuilder::Seq(uint32_t sequence) {
  sequence_ = sequence;
  return *this;
}

PacketBuilder& PacketBuilder::Ack(uint32_t acknowledgement) {
  acknowledgement_ = acknowledgement;
  return *this;
}

PacketBuilder& PacketBuilder::Window(uint16_t window) {
  window_ = window;
  return *this;
}

PacketBuilder& PacketBuilder::TcpOptions(Bytes options) {
  tcp_options_ = PaddedTo(std::move(options), 4);
  return *this;
}

PacketBuilder& PacketBuilder::DataOffsetOverride(uint8_t words) {
  data_offset_ = words;
  return *this;
}

PacketBuilder& PacketBuilder::Udp(uint16_t source_port, uint16_t destination_port) {
  l4_ = L4::kUdp;
  source_port_ = source_port;
  destination_port_ = destination_port;
  return *this;
}

PacketBuilder& PacketBuilder::UdpLengthOverride(uint16_t length) {
  udp_length_ = length;
  return *this;
}

PacketBuilder& PacketBuilder::NoUdpChecksum() {
  has_udp_checksum_ = false;
  return *this;
}

PacketBuilder& PacketBuilder::Icmp(uint8_t type, uint8_t code, uint32_t rest) {
  l4_ = L4::kIcmp;
  icmp_type_ = type;
  icmp_code_ = code;
  icmp_rest_ = rest;
  return *this;
}

PacketBuilder& PacketBuilder::EchoRequest(uint16_t identifier, uint16_t sequence) {
  const uint8_t type = is_v4_ ? 8 : 128;
  return Icmp(type, 0, static_cast<uint32_t>(identifier) << 16 | sequence);
}

PacketBuilder& PacketBuilder::EchoReply(uint16_t identifier, uint16_t sequence) {
  const uint8_t type = is_v4_ ? 0 : 129;
  return Icmp(type, 0, static_cast<uint32_t>(identifier) << 16 | sequence);
}

PacketBuilder& PacketBuilder::IcmpError(uint8_t type, uint8_t code, const Bytes& quoted,
                                        uint32_t rest) {
  return Icmp(type, code, rest).Payload(quoted);
}

PacketBuilder& PacketBuilder::Solicitation(std::string_view target,
                                           std::optional<MacAddress> link) {
  if (!ttl_) ttl_ = 255;
  Bytes body;
  PutAddress(body, Ip(target), false);
  if (link) {
    PutBytes(body, Bytes{1, 1});
    PutBytes(body, *link);
  }
  return Icmp(135, 0).Payload(std::move(body));
}

PacketBuilder& PacketBuilder::Advertisement(std::string_view target, uint8_t flags,
                                            std::optional<MacAddress> link) {
  if (!ttl_) ttl_ = 255;
  Bytes body;
  PutAddress(body, Ip(target), false);
  if (link) {
    PutBytes(body, Bytes{2, 1});
    PutBytes(body, *link);
  }
  return Icmp(136, 0, static_cast<uint32_t>(flags) << 24).Payload(std::move(body));
}

PacketBuilder& PacketBuilder::ArpRequest(const MacAddress& sender_mac, std::string_view sender,
                                         std::string_view target) {
  return Arp(1, sender_mac, sender, MacAddress{}, target);
}

PacketBuilder& PacketBuilder::ArpReply(const MacAddress& sender_mac, std::string_view sender,
                                       const MacAddress& target_mac, std::string_view target) {
  return Arp(2, sender_mac, sender, target_mac, target);
}

PacketBuilder& PacketBuilder::Arp(uint16_t operation, const MacAddress& sender_mac,
                                  std::string_view sender, const MacAddress& target_mac,
                                  std::string_view target) {
  l4_ = L4::kArp;
  Bytes body = {0, 1, 8, 0, 6, 4};
  Put16(body, operation);
  PutBytes(body, sender_mac);
  PutAddress(body, Ip(sender), true);
  PutBytes(body, target_mac);
  PutAddress(body, Ip(target), true);
  return Payload(std::move(body));
}

PacketBuilder& PacketBuilder::Protocol(uint8_t protocol) {
  l4_ = L4::kRaw;
  protocol_ = protocol;
  return *this;
}

PacketBuilder& PacketBuilder::BadL4Checksum() {
  is_l4_checksum_bad_ = true;
  return *this;
}

PacketBuilder& PacketBuilder::Payload(size_t size) {
  payload_.resize(size);
  std::iota(payload_.begin(), payload_.end(), uint8_t{0});
  return *this;
}

PacketBuilder& PacketBuilder::Payload(Bytes bytes) {
  payload_ = std::move(bytes);
  return *this;
}

PacketBuilder& PacketBuilder::PadTo(size_t size) {
  pad_to_ = size;
  return *this;
}

PacketBuilder& PacketBuilder::TruncateTo(size_t size) {
  truncate_to_ = size;
  return *this;
}

Bytes PacketBuilder::Build() const {
  Bytes frame = BuildLink();
  PutBytes(frame, BuildIp());
  if (frame.size() < pad_to_) frame.resize(pad_to_);
  if (truncate_to_ && *truncate_to_ < frame.size()) frame.resize(*truncate_to_);
  return frame;
}

Bytes PacketBuilder::BuildIp() const {
  const Bytes l4 = BuildL4();
  if (!has_ip_) return l4;
  return is_v4_ ? BuildIpv4(l4) : BuildIpv6(l4);
}

Bytes PacketBuilder::BuildLink() const {
  Bytes out;
  PutBytes(out, destination_mac_);
  PutBytes(out, source_mac_);
  for (const auto& [ether_type, tag] : tags_) {
    Put16(out, ether_type);
    Put16(out, tag);
  }
  const uint16_t derived = l4_ == L4::kArp ? 0x0806 : is_v4_ ? 0x0800 : 0x86dd;
  Put16(out, ether_type_.value_or(derived));
  return out;
}

Bytes PacketBuilder::BuildIpv4(const Bytes& l4) const {
  const size_t header_size = 20 + ip_options_.size();
  Bytes out;
  const size_t version = version_.value_or(4);
  const size_t ihl = ihl_.value_or(static_cast<uint8_t>(header_size / 4));
  out.push_back(static_cast<uint8_t>(version << 4 | ihl));
  out.push_back(tos_);
  Put16(out, length_.value_or(static_cast<uint16_t>(header_size + l4.size())));
  Put16(out, id_);
  Put16(out, fragment_);
  out.push_back(ttl_.value_or(64));
  out.push_back(protocol());
  Put16(out, 0);
  PutAddress(out, source_, is_v4_);
  PutAddress(out, destination_, is_v4_);
  PutBytes(out, ip_options_);
  const auto damage = static_cast<uint16_t>(is_ip_checksum_bad_ ? 0x0101 : 0);
  Set16(out, 10, static_cast<uint16_t>(Checksum(out) ^ damage));
  PutBytes(out, l4);
  return out;
}

Bytes PacketBuilder::BuildIpv6(const Bytes& l4) const {
  Bytes chain;
  for (size_t i = 0; i < extensions_.size(); ++i) {
    Bytes header = extensions_[i].second;
    header[0] = i + 1 < extensions_.size() ? extensions_[i + 1].first : protocol();
    PutBytes(chain, header);
  }
  Bytes out;
  Put32(out, static_cast<uint32_t>(version_.value_or(6)) << 28 | static_cast<uint32_t>(tos_) << 20);
  Put16(out, length_.value_or(static_cast<uint16_t>(chain.size() + l4.size())));
  out.push_back(extensions_.empty() ? protocol() : extensions_.front().first);
  out.push_back(ttl_.value_or(64));
  PutAddress(out, source_, is_v4_);
  PutAddress(out, destination_, is_v4_);
  PutBytes(out, chain);
  PutBytes(out, l4);
  return out;
}

Bytes PacketBuilder::BuildL4() const {
  switch (l4_) {
    case L4::kTcp:
      return BuildTcp();
    case L4::kUdp:
      return BuildUdp();
    case L4::kIcmp:
      return BuildIcmp();
    case L4::kNone:
    case L4::kArp:
    case L4::kRaw:
      return payload_;
  }
  return payload_;
}

Bytes PacketBuilder::BuildTcp() const {
  Bytes out;
  Put16(out, source_port_);
  Put16(out, destination_port_);
  Put32(out, sequence_);
  Put32(out, acknowledgement_);
  const size_t words = data_offset_.value_or(static_cast<uint8_t>(5 + tcp_options_.size() / 4));
  out.push_back(static_cast<uint8_t>(words << 4));
  out.push_back(tcp_flags_);
  Put16(out, window_);
  Put32(out, 0);  // checksum, urgent pointer
  PutBytes(out, tcp_options_);
  PutBytes(out, payload_);
  FillL4Checksum(out, 16);
  return out;
}

Bytes PacketBuilder::BuildUdp() const {
  Bytes out;
  Put16(out, source_port_);
  Put16(out, destination_port_);
  Put16(out, udp_length_.value_or(static_cast<uint16_t>(8 + payload_.size())));
  Put16(out, 0);
  PutBytes(out, payload_);
  if (!has_udp_checksum_) return out;
  FillL4Checksum(out, 6);
  // RFC 768: a sum of zero goes out as ones.
  if (out[6] == 0 && out[7] == 0) Set16(out, 6, 0xffff);
  return out;
}

Bytes PacketBuilder::BuildIcmp() const {
  Bytes out = {icmp_type_, icmp_code_, 0, 0};
  Put32(out, icmp_rest_);
  PutBytes(out, payload_);
  FillL4Checksum(out, 2);
  return out;
}

// `l4` is the whole L4 packet with a checksum of zero.
void PacketBuilder::FillL4Checksum(Bytes& l4, size_t offset) const {
  Bytes summed;
  const bool is_icmpv4 = l4_ == L4::kIcmp && is_v4_;
  if (!is_icmpv4) {
    PutAddress(summed, source_, is_v4_);
    PutAddress(summed, destination_, is_v4_);
    Put32(summed, static_cast<uint32_t>(l4.size()));
    Put32(summed, protocol());
  }
  PutBytes(summed, l4);
  const auto damage = static_cast<uint16_t>(is_l4_checksum_bad_ ? 0x0101 : 0);
  Set16(l4, offset, static_cast<uint16_t>(Checksum(summed) ^ damage));
}

uint8_t PacketBuilder::protocol() const {
  switch (l4_) {
    case L4::kTcp:
      return kTcpProtocol;
    case L4::kUdp:
      return kUdpProtocol;
    case L4::kIcmp:
      return is_v4_ ? 1 : 58;
    case L4::kNone:
    case L4::kArp:
    case L4::kRaw:
      return protocol_;
  }
  return protocol_;
}

}  // namespace tandem::test
