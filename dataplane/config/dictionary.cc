// SPDX-License-Identifier: Apache-2.0
#include "dataplane/config/dictionary.h"

#include <endian.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/fnv.h"

namespace tandem::config {

// FNV-1a over kind and name, then a finaliser (MurmurHash3's), so that every bit counts.
uint64_t NameHash(ObjectKind kind, std::string_view name) noexcept {
  uint64_t hash = Fnv1a(name, Fnv1a(static_cast<uint8_t>(kind), kFnvStart));
  hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccd;
  hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53;
  hash ^= hash >> 33;
  return hash != 0 ? hash : 1;
}

void Dictionary::Add(ObjectKind kind, uint16_t number, const DictionaryEntry& entry) {
  TANDEM_ASSERT(number > 0);
  auto& entries = entries_[static_cast<size_t>(kind)];
  if (number >= entries.size()) entries.resize(size_t{number} + 1);
  entries[number] = entry;
}

void Dictionary::Finish() {
  for (size_t kind = 0; kind < kObjectKinds; ++kind) {
    auto& entries = entries_[kind];
    auto& numbers = numbers_[kind];
    // A hash that two share names neither: 0 marks it until all entries were seen.
    for (size_t number = 1; number < entries.size(); ++number) {
      const uint64_t hash = entries[number].name_hash;
      if (hash == 0) continue;
      const auto [it, is_new] = numbers.emplace(hash, static_cast<uint16_t>(number));
      if (!is_new) it->second = 0;
    }
    for (DictionaryEntry& entry : entries) {
      const auto it = numbers.find(entry.name_hash);
      if (it != numbers.end() && it->second == 0) entry = DictionaryEntry();
    }
    std::erase_if(numbers, [](const auto& named) { return named.second == 0; });
  }
  for (const DictionaryEntry& entry : All(ObjectKind::kMember)) {
    const bool has_word = entry.address.is_v4() && entry.port != 0;
    member_words_.push_back(has_word ? EndpointWord(entry.address.v4(), htobe16(entry.port)) : 0);
  }
}

const DictionaryEntry& Dictionary::Find(ObjectKind kind, uint16_t number) const noexcept {
  static const DictionaryEntry kNone;
  const auto& entries = entries_[static_cast<size_t>(kind)];
  return number < entries.size() ? entries[number] : kNone;
}

uint16_t Dictionary::NumberOf(ObjectKind kind, uint64_t name_hash) const noexcept {
  const auto& numbers = numbers_[static_cast<size_t>(kind)];
  const auto it = numbers.find(name_hash);
  return it != numbers.end() ? it->second : uint16_t{0};
}

}  // namespace tandem::config
