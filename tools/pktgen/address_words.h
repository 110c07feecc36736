// SPDX-License-Identifier: Apache-2.0
//
// An address as two words that hold its 16 bytes as they stand in a packet (IPv4 as ::ffff:a.b.c.d, like
// IpAddress), so that addresses of either family are compared and looked up in registers.
#pragma once

#include <cstdint>
#include <cstring>

#include "dataplane/base/ip_address.h"
#include "dataplane/net/parse.h"

namespace tandem::pktgen {

struct AddressWords {
  uint64_t high = 0;
  uint64_t low = 0;

  // Of an IPv4 address, in network byte order.
  uint32_t v4() const { return static_cast<uint32_t>(low >> 32); }

  friend bool operator==(const AddressWords&, const AddressWords&) = default;
};

inline AddressWords WordsOf(const uint8_t* bytes) {
  AddressWords words;
  std::memcpy(&words.high, bytes, sizeof(words.high));
  std::memcpy(&words.low, bytes + 8, sizeof(words.low));
  return words;
}
inline AddressWords WordsOf(const IpAddress& address) {
  return WordsOf(address.bytes().data());
}
// `address` in network byte order.
constexpr AddressWords WordsOfV4(uint32_t address) {
  return {0, uint64_t{address} << 32 | 0xffff0000};
}

inline AddressWords SourceWords(const net::Parsed& parsed) {
  return parsed.is_ipv6() ? WordsOf(parsed.key6.source.bytes) : WordsOfV4(parsed.key4.source);
}
inline AddressWords DestinationWords(const net::Parsed& parsed) {
  return parsed.is_ipv6() ? WordsOf(parsed.key6.destination.bytes)
                          : WordsOfV4(parsed.key4.destination);
}

}  // namespace tandem::pktgen
