// SPDX-License-Identifier: Apache-2.0
#include "dataplane/persist/key.h"

#include <netinet/in.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "dataplane/base/hash.h"

namespace tandem::persist {
namespace {

using config::Persistence;
using config::PersistenceType;
using config::Virtual;

// Constants of the keys: both devices of a pair have to make the same.
constexpr uint64_t kScopeSeed = 0x9ae16a3b2f90404f;
constexpr uint64_t kKeySeed = 0xc949c7defeb0a4d5;
constexpr uint64_t kStableSeed = 0x3c6ef372fe94f82a;

uint64_t HashOf(const IpAddress& address, uint64_t seed) {
  const IpAddress::Halves halves = address.halves();
  return HashPair(halves[0], halves[1], seed);
}

uint64_t HashOf(std::span<const uint8_t> bytes, uint64_t seed) {
  uint64_t hash = ~seed;
  for (size_t at = 0; at < bytes.size(); at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, std::min<size_t>(8, bytes.size() - at));
    hash = HashPair(hash, word, seed + bytes.size());
  }
  return hash;
}

uint32_t ScopeOf(const Persistence& profile, const Virtual& virtual_server) {
  if (profile.match_across_virtuals) return 0;
  if (!profile.match_across_services) return virtual_server.id;
  const IpPrefix& destination = virtual_server.destination;
  const uint64_t hash = HashPair(HashOf(destination.address, kScopeSeed), destination.length, 0);
  return kScopeHash + static_cast<uint32_t>(hash % (UINT32_MAX - kScopeHash));
}

// Whole words: they are read as such soon, and a piece written into one would have to be waited for.
void PutAddress(const Persistence& profile, const IpAddress& address, Key& key) {
  const bool is_v4 = address.is_v4();
  const IpAddress::Halves host =
      IpPrefix::HostBits(is_v4, is_v4 ? profile.mask_ipv4 : profile.mask_ipv6);
  IpAddress::Halves halves = address.halves();
  halves[0] &= ~host[0];
  halves[1] &= ~host[1];
  if (is_v4) {
    // Its four bytes are the last of the address, and the first of the key.
    halves[0] = std::endian::native == std::endian::little ? halves[1] >> 32 : halves[1] << 32;
    halves[1] = 0;
  }
  key.size = is_v4 ? 4 : 16;
  key.bytes = std::bit_cast<std::array<uint8_t, 16>>(halves);
}

void PutWord(uint64_t word, Key& key) {
  key.size = 8;
  std::memcpy(key.bytes.data(), &word, 8);
}

bool PutHash(const Persistence& profile, const Packet& packet, Key& key) {
  const uint8_t fields = profile.hash_fields;
  uint64_t hash = fields;
  const auto mix = [&hash](uint64_t value) { hash = HashPair(hash, value, kKeySeed); };
  if ((fields & config::kHashSourceAddress) != 0) mix(HashOf(packet.source, kKeySeed));
  if ((fields & config::kHashDestinationAddress) != 0) mix(HashOf(packet.destination, kKeySeed));
  if ((fields & config::kHashSourcePort) != 0) mix(ntohs(packet.source_port));
  if ((fields & config::kHashDestinationPort) != 0) mix(ntohs(packet.destination_port));
  if ((fields & config::kHashProtocol) != 0) mix(packet.protocol);
  if ((fields & config::kHashPayload) != 0) {
    const size_t end = size_t{profile.payload_offset} + profile.payload_length;
    if (packet.protocol != IPPROTO_UDP || packet.payload.size() < end) return false;
    mix(HashOf(packet.payload.subspan(profile.payload_offset, profile.payload_length), kKeySeed));
  }
  PutWord(hash != 0 ? hash : 1, key);
  return true;
}

}  // namespace

bool MakeKey(const Persistence& profile, const Virtual& virtual_server, const Packet& packet,
             Key& key) noexcept {
  key.profile = profile.id;
  key.scope = ScopeOf(profile, virtual_server);
  key.bytes = {};
  switch (profile.type) {
    case PersistenceType::kSourceAddress:
      PutAddress(profile, packet.source, key);
      return true;
    case PersistenceType::kDestinationAddress:
      PutAddress(profile, packet.destination, key);
      return true;
    case PersistenceType::kHash:
      return PutHash(profile, packet, key);
  }
  return false;
}

uint64_t WordOf(const Key& key) noexcept {
  uint64_t word = 0;
  std::memcpy(&word, key.bytes.data(), 8);
  return word;
}

Key KeyOfWord(const Persistence& profile, const Virtual& virtual_server, uint64_t word) noexcept {
  Key key{.profile = profile.id, .scope = ScopeOf(profile, virtual_server)};
  PutWord(word, key);
  return key;
}

uint64_t StableHash(const Key& key) noexcept {
  uint64_t halves[2];
  std::memcpy(halves, key.bytes.data(), sizeof(halves));
  return HashPair(halves[0], halves[1], kStableSeed + key.size);
}

}  // namespace tandem::persist
