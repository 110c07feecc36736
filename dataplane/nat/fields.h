// SPDX-License-Identifier: Apache-2.0
//
// Header fields of a packet as translation reads and writes them: unaligned, in network byte order,
// with what each change adds to a one's complement sum (RFC 1624 equation 3: ~before + after). A
// 32-bit change is summed as one word, which is the same modulo 0xffff.
#pragma once

#include <bit>
#include <cstddef>
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

// In 33 bits, so that several changes can be added up.
inline uint64_t Replace(uint8_t* bytes, uint64_t after) {
  const uint64_t gone = ~Load<uint64_t>(bytes);
  std::memcpy(bytes, &after, sizeof(after));
  uint64_t sum = 0;
  const bool carries = __builtin_add_overflow(gone, after, &sum);
  sum += carries;
  return (sum & 0xffffffff) + (sum >> 32);
}

inline uint64_t Replace(uint8_t* bytes, const net::Ipv6Bytes& after) {
  return Replace(bytes, Load<uint64_t>(after.bytes)) +
         Replace(bytes + 8, Load<uint64_t>(after.bytes + 8));
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

// The same out of the key that the answer will arrive with, which has both ends the other way round.
inline uint64_t TurnAddresses(uint8_t* source, const net::FlowKey4& answer) {
  static_assert(offsetof(net::FlowKey4, source) == 0 && offsetof(net::FlowKey4, destination) == 4);
  const auto* const ends = reinterpret_cast<const uint8_t*>(&answer);
  return Replace(source, std::rotl(Load<uint64_t>(ends), 32));
}
inline uint64_t TurnAddresses(uint8_t* source, const net::FlowKey6& answer) {
  return ReplaceAddresses(source, answer.destination, answer.source);
}
template <class Key>
uint64_t TurnPorts(uint8_t* l4, const Key& answer) {
  static_assert(offsetof(Key, destination_port) == offsetof(Key, source_port) + 2);
  const auto* const ports = reinterpret_cast<const uint8_t*>(&answer) + offsetof(Key, source_port);
  return Replace(l4, std::rotl(Load<uint32_t>(ports), 16));
}

// Carries `change` into the checksum at `bytes`; returns what that changes in turn.
inline uint64_t FixChecksum(uint8_t* bytes, uint64_t change) {
  const unsigned before = Load<uint16_t>(bytes) ^ 0xffffU;
  return Replace(bytes, static_cast<uint16_t>(~net::ChecksumFold(change + before)));
}

// The same for ICMP. A message may become all zeros, which sum up to 0 and not to 0xffff: its checksum is
// 0xffff, and that serves as well where 0 would be right.
inline uint64_t FixIcmpChecksum(uint8_t* bytes, uint64_t change) {
  const uint64_t caused = FixChecksum(bytes, change);
  if (Load<uint16_t>(bytes) != 0) return caused;
  return caused + Replace(bytes, uint16_t{0xffff});
}

// The same for UDP, where 0 means that there is none and 0xffff stands for a sum of 0 (RFC 768).
inline uint64_t FixUdpChecksum(uint8_t* bytes, uint64_t change) {
  return Load<uint16_t>(bytes) == 0 ? 0 : FixIcmpChecksum(bytes, change);
}

}  // namespace tandem::nat
