// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/frame_builder.h"

#include <algorithm>

#include "dataplane/net/frame_writer.h"
#include "tools/pktgen/frame_sizes.h"
#include "tools/pktgen/tcp.h"

namespace tandem::pktgen {
namespace {

void WriteTcp(uint8_t* to, const Segment& segment, uint16_t source_port, uint16_t target_port,
              uint16_t mss) {
  rte_tcp_hdr tcp = {};
  const bool is_syn = (segment.flags & kTcpSyn) != 0;
  const size_t size = is_syn ? kSynHeaderSize : kTcpHeaderSize;
  tcp.src_port = __builtin_bswap16(source_port);
  tcp.dst_port = __builtin_bswap16(target_port);
  tcp.sent_seq = __builtin_bswap32(segment.sequence);
  tcp.recv_ack = __builtin_bswap32(segment.acknowledgement);
  tcp.data_off = static_cast<uint8_t>(size / 4 << 4);
  tcp.tcp_flags = segment.flags;
  tcp.rx_win = __builtin_bswap16(kWindow);
  std::memcpy(to, &tcp, sizeof(tcp));
  WriteTimestamps(to + net::kTcpSize, {segment.timestamp, is_syn ? 0 : kServerTimestamp});
  if (is_syn) net::Store32(to + kTcpHeaderSize, 0x02040000U | mss);
}

// The mark and the zeros behind it; returns what they add to a checksum.
uint64_t WritePayload(std::span<uint8_t> payload, const Signature& signature, uint64_t key) {
  const size_t filler = FillerOffset(payload.size());
  const uint64_t sum = WriteSignature(payload, signature, key);
  if (filler < payload.size()) {
    std::memset(payload.data() + filler, 0, payload.size() - filler);
  }
  return sum;
}

size_t PadFrame(std::span<uint8_t> out, size_t length) {
  if (length >= kFrameMin) return length;
  std::memset(out.data() + length, 0, kFrameMin - length);
  return kFrameMin;
}

}  // namespace

size_t FrameBuilder::FrameSize(bool is_tcp, size_t payload_size) const noexcept {
  const size_t l4 = is_tcp ? kTcpHeaderSize : net::kUdpSize;
  const size_t size =
      net::internal::LinkSize(link_) + net::internal::IpSize(is_v4_) + l4 + payload_size;
  return std::max(size, kFrameMin);
}

size_t FrameBuilder::PayloadSize(bool is_tcp, uint32_t frame_size) const noexcept {
  const size_t headers = FrameSize(is_tcp, kFrameMin) - kFrameMin;
  const size_t wanted = frame_size - FrameSizes::kFcsSize;
  return std::max(wanted, headers + kSignatureSize) - headers;
}

void FrameBuilder::MakeTemplate() {
  is_v4_ = target_.address.is_v4();
  ip_at_ = net::internal::LinkSize(link_);
  udp_at_ = ip_at_ + net::internal::IpSize(is_v4_);
  template_.fill(0);
  uint8_t* const ip = template_.data() + ip_at_;
  uint8_t* const udp = template_.data() + udp_at_;
  net::internal::WriteLink(template_.data(), link_, net::internal::EtherTypeOf(is_v4_));
  const IpAddress nobody = is_v4_ ? IpAddress::V4(0) : IpAddress();
  net::internal::WriteIp(ip, {nobody, target_.address, net::kProtocolUdp}, is_v4_, 0);
  if (is_v4_) {
    net::Store16(ip + 2, 0);
    net::Store16(ip + 10, 0);
    ip_sum_ = net::ChecksumAdd(ip, net::kIpv4Size);
  }
  net::Store16(udp + 2, target_.port);
  // The sum of a packet of no length: what its length adds comes later.
  udp_sum_ =
      net::internal::PseudoHeaderSum(ip + (is_v4_ ? 12 : 8), is_v4_ ? 8 : 32, net::kProtocolUdp, 0);
  udp_sum_ = net::ChecksumAdd(udp, net::kUdpSize, udp_sum_);
}

uint64_t FrameBuilder::WriteIpv4(uint8_t* ip, const AddressWords& client,
                                 uint16_t l4_length) const noexcept {
  const uint16_t total = __builtin_bswap16(static_cast<uint16_t>(net::kIpv4Size + l4_length));
  const uint32_t source = client.v4();
  const auto checksum = static_cast<uint16_t>(~net::ChecksumFold(ip_sum_ + total + source));
  std::memcpy(ip + 2, &total, sizeof(total));
  std::memcpy(ip + 10, &checksum, sizeof(checksum));
  std::memcpy(ip + 12, &source, sizeof(source));
  return source;
}

uint64_t FrameBuilder::WriteIpv6(uint8_t* ip, const AddressWords& client,
                                 uint16_t l4_length) const noexcept {
  net::Store16(ip + 4, l4_length);
  std::memcpy(ip + 8, &client.high, sizeof(client.high));
  std::memcpy(ip + 16, &client.low, sizeof(client.low));
  return (client.high & 0xffffffff) + (client.high >> 32) + (client.low & 0xffffffff) +
         (client.low >> 32);
}

size_t FrameBuilder::Udp(std::span<uint8_t> out, const EndpointWords& client,
                         const Signature& signature, size_t payload_size) const noexcept {
  // Of a known size, and not beyond the shortest frame: a mark follows the headers.
  constexpr size_t kIpv4Copied = 48;
  static_assert(net::kEthernetSize + net::kVlanTagSize + net::kIpv4Size + net::kUdpSize <=
                kIpv4Copied);
  static_assert(kTemplateSize <=
                net::kEthernetSize + net::kIpv6Size + net::kUdpSize + kSignatureSize);
  uint8_t* const udp = out.data() + udp_at_;
  const auto l4_length = static_cast<uint16_t>(net::kUdpSize + payload_size);
  uint64_t sum = udp_sum_ + client.port;
  if (is_v4_) {
    std::memcpy(out.data(), template_.data(), kIpv4Copied);
    sum += WriteIpv4(out.data() + ip_at_, client.address, l4_length);
  } else {
    std::memcpy(out.data(), template_.data(), kTemplateSize);
    sum += WriteIpv6(out.data() + ip_at_, client.address, l4_length);
  }
  const uint16_t length = __builtin_bswap16(l4_length);
  sum += uint64_t{2} * length;  // in the pseudo header, too
  std::memcpy(udp, &client.port, sizeof(client.port));
  std::memcpy(udp + 4, &length, sizeof(length));
  sum += WritePayload({udp + net::kUdpSize, payload_size}, signature, key_);
  auto checksum = static_cast<uint16_t>(~net::ChecksumFold(sum));
  if (checksum == 0) checksum = 0xffff;  // 0 says that there is none
  std::memcpy(udp + kUdpChecksumAt, &checksum, sizeof(checksum));
  return PadFrame(out, udp_at_ + l4_length);
}

size_t FrameBuilder::Tcp(std::span<uint8_t> out, const ClientTuple& client, const Segment& segment,
                         const Signature& signature, size_t payload_size) const noexcept {
  const bool is_v4 = target_.address.is_v4();
  uint8_t* const ip = out.data() + net::internal::LinkSize(link_);
  uint8_t* const tcp = ip + net::internal::IpSize(is_v4);
  const bool is_syn = (segment.flags & kTcpSyn) != 0;
  const size_t header_size = is_syn ? kSynHeaderSize : kTcpHeaderSize;
  const size_t l4_length = header_size + payload_size;
  constexpr uint16_t kMtu = 1500;
  const auto mss = static_cast<uint16_t>(kMtu - net::internal::IpSize(is_v4) - net::kTcpSize);
  net::internal::WriteLink(out.data(), link_, net::internal::EtherTypeOf(is_v4));
  net::internal::WriteIp(ip, {client.address, target_.address, net::kProtocolTcp}, is_v4,
                         l4_length);
  WriteTcp(tcp, segment, client.port, target_.port, mss);
  uint64_t sum = is_v4 ? net::internal::PseudoHeaderSum(ip + 12, 8, net::kProtocolTcp, l4_length)
                       : net::internal::PseudoHeaderSum(ip + 8, 32, net::kProtocolTcp, l4_length);
  sum = net::ChecksumAdd(tcp, header_size, sum);
  if (payload_size > 0) sum += WritePayload({tcp + header_size, payload_size}, signature, key_);
  const auto checksum = static_cast<uint16_t>(~net::ChecksumFold(sum));
  std::memcpy(tcp + kTcpChecksumAt, &checksum, sizeof(checksum));
  return PadFrame(out, static_cast<size_t>(tcp - out.data()) + l4_length);
}

}  // namespace tandem::pktgen
