// SPDX-License-Identifier: Apache-2.0
//
// The key of a persistence record: what a profile takes from a client's packet, and how far the
// record reaches. Keys of flows that exist can be made again from the flow, except those of payload
// bytes, which UDP flows keep in their cold part (FlowCold::client_fin and server_fin, unused by UDP).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "dataplane/base/ip_address.h"
#include "dataplane/config/objects.h"

namespace tandem::persist {

inline constexpr uint32_t kScopeHash = 1U << 16;

struct Key {
  config::PersistenceId profile = 0;  // 0: none
  uint8_t size = 0;                   // of bytes: 4, 16, or 8 for a hash
  uint8_t reserved = 0;
  // Where it holds. The virtual's id; with match across services a hash of its address, at or above
  // kScopeHash; with match across virtuals 0, everywhere.
  uint32_t scope = 0;
  std::array<uint8_t, 16> bytes{};

  bool operator==(const Key&) const = default;
};
static_assert(sizeof(Key) == 24);

// What a key can be made of. Ports in network byte order.
struct Packet {
  IpAddress source;
  IpAddress destination;
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  uint8_t protocol = 0;
  std::span<const uint8_t> payload;  // of UDP, what of it is contiguous
};

// False: the packet does not have what the profile wants (payload too short, not UDP); the flow is
// balanced without persistence.
[[nodiscard]] bool MakeKey(const config::Persistence& profile,
                           const config::Virtual& virtual_server, const Packet& packet,
                           Key& key) noexcept;

// Whether keys of the profile have payload in them; they cannot be made from a flow's endpoints.
inline bool NeedsPayload(const config::Persistence& profile) noexcept {
  return profile.type == config::PersistenceType::kHash &&
         (profile.hash_fields & config::kHashPayload) != 0;
}
// A key of payload bytes as a flow keeps it, in one word that is never 0, and back.
uint64_t WordOf(const Key& key) noexcept;
Key KeyOfWord(const config::Persistence& profile, const config::Virtual& virtual_server,
              uint64_t word) noexcept;

// For choosing a member by the key alone: the same on every device, whatever its numbers.
uint64_t StableHash(const Key& key) noexcept;

}  // namespace tandem::persist
