// SPDX-License-Identifier: Apache-2.0
//
// UDP (RFC 768; RFC 8200 section 8.1 for the checksum over IPv6), for datagrams of our own.
#include "dataplane/net/frame_writer.h"

namespace tandem::net {
namespace {

constexpr size_t kLength = 4;  // offsets in the header
constexpr size_t kChecksum = 6;

// REQUIRES: all of the datagram is contiguous.
bool IsChecksumGood(const Packet& packet, const Parsed& parsed) {
  const uint8_t* const udp = packet.data + parsed.l4_offset;
  if (Load16(udp + kChecksum) == 0) return false;
  const uint8_t* const ip = packet.data + parsed.l3_offset;
  const size_t l4_length = parsed.l4_length;
  const uint64_t pseudo = parsed.is_ipv6()
                              ? internal::PseudoHeaderSum(ip + 8, 32, kProtocolUdp, l4_length)
                              : internal::PseudoHeaderSum(ip + 12, 8, kProtocolUdp, l4_length);
  return ChecksumFold(ChecksumAdd(udp, l4_length, pseudo)) == 0xffff;
}

}  // namespace

size_t UdpHeadersSize(bool is_v4) noexcept {
  return internal::IpSize(is_v4) + kUdpSize;
}

size_t UdpPayloadOffset(const LinkHeader& link, bool is_v4) noexcept {
  return internal::LinkSize(link) + UdpHeadersSize(is_v4);
}

size_t BuildUdp(std::span<uint8_t> frame, const LinkHeader& link, const UdpSpec& spec,
                size_t payload_size) noexcept {
  const bool is_v4 = spec.source.is_v4();
  uint8_t* const ip = frame.data() + internal::LinkSize(link);
  uint8_t* const udp = ip + internal::IpSize(is_v4);
  const size_t l4_length = kUdpSize + payload_size;
  internal::WriteLink(frame.data(), link, internal::EtherTypeOf(is_v4));
  internal::IpSpec ip_spec{spec.source, spec.destination, kProtocolUdp, spec.ttl};
  internal::WriteIp(ip, ip_spec, is_v4, l4_length);
  Store16(udp, spec.source_port);
  Store16(udp + 2, spec.destination_port);
  Store16(udp + kLength, static_cast<uint16_t>(l4_length));
  Store16(udp + kChecksum, 0);
  uint16_t checksum = internal::L4Checksum(ip, is_v4, udp, l4_length);
  if (checksum == 0) checksum = 0xffff;  // 0 says that there is none
  std::memcpy(udp + kChecksum, &checksum, sizeof(checksum));
  const auto length = static_cast<size_t>(udp - frame.data()) + l4_length;
  if (length >= kFrameMin) return length;
  std::memset(frame.data() + length, 0, kFrameMin - length);
  return kFrameMin;
}

std::span<const uint8_t> UdpPayload(const Packet& packet, const Parsed& parsed) noexcept {
  const uint8_t* const udp = packet.data + parsed.l4_offset;
  const bool is_whole = (parsed.flags & kFirstFragment) == 0 &&
                        parsed.l4_offset + parsed.l4_length <= packet.contiguous &&
                        Load16(udp + kLength) == parsed.l4_length;
  if (!is_whole || !IsChecksumGood(packet, parsed)) return {};
  return {udp + kUdpSize, parsed.l4_length - kUdpSize};
}

}  // namespace tandem::net
