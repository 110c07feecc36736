// SPDX-License-Identifier: Apache-2.0
//
// Header fields of a packet as translation reads and writes them: unaligned, in network byte order,
// with what each change adds to a one's complement sum (RFC 1624 equation 3: ~before + after). A
// 32-bit change is summed as one word, which is the same modulo 0xffff.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "dataplane/flow/flow.h"
#include "dataplane/net/checksum.h"

namespace tandem::nat {

inline constexpr int kIpv4TtlOffset = 8;
inline constexpr int kIpv4ChecksumOffset = 10;
inline constexpr int kIpv4SourceOffset = 12;
inline constexpr int kIpv6HopLimitOffset = 7;
inline constexpr int kIpv6SourceOffset = 8;
inline constexpr int kTcpChecksumOffset = 16;
inline constexpr int kUdpChecksumOffset = 6;
inline constexpr int kIcmpChecksumOffset = 2;
inline constexpr int kIcmpIdentifierOffset = 4;

template <class T>
T Load(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

// Writes a field and returns the change.
inline uint64_t Replace(uint8_t* bytes, uint16_t after) {
  const auto before = Load<uint16_t>(bytes);
  std::memcpy(bytes, &after, sizeof(after));
  return uint64_t{static_cast<uint16_t>(~before)} + after;
}

inline uint64_t Replace(uint8_t* bytes, uint32_t after) {
  const auto before = Load<uint32_t>(bytes);
  std::memcpy(bytes, &after, sizeof(after));
  return uint64_t{~before} + after;
}

inline uint64_t Replace(uint8_t* bytes, const net::Ipv6Bytes& after) {
  uint64_t change = 0;
  for (size_t i = 0; i < sizeof(after.bytes); i += 4) {
    change += Replace(bytes + i, Load<uint32_t>(after.bytes + i));
  }
  return change;
}

// Both addresses of an IP header, `source` pointing at the first; returns the change.
template <class Address>
uint64_t ReplaceAddresses(uint8_t* source, const Address& new_source,
                          const Address& new_destination) {
  return Replace(source, new_source) + Replace(source + sizeof(Address), new_destination);
}

// Both ports as one word, made in a register.
inline uint64_t ReplacePorts(uint8_t* l4, uint16_t source_port, uint16_t destination_port) {
  static_assert(std::endian::native == std::endian::little);
  return Replace(l4, source_port | uint32_t{destination_port} << 16);
}

// Carries `change` into the checksum at `bytes`; returns what that changes in turn.
inline uint64_t FixChecksum(uint8_t* bytes, uint64_t change) {
  const auto before = static_cast<uint16_t>(~Load<uint16_t>(bytes));
  return Replace(bytes, static_cast<uint16_t>(~net::ChecksumFold(change + before)));
}

// The same for UDP, where 0 means that there is none and 0xffff stands for a sum of 0 (RFC 768).
inline uint64_t FixUdpChecksum(uint8_t* bytes, uint64_t change) {
  if (Load<uint16_t>(bytes) == 0) return 0;
  const uint64_t caused = FixChecksum(bytes, change);
  if (Load<uint16_t>(bytes) != 0) return caused;
  return caused + Replace(bytes, uint16_t{0xffff});
}

constexpr flow::Side Opposite(flow::Side side) {
  return side == flow::Side::kClient ? flow::Side::kServer : flow::Side::kClient;
}

// What stands in a packet that came in on `side` when it leaves: the other side's key, turned round.
template <class Hot>
typename Hot::Key LeavingKey(const Hot& flow, flow::Side side) {
  const auto& other = KeyOf(flow, Opposite(side));
  return {other.destination, other.source, other.destination_port, other.source_port};
}

}  // namespace tandem::nat
