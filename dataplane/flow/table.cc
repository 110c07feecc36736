// SPDX-License-Identifier: Apache-2.0
#include "dataplane/flow/table.h"

#include <bit>
#include <cstring>

#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"

namespace tandem::flow {
namespace {

constexpr Index::Reference ReferenceOf(uint32_t slot, Side side) {
  return slot << 1 | static_cast<uint32_t>(side);
}
constexpr uint32_t SlotOf(Index::Reference reference) {
  return reference >> 1;
}
constexpr Side SideOf(Index::Reference reference) {
  return static_cast<Side>(reference & 1);
}

static_assert(ReferenceOf(kFlowsPerWorkerMax - 1, Side::kServer) < Index::kReferenceMax);

FlowRef FlowRefOf(Index::Reference reference) {
  if (reference == Index::kNone) return {};
  return {SlotOf(reference), SideOf(reference)};
}

// The steps of splitmix64, which spread a seed over as many words as one likes.
constexpr uint64_t NextSecret(uint64_t& state) {
  uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

uint64_t Word(const uint8_t* bytes) {
  uint64_t result = 0;
  std::memcpy(&result, bytes, sizeof(result));
  return result;
}

// Every factor holds a secret: with a known one, a key that makes it zero would make all its
// companions collide.
using Secrets = std::array<uint64_t, 4>;

uint64_t Tail(uint64_t addresses, uint16_t source_port, uint16_t destination_port, uint8_t protocol,
              const Secrets& secrets) {
  const uint64_t rest = source_port | uint64_t{destination_port} << 16 | uint64_t{protocol} << 32;
  return MultiplyFold(MultiplyFold(addresses ^ secrets[0], rest ^ secrets[1]) ^ secrets[2],
                      0xe7037ed1a0b428db);
}

uint64_t HashKey(const net::FlowKey4& key, uint8_t protocol, const Secrets& secrets) {
  const uint64_t addresses = key.source | uint64_t{key.destination} << 32;
  return Tail(addresses, key.source_port, key.destination_port, protocol, secrets);
}

uint64_t HashKey(const net::FlowKey6& key, uint8_t protocol, const Secrets& secrets) {
  const uint8_t* const source = key.source.bytes;
  const uint8_t* const destination = key.destination.bytes;
  const uint64_t from = MultiplyFold(Word(source) ^ secrets[2], Word(source + 8) ^ secrets[3]);
  const uint64_t to =
      MultiplyFold(Word(destination) ^ secrets[3], Word(destination + 8) ^ secrets[1]);
  return Tail(from ^ std::rotl(to, 32), key.source_port, key.destination_port, protocol, secrets);
}

}  // namespace

template <class Hot>
typename FlowTable<Hot>::Memory FlowTable<Hot>::Carve(MemoryCarver& carver, uint32_t capacity) {
  return {
      .hot = carver.Take<Hot>(capacity),
      .cold = carver.Take<FlowCold>(capacity),
      .pages = carver.TakeBytes(SlotPages::BytesNeeded(capacity)),
      .index = carver.TakeBytes(Index::BytesNeeded(2 * capacity)),
  };
}

template <class Hot>
size_t FlowTable<Hot>::BytesNeeded(uint32_t capacity) {
  MemoryCarver carver;
  Carve(carver, capacity);
  return carver.used();
}

template <class Hot>
FlowTable<Hot>::FlowTable(std::span<std::byte> memory, uint32_t capacity, uint64_t seed)
    : FlowTable(
          [&] {
            TANDEM_ASSERT(capacity > 0 && capacity <= kFlowsPerWorkerMax);
            TANDEM_ASSERT(memory.size() >= BytesNeeded(capacity));
            MemoryCarver carver(memory);
            return Carve(carver, capacity);
          }(),
          capacity, seed) {}

template <class Hot>
FlowTable<Hot>::FlowTable(const Memory& memory, uint32_t capacity, uint64_t seed)
    : hot_(memory.hot),
      cold_(memory.cold),
      pages_(memory.pages, capacity),
      index_(memory.index, 2 * capacity) {
  for (uint64_t& secret : secrets_)
    secret = NextSecret(seed);
}

template <class Hot>
uint64_t FlowTable<Hot>::Hash(const Key& key, uint8_t protocol) const noexcept {
  return HashKey(key, protocol, secrets_);
}

template <class Hot>
bool FlowTable<Hot>::Matches(Index::Reference reference, const Key& key,
                             uint8_t protocol) const noexcept {
  const Hot& flow = hot_[SlotOf(reference)];
  return KeyOf(flow, SideOf(reference)) == key && flow.common.protocol == protocol;
}

template <class Hot>
void FlowTable<Hot>::PrefetchFlow(Index::Reference reference) const noexcept {
  const Hot* const flow = &hot_[SlotOf(reference)];
  __builtin_prefetch(flow);
  if constexpr (sizeof(Hot) > 64) __builtin_prefetch(reinterpret_cast<const char*>(flow) + 64);
}

template <class Hot>
FlowRef FlowTable<Hot>::FindHashed(uint64_t hash, const Key& key, uint8_t protocol) const noexcept {
  return FlowRefOf(index_.Find(
      hash, [&](Index::Reference reference) { return Matches(reference, key, protocol); }));
}

template <class Hot>
FlowRef FlowTable<Hot>::FindOne(const Key& key, uint8_t protocol) noexcept {
  return FindHashed(Hash(key, protocol), key, protocol);
}

template <class Hot>
void FlowTable<Hot>::Find(std::span<Lookup<Hot>> batch) noexcept {
  TANDEM_ASSERT(batch.size() <= kBurstMax);
  for (Lookup<Hot>& lookup : batch) {
    lookup.hash = Hash(*lookup.key, lookup.protocol);
    index_.Prefetch(lookup.hash);
  }

  std::array<Index::Candidates, kBurstMax> candidates;
  std::array<uint8_t, kBurstMax> displaced;  // lookups whose only hope is the alternate bucket
  size_t displaced_count = 0;
  for (size_t i = 0; i < batch.size(); ++i) {
    candidates[i] = index_.InPrimary(batch[i].hash);
    if (!candidates[i].empty()) {
      PrefetchFlow(candidates[i].front());
    } else if (index_.HasDisplaced(batch[i].hash)) {
      index_.PrefetchAlternate(batch[i].hash);
      displaced[displaced_count++] = static_cast<uint8_t>(i);
    }
  }
  for (size_t i = 0; i < displaced_count; ++i) {
    const Index::Candidates found = index_.InAlternate(batch[displaced[i]].hash);
    candidates[displaced[i]] = found;
    if (!found.empty()) PrefetchFlow(found.front());
  }

  for (size_t i = 0; i < batch.size(); ++i) {
    Lookup<Hot>& lookup = batch[i];
    const auto matches = [&](Index::Reference reference) {
      return Matches(reference, *lookup.key, lookup.protocol);
    };
    Index::Reference found = Index::FirstMatch(candidates[i], matches);
    // Tags of the primary fitted, but none of the keys.
    if (found == Index::kNone && !candidates[i].empty() && index_.HasDisplaced(lookup.hash)) {
      found = Index::FirstMatch(index_.InAlternate(lookup.hash), matches);
    }
    lookup.found = FlowRefOf(found);
  }
}

template <class Hot>
void FlowTable<Hot>::PrefetchIndex(uint64_t hash) const noexcept {
  index_.Prefetch(hash);
}

template <class Hot>
void FlowTable<Hot>::PrefetchFreeSlot(config::TrafficGroupId group) const noexcept {
  const uint32_t slot = pages_.Peek(group);
  if (slot == kNoSlot) return;
  PrefetchFlow(ReferenceOf(slot, Side::kClient));
  __builtin_prefetch(&cold_[slot]);
}

template <class Hot>
InsertResult FlowTable<Hot>::Insert(config::TrafficGroupId group, const Key& client,
                                    const Key& server, uint8_t protocol, bool one_legged) noexcept {
  // All lines that this will touch come in together.
  const uint64_t client_hash = Hash(client, protocol);
  index_.Prefetch(client_hash);
  const uint64_t server_hash = Hash(server, protocol);
  if (!one_legged) index_.Prefetch(server_hash);
  PrefetchFreeSlot(group);
  const FlowRef by_client = FindHashed(client_hash, client, protocol);
  if (by_client) return {InsertStatus::kClientKeyTaken, by_client.slot};
  if (!one_legged) {
    const FlowRef by_server = FindHashed(server_hash, server, protocol);
    if (by_server) return {InsertStatus::kServerKeyTaken, by_server.slot};
    if (client == server) return {InsertStatus::kServerKeyTaken, kNoSlot};
  }

  const uint32_t slot = pages_.Allocate(group);
  if (slot == kNoSlot) return {InsertStatus::kFull, kNoSlot};
  if (!index_.Insert(client_hash, ReferenceOf(slot, Side::kClient))) {
    pages_.Free(slot);
    return {InsertStatus::kFull, kNoSlot};
  }
  if (!one_legged && !index_.Insert(server_hash, ReferenceOf(slot, Side::kServer))) {
    index_.Erase(client_hash, ReferenceOf(slot, Side::kClient));
    pages_.Free(slot);
    return {InsertStatus::kFull, kNoSlot};
  }

  Hot& flow = hot_[slot];
  flow = Hot{};
  flow.client = client;
  flow.server = server;
  flow.common.protocol = protocol;
  flow.common.flags = one_legged ? kOneLegged : 0;
  const uint32_t generation = cold_[slot].generation + 1;
  cold_[slot] = FlowCold{};
  cold_[slot].generation = generation;
  return {InsertStatus::kInserted, slot};
}

template <class Hot>
void FlowTable<Hot>::Erase(uint32_t slot) noexcept {
  TANDEM_ASSERT(IsLive(slot));
  const FlowCold& cold = cold_[slot];
  TANDEM_ASSERT(cold.timer_previous == kNoSlot && cold.embryonic_previous == kNoSlot);
  Hot& flow = hot_[slot];
  const uint8_t protocol = flow.common.protocol;
  const uint64_t client_hash = Hash(flow.client, protocol);
  const uint64_t server_hash = Hash(flow.server, protocol);
  index_.Prefetch(client_hash);
  index_.Prefetch(server_hash);
  const bool client_erased = index_.Erase(client_hash, ReferenceOf(slot, Side::kClient));
  const bool server_erased = index_.Erase(server_hash, ReferenceOf(slot, Side::kServer));
  TANDEM_ASSERT(client_erased && (server_erased || (flow.common.flags & kOneLegged) != 0));
  flow.common.state = State::kFree;
  pages_.Free(slot);
}

template class FlowTable<FlowHot4>;
template class FlowTable<FlowHot6>;

}  // namespace tandem::flow
