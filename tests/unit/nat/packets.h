// SPDX-License-Identifier: Apache-2.0
//
// Random flows and packets of them for the tests of translation, with checksums computed the long
// way: byte by byte, over the whole packet, sharing no code with what is tested.
#pragma once

#include <arpa/inet.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "dataplane/base/prng.h"
#include "dataplane/flow/flow.h"
#include "dataplane/net/packet.h"
#include "dataplane/net/parse.h"
#include "tests/support/packet_builder.h"

namespace tandem::nat::test {

using tandem::test::Bytes;

inline constexpr uint8_t kIcmp = 1;
inline constexpr uint8_t kTcp = 6;
inline constexpr uint8_t kUdp = 17;
inline constexpr uint8_t kGre = 47;
inline constexpr uint8_t kIcmpv6 = 58;

inline uint16_t Get16(const Bytes& bytes, size_t at) {
  return static_cast<uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}
inline void Set16(Bytes& bytes, size_t at, uint16_t value) {
  bytes[at] = static_cast<uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<uint8_t>(value);
}
// One's complement sum of big-endian words, folded.
inline uint16_t Sum(const Bytes& bytes, size_t begin, size_t end, uint32_t sum = 0) {
  for (size_t i = begin; i < end; ++i) {
    sum += i % 2 == begin % 2 ? static_cast<uint32_t>(bytes[i]) << 8 : uint32_t{bytes[i]};
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<uint16_t>(sum);
}

// Sum over pseudo header (RFC 9293 section 3.1, RFC 8200 section 8.1) and L4; 0xffff when valid.
inline uint16_t L4Sum(const Bytes& bytes, const net::Parsed& parsed) {
  const size_t end = parsed.l4_offset + parsed.l4_length;
  if (parsed.protocol == kIcmp) return Sum(bytes, parsed.l4_offset, end);
  const size_t source = parsed.l3_offset + (parsed.is_ipv6() ? 8U : 12U);
  const uint32_t addresses = Sum(bytes, source, source + (parsed.is_ipv6() ? 32U : 8U));
  const uint32_t lengths = (parsed.l4_length >> 16) + (parsed.l4_length & 0xffff);
  return Sum(bytes, parsed.l4_offset, end, addresses + lengths + parsed.protocol);
}

inline bool IsIpSumGood(const Bytes& bytes, const net::Parsed& parsed) {
  const size_t length = (bytes[parsed.l3_offset] & 0xfU) * 4U;
  return parsed.is_ipv6() || Sum(bytes, parsed.l3_offset, parsed.l3_offset + length) == 0xffff;
}

inline size_t ChecksumOffset(const net::Parsed& parsed) {
  return parsed.l4_offset + (parsed.protocol == kTcp ? 16U : parsed.protocol == kUdp ? 6U : 2U);
}

inline net::Packet PacketOf(Bytes& bytes) {
  net::Packet packet;
  packet.data = bytes.data();
  packet.length = static_cast<uint32_t>(bytes.size());
  packet.contiguous = packet.length;
  return packet;
}

inline net::Parsed ParseOf(Bytes& bytes) {
  net::Parsed parsed;
  net::Parse(PacketOf(bytes), parsed);
  return parsed;
}

inline const net::FlowKey4& KeyIn(const net::Parsed& parsed, const flow::FlowHot4&) {
  return parsed.key4;
}
inline const net::FlowKey6& KeyIn(const net::Parsed& parsed, const flow::FlowHot6&) {
  return parsed.key6;
}

inline void RandomAddress(Prng& prng, uint32_t& address) {
  // 1.x.x.x to 126.x.x.x: nothing that Parse refuses.
  const uint8_t bytes[4] = {
      static_cast<uint8_t>(1 + prng.Below(126)), static_cast<uint8_t>(prng.Below(256)),
      static_cast<uint8_t>(prng.Below(256)), static_cast<uint8_t>(prng.Below(256))};
  std::memcpy(&address, bytes, 4);
  if (bytes[0] < 20) address |= htonl(0x00ffff00);  // runs of ones
}
inline void RandomAddress(Prng& prng, net::Ipv6Bytes& address) {
  for (uint8_t& byte : address.bytes) {
    byte = static_cast<uint8_t>(prng.Below(4) == 0 ? 0xff * prng.Below(2) : prng.Below(256));
  }
  address.bytes[0] = 0x20;
}

// Keys of both sides, as packets arrive; for ICMP `protocol` the identifiers of an echo.
template <class Hot>
Hot RandomFlow(Prng& prng, uint8_t protocol) {
  Hot flow;
  RandomAddress(prng, flow.client.source);
  RandomAddress(prng, flow.client.destination);
  RandomAddress(prng, flow.server.source);
  RandomAddress(prng, flow.server.destination);
  flow.common.protocol = protocol;
  const auto port = [&] { return static_cast<uint16_t>(prng.Next() >> 20); };
  if (protocol == kTcp || protocol == kUdp) {
    flow.client.source_port = port();
    flow.client.destination_port = port();
    flow.server.source_port = port();
    flow.server.destination_port = port();
  } else if (protocol == kIcmp || protocol == kIcmpv6) {
    flow.client.source_port = port();
    flow.server.destination_port = port();
  }
  return flow;
}

struct Shape {
  bool vlan = false;
  size_t options = 0;  // IPv4: words; IPv6: extension headers of 8 bytes
  size_t payload = 1;  // bytes
  uint8_t ttl = 64;
  bool udp_checksum = true;
};

inline Shape RandomShape(Prng& prng) {
  return {.vlan = prng.Below(2) == 0,
          .options = prng.Below(3),
          .payload = 1 + prng.Below(prng.Below(4) == 0 ? 1400 : 40),
          .ttl = static_cast<uint8_t>(2 + prng.Below(254)),
          .udp_checksum = true};
}

inline IpAddress ToIpAddress(uint32_t address) {
  return IpAddress::V4(address);
}
inline IpAddress ToIpAddress(const net::Ipv6Bytes& address) {
  return IpAddress::V6(address.bytes);
}

// Link and IP layer.
template <class Key>
tandem::test::PacketBuilder Headers(const Key& key, const Shape& shape) {
  tandem::test::PacketBuilder builder;
  builder.IpPair(ToIpAddress(key.source), ToIpAddress(key.destination)).Ttl(shape.ttl);
  if (shape.vlan) builder.Vlan(77);
  if (sizeof(Key) == sizeof(net::FlowKey4)) {
    builder.Ipv4Options(Bytes(4 * shape.options, 1));  // no operation
  } else {
    const Bytes padding = {1, 4, 0, 0, 0, 0};
    for (size_t i = 0; i < shape.options; ++i)
      builder.Extension(60, padding);
  }
  return builder;
}

// A packet with `key`, every checksum right.
template <class Key>
Bytes Build(Prng& prng, const Key& key, uint8_t protocol, bool is_reply, const Shape& shape) {
  tandem::test::PacketBuilder builder = Headers(key, shape);
  const uint16_t source_port = ntohs(key.source_port);
  const uint16_t destination_port = ntohs(key.destination_port);
  if (protocol == kTcp) {
    builder.Tcp(source_port, destination_port, tandem::test::kAck);
  } else if (protocol == kUdp) {
    builder.Udp(source_port, destination_port);
    if (!shape.udp_checksum) builder.NoUdpChecksum();
  } else if (protocol == kGre) {
    builder.Protocol(kGre);
  } else if (is_reply) {
    builder.EchoReply(destination_port);
  } else {
    builder.EchoRequest(source_port);
  }
  Bytes payload;
  for (size_t i = 0; i < shape.payload; ++i) {
    payload.push_back(static_cast<uint8_t>(prng.Below(256)));
  }
  return builder.Payload(payload).Build();
}

}  // namespace tandem::nat::test
