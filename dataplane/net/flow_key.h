// SPDX-License-Identifier: Apache-2.0
//
// The key of one leg of a flow: addresses and ports exactly as they stand in an arriving packet,
// all in network byte order. The protocol is kept beside it. For an ICMP query the identifier takes
// the place of the source port in a request and of the destination port in a reply; the other port
// is 0, as are both for protocols without ports.
#pragma once

#include <cstdint>
#include <cstring>

namespace tandem::net {

struct FlowKey4 {
  uint32_t source = 0;
  uint32_t destination = 0;
  uint16_t source_port = 0;
  uint16_t destination_port = 0;

  // Two words rather than four fields: this is the last step of every lookup.
  friend bool operator==(const FlowKey4& a, const FlowKey4& b) {
    uint64_t addresses_a = 0;
    uint64_t addresses_b = 0;
    uint32_t ports_a = 0;
    uint32_t ports_b = 0;
    std::memcpy(&addresses_a, &a.source, 8);
    std::memcpy(&addresses_b, &b.source, 8);
    std::memcpy(&ports_a, &a.source_port, 4);
    std::memcpy(&ports_b, &b.source_port, 4);
    return ((addresses_a ^ addresses_b) | (ports_a ^ ports_b)) == 0;
  }
};
static_assert(sizeof(FlowKey4) == 12);

struct Ipv6Bytes {
  uint8_t bytes[16] = {};

  friend bool operator==(const Ipv6Bytes& a, const Ipv6Bytes& b) {
    return std::memcmp(a.bytes, b.bytes, 16) == 0;
  }
};

struct FlowKey6 {
  Ipv6Bytes source;
  Ipv6Bytes destination;
  uint16_t source_port = 0;
  uint16_t destination_port = 0;

  friend bool operator==(const FlowKey6&, const FlowKey6&) = default;
};
static_assert(sizeof(FlowKey6) == 36);

}  // namespace tandem::net
