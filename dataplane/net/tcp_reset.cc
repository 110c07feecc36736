// SPDX-License-Identifier: Apache-2.0
#include "dataplane/net/frame_writer.h"

namespace tandem::net {
namespace {

// `flags` are those of the RST; everything else is in `spec`.
size_t BuildReset(FrameBuffer out, const LinkHeader& link, const ResetSpec& spec, uint8_t flags) {
  const bool is_v4 = spec.source.is_v4();
  const size_t l3 = internal::LinkSize(link);
  const size_t l4 = l3 + internal::IpSize(is_v4);
  internal::WriteLink(out.data(), link, internal::EtherTypeOf(is_v4));
  internal::WriteIp(out.data() + l3, {spec.source, spec.destination, kProtocolTcp}, is_v4,
                    kTcpSize);
  rte_tcp_hdr tcp = {};
  tcp.src_port = spec.source_port;
  tcp.dst_port = spec.destination_port;
  tcp.sent_seq = __builtin_bswap32(spec.sequence);
  tcp.recv_ack = __builtin_bswap32(spec.acknowledgement);
  tcp.data_off = 5 << 4;
  tcp.tcp_flags = flags;
  std::memcpy(out.data() + l4, &tcp, sizeof(tcp));
  const uint16_t checksum = internal::L4Checksum(out.data() + l3, is_v4, out.data() + l4, kTcpSize);
  std::memcpy(out.data() + l4 + 16, &checksum, sizeof(checksum));
  return internal::Pad(out, l4 + kTcpSize);
}

}  // namespace

size_t BuildTcpReset(FrameBuffer out, const LinkHeader& link, const Packet& packet,
                     const Parsed& parsed) noexcept {
  if (parsed.kind != Kind::kTcp || (parsed.tcp_flags & RTE_TCP_RST_FLAG) ||
      internal::IsForGroup(parsed)) {
    return 0;
  }
  const auto& tcp = HeaderAt<rte_tcp_hdr>(packet.data, parsed.l4_offset);
  ResetSpec spec;
  spec.source = DestinationOf(parsed);
  spec.destination = SourceOf(parsed);
  spec.source_port = tcp.dst_port;
  spec.destination_port = tcp.src_port;
  // The segment named the next sequence number it would believe.
  if (parsed.tcp_flags & RTE_TCP_ACK_FLAG) {
    spec.sequence = __builtin_bswap32(tcp.recv_ack);
    return BuildReset(out, link, spec, RTE_TCP_RST_FLAG);
  }
  const uint32_t payload = parsed.l4_length - (tcp.data_off >> 4) * 4U;
  const uint32_t syn = (parsed.tcp_flags & RTE_TCP_SYN_FLAG) != 0 ? 1 : 0;
  const uint32_t fin = (parsed.tcp_flags & RTE_TCP_FIN_FLAG) != 0 ? 1 : 0;
  spec.acknowledgement = __builtin_bswap32(tcp.sent_seq) + payload + syn + fin;
  return BuildReset(out, link, spec, RTE_TCP_RST_FLAG | RTE_TCP_ACK_FLAG);
}

size_t BuildTcpReset(FrameBuffer out, const LinkHeader& link, const ResetSpec& spec) noexcept {
  return BuildReset(out, link, spec, RTE_TCP_RST_FLAG | RTE_TCP_ACK_FLAG);
}

}  // namespace tandem::net
