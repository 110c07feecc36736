// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a frame: Parse and everything that trusts its result. Input: one byte of packet
// flags (low nibble) and headroom (high nibble), one byte that cuts the readable part short (0 for
// not at all), then the frame.
#include <array>
#include <cstring>
#include <string>

#include "dataplane/base/assert.h"
#include "dataplane/net/frame.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/link.h"
#include "dataplane/net/parse.h"
#include "dataplane/net/parse_common.h"
#include "tests/support/frame_check.h"
#include "tests/support/packet_builder.h"
#include "tests/support/parsed_check.h"
#include "tests/support/test_packet.h"

namespace {

using namespace tandem;
using namespace tandem::net;
using test::Bytes;
using test::TestPacket;

const LinkHeader kPlainLink{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, kUntagged};
const LinkHeader kTaggedLink{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, 4094};

bool SameKey(const Parsed& a, const Parsed& b) {
  if (a.is_ipv6() != b.is_ipv6()) return false;
  return a.is_ipv6() ? a.key6 == b.key6 : a.key4 == b.key4;
}

size_t HeaderSizeMin(Kind kind) {
  switch (kind) {
    case Kind::kTcp:
      return kTcpSize;
    case Kind::kUdp:
      return kUdpSize;
    case Kind::kIcmpQuery:
    case Kind::kIcmpError:
    case Kind::kIcmpOther:
      return kIcmpSize;
    case Kind::kNd:
      return kNdSize;
    case Kind::kNone:
    case Kind::kArp:
    case Kind::kIpOther:
      return 0;
  }
  return 0;
}

void CheckOffsets(const Packet& packet, const Parsed& parsed) {
  TANDEM_ASSERT((parsed.kind == Kind::kNone) == (parsed.drop != DropReason::kNone));
  if (parsed.kind == Kind::kNone) return;
  TANDEM_ASSERT(parsed.l3_offset == kEthernetSize ||
                parsed.l3_offset == kEthernetSize + kVlanTagSize);
  if (parsed.kind == Kind::kArp) {
    TANDEM_ASSERT(parsed.l3_offset + kArpSize <= packet.contiguous);
    return;
  }
  TANDEM_ASSERT(parsed.l3_offset + parsed.ip_length <= packet.length);
  TANDEM_ASSERT(parsed.l4_offset + parsed.l4_length == parsed.l3_offset + parsed.ip_length);
  TANDEM_ASSERT(parsed.l4_length >= HeaderSizeMin(parsed.kind));
  size_t header_size = HeaderSizeMin(parsed.kind);
  if (parsed.kind == Kind::kTcp) {
    header_size = (packet.data[parsed.l4_offset + 12] >> 4) * size_t{4};
    TANDEM_ASSERT(header_size >= kTcpSize && header_size <= parsed.l4_length);
  }
  TANDEM_ASSERT(parsed.l4_offset + header_size <= packet.contiguous);
  if (parsed.kind != Kind::kNd) TANDEM_ASSERT(parsed.l4_offset + header_size <= kHeadersMax);
}

// Parse writes all of its result, whatever was in it before.
void CheckRepeatable(const Packet& packet, const Parsed& parsed) {
  Parsed again;
  std::memset(static_cast<void*>(&again), 0xa5, sizeof(again));
  Parse(packet, again);
  TANDEM_ASSERT(again.kind == parsed.kind && again.drop == parsed.drop);
  TANDEM_ASSERT(again.flags == parsed.flags && again.vlan == parsed.vlan);
  if (parsed.kind == Kind::kNone || parsed.kind == Kind::kArp) return;
  TANDEM_ASSERT(again.l4_offset == parsed.l4_offset && again.tcp_flags == parsed.tcp_flags);
  TANDEM_ASSERT(SameKey(again, parsed));
}

// The short way through the parser says the same as the long one.
void CheckCommon(const Packet& packet) {
  Parsed common;
  if (!ParseCommon(packet, common)) return;
  Parsed any;
  ParseAny(packet, any);
  TANDEM_ASSERT(test::IsSame(common, any));
}

// A frame of our own: whole, right, and one that Parse takes (or finds to be a land packet, when the
// input has set a trap with our own address).
Parsed CheckBuilt(const Bytes& frame) {
  TANDEM_ASSERT(frame.size() >= kFrameMin && frame.size() <= kOriginatedFrameMax);
  TANDEM_ASSERT(test::Complaint(frame).empty());
  const TestPacket built(frame);
  Parsed parsed;
  Parse(built.packet(), parsed);
  TANDEM_ASSERT(parsed.drop == DropReason::kNone || parsed.drop == DropReason::kLand);
  return parsed;
}

void CheckReset(const Packet& packet, const Parsed& parsed) {
  std::array<uint8_t, kOriginatedFrameMax> out;
  const size_t size = BuildTcpReset(out, kTaggedLink, packet, parsed);
  if (size == 0) return;
  const Parsed built = CheckBuilt(Bytes(out.data(), out.data() + size));
  TANDEM_ASSERT(built.kind == Kind::kTcp);
  TANDEM_ASSERT(parsed.is_ipv6() ? built.key6.destination == parsed.key6.source
                                 : built.key4.destination == parsed.key4.source);
}

void CheckIcmpError(const Packet& packet, const Parsed& parsed) {
  const IpAddress source = test::Ip(parsed.is_ipv6() ? "2001:db8:ffff::1" : "192.0.2.1");
  for (const auto kind : {IcmpErrorKind::kPortUnreachable, IcmpErrorKind::kTooBig}) {
    std::array<uint8_t, kOriginatedFrameMax> out;
    const size_t size = BuildIcmpError(out, kPlainLink, source, packet, parsed, kind, 1400);
    if (size == 0) return;
    const TestPacket frame(Bytes(out.data(), out.data() + size));
    const Parsed built = CheckBuilt(frame.bytes());
    if (built.drop != DropReason::kNone) return;
    TANDEM_ASSERT(built.kind == Kind::kIcmpError);
    Parsed quoted;
    ParseQuoted(frame.packet(), built, quoted);
    // What carried ports or an identifier is found again. IPv6 headers behind a long chain are not.
    if (quoted.drop == DropReason::kNone) {
      TANDEM_ASSERT(SameKey(quoted, parsed));
    } else {
      TANDEM_ASSERT(parsed.is_ipv6() || HeaderSizeMin(parsed.kind) == 0);
    }
  }
}

void CheckQuoted(const Packet& packet, const Parsed& parsed) {
  Parsed quoted;
  ParseQuoted(packet, parsed, quoted);
  TANDEM_ASSERT((quoted.kind == Kind::kNone) == (quoted.drop != DropReason::kNone));
  if (quoted.drop != DropReason::kNone) return;
  TANDEM_ASSERT(quoted.l3_offset == parsed.l4_offset + kIcmpSize);
  TANDEM_ASSERT(quoted.l4_offset + size_t{8} <= packet.contiguous);
  TANDEM_ASSERT(quoted.l4_offset + size_t{8} <= parsed.l4_offset + parsed.l4_length);
}

// What was read, written and read again is the same.
void CheckArp(const Packet& packet, const Parsed& parsed) {
  ArpPacket arp;
  if (ReadArp(packet, parsed, arp) != DropReason::kNone) return;
  std::array<uint8_t, kOriginatedFrameMax> out;
  const size_t size = BuildArp(out, kTaggedLink, arp);
  const TestPacket frame(Bytes(out.data(), out.data() + size));
  const Parsed built = CheckBuilt(frame.bytes());
  ArpPacket again;
  TANDEM_ASSERT(ReadArp(frame.packet(), built, again) == DropReason::kNone);
  TANDEM_ASSERT(again.is_request == arp.is_request && again.sender == arp.sender &&
                again.target == arp.target && again.sender_mac == arp.sender_mac &&
                again.target_mac == arp.target_mac);
}

void CheckNd(const Packet& packet, const Parsed& parsed) {
  NdPacket nd;
  if (ReadNd(packet, parsed, nd) != DropReason::kNone) return;
  std::array<uint8_t, kOriginatedFrameMax> out;
  const size_t size = BuildNd(out, kPlainLink, nd);
  const TestPacket frame(Bytes(out.data(), out.data() + size));
  const Parsed built = CheckBuilt(frame.bytes());
  NdPacket again;
  TANDEM_ASSERT(built.kind == Kind::kNd);
  TANDEM_ASSERT(ReadNd(frame.packet(), built, again) == DropReason::kNone);
  TANDEM_ASSERT(again.is_solicitation == nd.is_solicitation && again.target == nd.target &&
                again.has_link_address == nd.has_link_address &&
                again.link_address == nd.link_address && again.is_solicited == nd.is_solicited &&
                again.is_override == nd.is_override && again.is_router == nd.is_router);
}

void CheckEcho(TestPacket& frame, const Parsed& parsed) {
  const std::string before = test::Complaint(frame.bytes());
  EchoReplyInPlace(frame.packet(), parsed, DestinationOf(parsed));
  if (frame.packet().contiguous == frame.packet().length) {
    TANDEM_ASSERT(test::Complaint(frame.bytes()) == before);
  }
}

// Another link header leaves the IP packet as it was, and the frame parses as before.
void CheckLink(TestPacket& frame, Parsed parsed, const LinkHeader& link) {
  const Bytes before = frame.bytes();
  const size_t l3_before = parsed.l3_offset;
  const Packet packet_before = frame.packet();
  if (!SetLink(frame.packet(), parsed, link)) {
    TANDEM_ASSERT(frame.bytes() == before);
    return;
  }
  const Bytes after = frame.bytes();
  const Packet& packet = frame.packet();
  TANDEM_ASSERT(packet.data + parsed.l3_offset == packet_before.data + l3_before);
  TANDEM_ASSERT(Bytes(after.begin() + parsed.l3_offset, after.end()) ==
                Bytes(before.begin() + static_cast<ptrdiff_t>(l3_before), before.end()));
  Parsed again;
  Parse(packet, again);
  TANDEM_ASSERT(again.kind == parsed.kind && again.vlan == link.vlan &&
                again.l3_offset == parsed.l3_offset);
  if (parsed.kind == Kind::kArp) return;
  TANDEM_ASSERT(again.l4_offset == parsed.l4_offset && SameKey(again, parsed));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const Bytes bytes(data + 2, data + size);
  const size_t contiguous = data[1] == 0 ? bytes.size() : std::min<size_t>(bytes.size(), data[1]);
  TestPacket frame = TestPacket::Split(bytes, contiguous, data[0] >> 4);
  Packet& packet = frame.packet();
  packet.flags = data[0] & 0x0f;
  Parsed parsed;
  Parse(packet, parsed);
  CheckOffsets(packet, parsed);
  CheckRepeatable(packet, parsed);
  CheckCommon(packet);
  if (parsed.kind == Kind::kNone) return 0;
  if (parsed.kind == Kind::kTcp) {
    TANDEM_ASSERT(ParseTcpSynOptions(packet, parsed).window_scale <= 14);
  }
  CheckReset(packet, parsed);
  CheckIcmpError(packet, parsed);
  if (parsed.kind == Kind::kIcmpError) CheckQuoted(packet, parsed);
  if (parsed.kind == Kind::kArp) CheckArp(packet, parsed);
  if (parsed.kind == Kind::kNd) CheckNd(packet, parsed);
  CheckLink(frame, parsed, kTaggedLink);
  Parse(packet, parsed);
  CheckLink(frame, parsed, kPlainLink);
  Parse(packet, parsed);
  if (parsed.kind == Kind::kIcmpQuery && !(parsed.flags & kIcmpReply)) CheckEcho(frame, parsed);
  return 0;
}
