// SPDX-License-Identifier: Apache-2.0
//
// TCP as the generator speaks it: flags, and the options of generated segments. The timestamps option (RFC 7323 section 3) carries the flow
// number, in TSval towards the server and in TSecr back: SYN, ACK and FIN have no payload that could, and
// their addresses and ports are translated on the way. It is masked by the run's key, so that segments of
// another run are told apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "dataplane/net/headers.h"

namespace tandem::pktgen {

inline constexpr uint8_t kTcpFin = RTE_TCP_FIN_FLAG;
inline constexpr uint8_t kTcpSyn = RTE_TCP_SYN_FLAG;
inline constexpr uint8_t kTcpRst = RTE_TCP_RST_FLAG;
inline constexpr uint8_t kTcpPsh = RTE_TCP_PSH_FLAG;
inline constexpr uint8_t kTcpAck = RTE_TCP_ACK_FLAG;

// Where the checksum stands in its header.
inline constexpr size_t kUdpChecksumAt = 6;
inline constexpr size_t kTcpChecksumAt = 16;

inline constexpr size_t kTimestampsSize = 12;  // two NOP in front
inline constexpr size_t kMssSize = 4;
inline constexpr size_t kTcpHeaderSize = net::kTcpSize + kTimestampsSize;
inline constexpr size_t kSynHeaderSize = kTcpHeaderSize + kMssSize;

// The window of all our segments, which no stack chooses: 32 bits of a stranger's option may well be a flow
// number of ours.
inline constexpr uint16_t kWindow = 65525;

// What the servers' end of every connection has in TSval.
inline constexpr uint32_t kServerTimestamp = 0x54414e44;

struct Timestamps {
  uint32_t value = 0;
  uint32_t echo = 0;
};

inline void WriteTimestamps(uint8_t* to, const Timestamps& timestamps) {
  net::Store32(to, 0x0101080a);
  net::Store32(to + 4, timestamps.value);
  net::Store32(to + 8, timestamps.echo);
}

// Where the option's 8 bytes of values stand, from the beginning of the TCP header of `header_size` bytes;
// 0 when there is none. REQUIRES: kTcpSize <= header_size bytes can be read.
inline size_t FindTimestamps(const uint8_t* tcp, size_t header_size) {
  size_t at = net::kTcpSize;
  while (at + 1 < header_size) {
    const uint8_t kind = tcp[at];
    if (kind == 0) return 0;
    if (kind == 1) {
      ++at;
      continue;
    }
    const size_t size = tcp[at + 1];
    if (size < 2 || at + size > header_size) return 0;
    if (kind == 8 && size == 10) return at + 2;
    at += size;
  }
  return 0;
}

}  // namespace tandem::pktgen
