// SPDX-License-Identifier: Apache-2.0
//
// The numbers of configured objects and the names behind them, as a peer needs them: ids are each
// device's own (config/ids.h), names are what both agree on. Carried as 64-bit hashes of kind and
// full name ("pool/address:port" for a member); a hash that two objects of one kind share leaves both
// out, and their flows stay unbound on the peer.
//
// Immutable once built.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dataplane/base/ip_address.h"
#include "dataplane/config/ids.h"

namespace tandem::config {

enum class ObjectKind : uint8_t {
  kVirtual = 1,
  kMember = 2,
  kInterface = 3,
  kTrafficGroup = 4,
  kPersistence = 5,
};
inline constexpr size_t kObjectKinds = 6;  // with the unused 0

// Stable over releases: it goes over the wire.
uint64_t NameHash(ObjectKind kind, std::string_view name) noexcept;

struct DictionaryEntry {
  uint64_t name_hash = 0;  // 0: no such object
  // A virtual's destination where it is one host and one port, a member's endpoint. Unset, or port 0:
  // flows carry it themselves.
  IpAddress address;
  uint16_t port = 0;  // host byte order
};

// An IPv4 endpoint, both parts in network byte order, in a word that is never 0: for those who compare
// many.
constexpr uint64_t EndpointWord(uint32_t address, uint16_t port) noexcept {
  return address | uint64_t{port} << 32 | uint64_t{1} << 48;
}

class Dictionary {
 public:
  // REQUIRES: number > 0.
  void Add(ObjectKind kind, uint16_t number, const DictionaryEntry& entry);
  // Call once, after the last Add.
  void Finish();

  // An entry with name_hash 0 when there is none.
  const DictionaryEntry& Find(ObjectKind kind, uint16_t number) const noexcept;
  // 0 when there is none.
  uint16_t NumberOf(ObjectKind kind, uint64_t name_hash) const noexcept;
  // By number; entries with name_hash 0 are holes.
  const std::vector<DictionaryEntry>& All(ObjectKind kind) const noexcept {
    return entries_[static_cast<size_t>(kind)];
  }
  // EndpointWord of members, by number; 0: it is not IPv4, or has no port.
  const std::vector<uint64_t>& MemberWords() const noexcept { return member_words_; }

 private:
  std::vector<DictionaryEntry> entries_[kObjectKinds];
  std::vector<uint64_t> member_words_;
  std::unordered_map<uint64_t, uint16_t> numbers_[kObjectKinds];
};

}  // namespace tandem::config
