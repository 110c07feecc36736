// SPDX-License-Identifier: Apache-2.0
//
// The hash of a flow's key, keyed by secrets of the table's own so that nobody outside can make keys that
// collide. Two multiplications for IPv4; it has to spread keys evenly and cheaply, no more.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "dataplane/base/hash.h"
#include "dataplane/net/flow_key.h"

namespace tandem::flow {

inline uint64_t Word(const uint8_t* bytes) {
  uint64_t result = 0;
  std::memcpy(&result, bytes, sizeof(result));
  return result;
}

// Every factor holds a secret: with a known one, a key that makes it zero would make all its
// companions collide.
using Secrets = std::array<uint64_t, 4>;

// `ports`: both of a key, as they lie in memory.
inline uint64_t Tail(uint64_t addresses, const uint16_t* ports, uint8_t protocol,
                     const Secrets& secrets) {
  uint32_t both = 0;
  std::memcpy(&both, ports, sizeof(both));
  const uint64_t rest = both | uint64_t{protocol} << 32;
  return MultiplyFold(MultiplyFold(addresses ^ secrets[0], rest ^ secrets[1]) ^ secrets[2],
                      0xe7037ed1a0b428db);
}

inline uint64_t HashKey(const net::FlowKey4& key, uint8_t protocol, const Secrets& secrets) {
  const uint64_t addresses = Word(reinterpret_cast<const uint8_t*>(&key));
  return Tail(addresses, &key.source_port, protocol, secrets);
}

inline uint64_t HashKey(const net::FlowKey6& key, uint8_t protocol, const Secrets& secrets) {
  const uint8_t* const source = key.source.bytes;
  const uint8_t* const destination = key.destination.bytes;
  const uint64_t from = MultiplyFold(Word(source) ^ secrets[2], Word(source + 8) ^ secrets[3]);
  const uint64_t to =
      MultiplyFold(Word(destination) ^ secrets[3], Word(destination + 8) ^ secrets[1]);
  return Tail(from ^ std::rotl(to, 32), &key.source_port, protocol, secrets);
}

}  // namespace tandem::flow
