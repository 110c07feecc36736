// SPDX-License-Identifier: Apache-2.0
//
// ICMP errors about packets that cannot be forwarded.
#include "dataplane/net/frame_writer.h"

namespace tandem::net {
namespace {

// RFC 1812 section 4.3.2.3: as much of the packet as fits a datagram of 576 bytes. RFC 4443 section
// 2.4 (c) allows 1280; FrameBuffer is the tighter bound.
constexpr size_t kIpv4ErrorMax = 576;

struct TypeAndCode {
  uint8_t type;
  uint8_t code;
};

TypeAndCode Ipv4TypeOf(IcmpErrorKind kind) {
  switch (kind) {
    case IcmpErrorKind::kPortUnreachable:
      return {kIcmpUnreachable, 3};
    case IcmpErrorKind::kHostUnreachable:
      return {kIcmpUnreachable, 1};
    case IcmpErrorKind::kAdminProhibited:
      return {kIcmpUnreachable, 13};
    case IcmpErrorKind::kTimeExceeded:
      return {kIcmpTimeExceeded, 0};
    case IcmpErrorKind::kTooBig:
      return {kIcmpUnreachable, 4};
  }
  return {kIcmpUnreachable, 1};
}

TypeAndCode Ipv6TypeOf(IcmpErrorKind kind) {
  switch (kind) {
    case IcmpErrorKind::kPortUnreachable:
      return {kIcmpv6Unreachable, 4};
    case IcmpErrorKind::kHostUnreachable:
      return {kIcmpv6Unreachable, 3};
    case IcmpErrorKind::kAdminProhibited:
      return {kIcmpv6Unreachable, 1};
    case IcmpErrorKind::kTimeExceeded:
      return {kIcmpv6TimeExceeded, 0};
    case IcmpErrorKind::kTooBig:
      return {kIcmpv6TooBig, 0};
  }
  return {kIcmpv6Unreachable, 3};
}

// RFC 1122 section 3.2.2 and RFC 4443 section 2.4 (e) count redirects among the errors.
bool IsErrorLike(const Packet& packet, const Parsed& parsed) {
  if (parsed.kind == Kind::kIcmpError) return true;
  if (parsed.kind != Kind::kIcmpOther) return false;
  const uint8_t type = packet.data[parsed.l4_offset];
  if (parsed.is_ipv6()) return type < kIcmpv6EchoRequest || type == kIcmpv6Redirect;
  return type == kIcmpSourceQuench || type == kIcmpRedirect;
}

// The source must name one host; Parse has refused every other kind but class E (RFC 1122).
bool MayAnswer(const Packet& packet, const Parsed& parsed) {
  if (parsed.kind == Kind::kNone || parsed.kind == Kind::kArp || parsed.kind == Kind::kNd) {
    return false;
  }
  if (IsErrorLike(packet, parsed) || internal::IsForGroup(parsed)) return false;
  return parsed.is_ipv6() || (parsed.key4.source & 0xf0) != 0xf0;
}

}  // namespace

size_t BuildIcmpError(FrameBuffer out, const LinkHeader& link, const IpAddress& source,
                      const Packet& packet, const Parsed& parsed, IcmpErrorKind kind,
                      uint16_t mtu) noexcept {
  const bool is_v4 = !parsed.is_ipv6();
  if (!MayAnswer(packet, parsed) || source.is_v4() != is_v4) return 0;
  const size_t l3 = internal::LinkSize(link);
  const size_t l4 = l3 + internal::IpSize(is_v4);
  const size_t frame_max = is_v4 ? l3 + kIpv4ErrorMax : out.size();
  const size_t readable = std::min(packet.contiguous, packet.length) - parsed.l3_offset;
  const size_t quote = std::min({size_t{parsed.ip_length}, readable, frame_max - l4 - kIcmpSize});
  const size_t l4_length = kIcmpSize + quote;
  internal::IpSpec ip{source, SourceOf(parsed)};
  ip.protocol = is_v4 ? kProtocolIcmp : kProtocolIcmpv6;
  ip.tos = internal::kTosInternetControl;
  internal::WriteLink(out.data(), link, internal::EtherTypeOf(is_v4));
  internal::WriteIp(out.data() + l3, ip, is_v4, l4_length);
  uint8_t* icmp = out.data() + l4;
  const TypeAndCode type = is_v4 ? Ipv4TypeOf(kind) : Ipv6TypeOf(kind);
  std::memset(icmp, 0, kIcmpSize);
  icmp[0] = type.type;
  icmp[1] = type.code;
  // RFC 1191 section 4 puts the MTU into the low half of the word, RFC 4443 section 3.2 takes all.
  if (kind == IcmpErrorKind::kTooBig) Store16(icmp + 6, mtu);
  std::memcpy(icmp + kIcmpSize, packet.data + parsed.l3_offset, quote);
  const uint16_t checksum = is_v4
                                ? static_cast<uint16_t>(~ChecksumFold(ChecksumAdd(icmp, l4_length)))
                                : internal::L4Checksum(out.data() + l3, false, icmp, l4_length);
  std::memcpy(icmp + 2, &checksum, sizeof(checksum));
  return internal::Pad(out, l4 + l4_length);
}

}  // namespace tandem::net
