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

// The mark and the zeros behind it; returns how many zeros no checksum needs to read.
size_t WritePayload(std::span<uint8_t> payload, const Signature& signature, uint64_t key) {
  const size_t filler = FillerOffset(payload.size());
  WriteSignature(payload, signature, key);
  std::memset(payload.data() + filler, 0, payload.size() - filler);
  return payload.size() - filler;
}

size_t PadFrame(std::span<uint8_t> out, size_t length) {
  if (length >= kFrameMin) return length;
  std::memset(out.data() + length, 0, kFrameMin - length);
  return kFrameMin;
}

// Of the L4 packet behind the IP header at `ip`, whose checksum field is zero and whose last
// `filler_size` bytes are.
uint16_t ChecksumWithoutFiller(const uint8_t* ip, bool is_v4, const uint8_t* l4, size_t l4_length,
                               size_t filler_size) {
  const uint64_t pseudo = is_v4 ? net::internal::PseudoHeaderSum(ip + 12, 8, ip[9], l4_length)
                                : net::internal::PseudoHeaderSum(ip + 8, 32, ip[6], l4_length);
  return static_cast<uint16_t>(
      ~net::ChecksumFold(net::ChecksumAdd(l4, l4_length - filler_size, pseudo)));
}

}  // namespace

size_t FrameBuilder::FrameSize(bool is_tcp, size_t payload_size) const noexcept {
  const size_t l4 = is_tcp ? kTcpHeaderSize : net::kUdpSize;
  const size_t size = net::internal::LinkSize(link_) +
                      net::internal::IpSize(target_.address.is_v4()) + l4 + payload_size;
  return std::max(size, kFrameMin);
}

size_t FrameBuilder::PayloadSize(bool is_tcp, uint32_t frame_size) const noexcept {
  const size_t headers = FrameSize(is_tcp, kFrameMin) - kFrameMin;
  const size_t wanted = frame_size - FrameSizes::kFcsSize;
  return std::max(wanted, headers + kSignatureSize) - headers;
}

size_t FrameBuilder::Udp(std::span<uint8_t> out, const ClientTuple& client,
                         const Signature& signature, size_t payload_size) const noexcept {
  const bool is_v4 = target_.address.is_v4();
  uint8_t* const ip = out.data() + net::internal::LinkSize(link_);
  uint8_t* const udp = ip + net::internal::IpSize(is_v4);
  const size_t l4_length = net::kUdpSize + payload_size;
  net::internal::WriteLink(out.data(), link_, net::internal::EtherTypeOf(is_v4));
  net::internal::WriteIp(ip, {client.address, target_.address, net::kProtocolUdp}, is_v4,
                         l4_length);
  net::Store16(udp, client.port);
  net::Store16(udp + 2, target_.port);
  net::Store16(udp + 4, static_cast<uint16_t>(l4_length));
  net::Store16(udp + kUdpChecksumAt, 0);
  const size_t filler = WritePayload({udp + net::kUdpSize, payload_size}, signature, key_);
  uint16_t checksum = ChecksumWithoutFiller(ip, is_v4, udp, l4_length, filler);
  if (checksum == 0) checksum = 0xffff;  // 0 says that there is none
  std::memcpy(udp + kUdpChecksumAt, &checksum, sizeof(checksum));
  return PadFrame(out, static_cast<size_t>(udp - out.data()) + l4_length);
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
  size_t filler = 0;
  if (payload_size > 0) filler = WritePayload({tcp + header_size, payload_size}, signature, key_);
  const uint16_t checksum = ChecksumWithoutFiller(ip, is_v4, tcp, l4_length, filler);
  std::memcpy(tcp + kTcpChecksumAt, &checksum, sizeof(checksum));
  return PadFrame(out, static_cast<size_t>(tcp - out.data()) + l4_length);
}

}  // namespace tandem::pktgen
