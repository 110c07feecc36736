// SPDX-License-Identifier: Apache-2.0
//
// What the mirrored flows of a range of slots add up to: equal on both devices when the flows are.
// Objects count by the hashes of their names, for numbers are each device's own. Age and what only
// one device knows of a flow do not count. A sum, so that the order of slots means nothing.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "dataplane/base/hash.h"
#include "dataplane/config/dictionary.h"
#include "dataplane/flow/flow.h"
#include "dataplane/flow/register.h"
#include "dataplane/mirror/flow_batch.h"

namespace tandem::mirror {

// Whose numbers the flow's ids are; nullptr: nobody's, they count as 0.
template <class Hot>
uint64_t DigestOf(uint32_t logical, flow::Register value, const Hot& hot,
                  const config::Dictionary* dictionary) noexcept {
  using config::ObjectKind;
  constexpr uint64_t kSeed = 0x8ebc6af09c88c6e3;
  const flow::FlowCommon& common = hot.common;
  std::array<uint64_t, (2 * sizeof(typename Hot::Key) + 7) / 8> keys{};
  std::memcpy(keys.data(), &hot.client, sizeof(hot.client));
  std::memcpy(reinterpret_cast<char*>(keys.data()) + sizeof(hot.client), &hot.server,
              sizeof(hot.server));
  uint64_t mac = 0;
  std::memcpy(&mac, common.client_mac.data(), common.client_mac.size());
  const auto flags = static_cast<uint16_t>(common.flags & kMirroredFlags);
  uint64_t sum = HashPair(uint64_t{logical} << 8 | common.protocol, value, kSeed);
  sum = HashPair(sum, mac << 16 | flags, kSeed + static_cast<uint64_t>(common.state));
  for (const uint64_t word : keys)
    sum = HashPair(sum, word, kSeed);
  if (dictionary == nullptr) return sum;
  sum = HashPair(sum, dictionary->Find(ObjectKind::kVirtual, common.virtual_id).name_hash, kSeed);
  sum = HashPair(sum, dictionary->Find(ObjectKind::kMember, common.member_id).name_hash, kSeed);
  const uint16_t interface = common.client_interface;
  return HashPair(sum, dictionary->Find(ObjectKind::kInterface, interface).name_hash, kSeed);
}

}  // namespace tandem::mirror
