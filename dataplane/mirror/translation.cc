// SPDX-License-Identifier: Apache-2.0
#include "dataplane/mirror/translation.h"

#include <utility>

namespace tandem::mirror {
namespace {

using config::Dictionary;
using config::ObjectKind;

std::vector<uint16_t> Join(ObjectKind kind, const Dictionary& peers, const Dictionary& ours) {
  const auto& entries = peers.All(kind);
  std::vector<uint16_t> map(entries.size());
  for (size_t number = 1; number < entries.size(); ++number) {
    if (entries[number].name_hash != 0)
      map[number] = ours.NumberOf(kind, entries[number].name_hash);
  }
  return map;
}

}  // namespace

std::unique_ptr<const Translation> MakeTranslation(std::shared_ptr<const Dictionary> peer,
                                                   uint64_t incarnation, uint32_t version,
                                                   const config::Snapshot& snapshot) {
  auto translation = std::make_unique<Translation>();
  const Dictionary& ours = *snapshot.dictionary;
  translation->virtuals = Join(ObjectKind::kVirtual, *peer, ours);
  translation->members = Join(ObjectKind::kMember, *peer, ours);
  translation->interfaces = Join(ObjectKind::kInterface, *peer, ours);
  translation->persistences = Join(ObjectKind::kPersistence, *peer, ours);
  translation->peer = std::move(peer);
  translation->incarnation = incarnation;
  translation->version = static_cast<uint16_t>(version);
  translation->snapshot_generation = snapshot.generation;
  return translation;
}

}  // namespace tandem::mirror
