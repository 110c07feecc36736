// SPDX-License-Identifier: Apache-2.0
//
// Fixed-capacity table of flows, one per worker and family.
//
// Theory of operation. Slots are handed out in pages of kFlowsPerPage (slot_pages.h); a flow is
// found by either of its two keys through an index of 64-byte buckets (index.h). A bucket holds ten
// (16-bit tag, slot and side) pairs; a key has two candidate buckets, the second visited only when
// the first says that it has overflowed. Find works on a whole burst: hash and prefetch all
// buckets, compare all tags and prefetch all flows, compare all keys.
//
// Thread safety: one worker reads and writes; no other thread touches it.
//
// Invariants:
//  1. A key is present at most once, over both sides of all flows.
//  2. A flow's slot never changes; a FlowHot& stays valid until Erase of that slot.
//  3. Every live flow is armed in at most one timer bucket; every embryonic one is in the embryonic
//     list.
//
// Limits: `capacity` is fixed. Insert on a full table says kFull and changes nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/flow/flow.h"
#include "dataplane/flow/index.h"
#include "dataplane/flow/key_hash.h"
#include "dataplane/flow/memory_carver.h"
#include "dataplane/flow/register.h"
#include "dataplane/flow/slot_pages.h"

namespace tandem::flow {

struct FlowRef {
  uint32_t slot = kNoSlot;
  Side side = Side::kClient;

  explicit operator bool() const { return slot != kNoSlot; }
};

// One lookup of a batch: the caller fills key and protocol, Find fills the rest. `hash` is
// what NewFlow wants.
template <class Hot>
struct Lookup {
  const typename Hot::Key* key = nullptr;
  uint64_t hash = 0;
  FlowRef found;
  // For Find: the bucket where it begins, the first flow whose tag fits, and its reference.
  const Index::Bucket* primary = nullptr;
  Hot* likely_flow = nullptr;
  Index::Reference likely = Index::kNone;
  uint8_t protocol = 0;
};

// A flow that was found; of a burst each is looked at right away.
template <class Hot>
struct Found {
  Hot* flow = nullptr;  // nullptr: none was
  FlowRef ref;

  explicit operator bool() const { return flow != nullptr; }
};

// A flow to be, and the hashes of its keys (FlowTable::Hash).
template <class Hot>
struct NewFlow {
  typename Hot::Key client;
  typename Hot::Key server;
  uint64_t client_hash = 0;
  uint64_t server_hash = 0;
  uint8_t protocol = 0;
  bool one_legged = false;
  bool server_is_free = false;  // nobody has the server's key: it was just looked for
};

enum class InsertStatus : uint8_t { kInserted, kFull, kClientKeyTaken, kServerKeyTaken };

struct InsertResult {
  InsertStatus status = InsertStatus::kFull;
  uint32_t slot = kNoSlot;  // the new flow, or the one that has the key
};

template <class Hot>
class FlowTable {
 public:
  using Key = typename Hot::Key;

  // Bytes of 64-byte aligned, zeroed memory that a table of `capacity` flows needs.
  static size_t BytesNeeded(uint32_t capacity);

  // `memory` outlives the table. `seed` keys the hash.
  // REQUIRES: 0 < capacity <= kFlowsPerWorkerMax.
  FlowTable(std::span<std::byte> memory, uint32_t capacity, uint64_t seed);

  uint64_t Hash(const Key& key, uint8_t protocol) const noexcept {
    return HashKey(key, protocol, secrets_);
  }
  void Find(std::span<Lookup<Hot>> batch) noexcept;  // at most kBurstMax
  FlowRef FindOne(const Key& key, uint8_t protocol) noexcept;
  // The steps of Find (table_find.h): hashes and fetches the line of the index; compares tags and fetches
  // flows; compares keys. Nothing may begin or end between the last two, or FindAnew has to find it.
  [[gnu::always_inline]] inline void StartFind(const Key& key, uint8_t protocol,
                                               Lookup<Hot>& lookup) const noexcept;
  void ProbeFind(std::span<Lookup<Hot>> batch) const noexcept;
  [[gnu::always_inline]] inline Found<Hot> FinishFind(const Lookup<Hot>& lookup) noexcept;
  Found<Hot> FindAnew(const Lookup<Hot>& lookup) noexcept;  // as if it began now
  FlowRef FindHashed(uint64_t hash, const Key& key, uint8_t protocol) const noexcept;
  // Whether the index line of the hash speaks for its key being there. Nothing else is read: it may be another
  // key, and the key's own entry may be elsewhere.
  bool MayHave(uint64_t hash) const noexcept {
    return !Index::InPrimary(index_.Primary(hash), hash).empty();
  }
  // Brings the flow near for which it speaks. REQUIRES: MayHave(hash).
  void PrefetchLikely(uint64_t hash) const noexcept;
  // Brings the index line of a hash near; for callers that insert in stages.
  void PrefetchIndex(uint64_t hash) const noexcept { index_.Prefetch(hash); }
  void PrefetchSlot(uint32_t slot) const noexcept;  // record and register; slot < capacity()
  void PrefetchKeys(uint32_t slot) const noexcept;  // the index lines of the flow's keys

  // Makes a flow that is found by both keys (only by the client's when `one_legged`). The record
  // holds keys, protocol and kOneLegged and is otherwise zero: state kFree until the caller sets
  // it. Its register is a new birth, version 0; mirror_link survives from the slot's last flow (it may
  // still be in a dirty list). Two equal keys are kServerKeyTaken, by no slot.
  [[nodiscard]] InsertResult Insert(config::TrafficGroupId group,
                                    const NewFlow<Hot>& flow) noexcept;
  [[nodiscard]] InsertResult Insert(config::TrafficGroupId group, const Key& client,
                                    const Key& server, uint8_t protocol, bool one_legged) noexcept {
    return Insert(group, Hashed(client, server, protocol, one_legged));
  }
  // The same at a logical slot that the other device chose, for a shadow. The register stays as it is:
  // the caller sets it. kFull: the pool has no page for it, or the index no room.
  // REQUIRES: the slot, if its page is begun, is free.
  [[nodiscard]] InsertResult InsertAt(config::TrafficGroupId group, uint32_t logical,
                                      const Key& client, const Key& server, uint8_t protocol,
                                      bool one_legged) noexcept;
  // Keeps the slot's register and mirror_link.
  // REQUIRES: not armed, not in the embryonic list (timers.h takes it out).
  void Erase(uint32_t slot) noexcept;

  Hot& hot(uint32_t slot) { return hot_[slot]; }
  const Hot& hot(uint32_t slot) const { return hot_[slot]; }
  FlowCold& cold(uint32_t slot) { return cold_[slot]; }
  const FlowCold& cold(uint32_t slot) const { return cold_[slot]; }
  bool IsLive(uint32_t slot) const noexcept { return pages_.IsUsed(slot); }

  // Of used and free slots alike. In a page that was begun anew it is what another page left there;
  // mirror_link, which is 0 then, tells a receiver so.
  Register& register_of(uint32_t slot) { return registers_[slot]; }
  Register register_of(uint32_t slot) const { return registers_[slot]; }
  // Before the page of `slot` goes back to the pool while its mirror_links are not all 0: makes them 0.
  void ClearMirrorLinks(uint32_t slot) noexcept;

  // Births given so far are at or below it. Raised (never lowered) when a shadow brings higher ones,
  // so that what this device begins after a takeover is newer than all it took over.
  Birth last_birth() const { return last_birth_; }
  void RaiseBirth(Birth birth) { last_birth_ = birth > last_birth_ ? birth : last_birth_; }
  Birth NewBirth() { return ++last_birth_; }

  uint32_t size() const { return pages_.used(); }
  uint32_t capacity() const { return pages_.capacity(); }
  SlotPages& pages() { return pages_; }
  const SlotPages& pages() const { return pages_; }

 private:
  struct Memory {
    Hot* hot = nullptr;
    FlowCold* cold = nullptr;
    Register* registers = nullptr;
    std::span<std::byte> pages;
    std::span<std::byte> index;
  };
  static Memory Carve(MemoryCarver& carver, uint32_t capacity);
  FlowTable(const Memory& memory, uint32_t capacity, uint64_t seed);

  NewFlow<Hot> Hashed(const Key& client, const Key& server, uint8_t protocol,
                      bool one_legged) const noexcept;
  InsertResult Check(const NewFlow<Hot>& flow) const noexcept;
  InsertResult Put(const NewFlow<Hot>& flow, uint32_t slot) noexcept;

  [[gnu::always_inline]] inline bool Matches(const Hot& flow, Side side, const Key& key,
                                             uint8_t protocol) const noexcept;
  void LookAt(Lookup<Hot>& lookup, Index::Reference likely) const noexcept;

  Hot* hot_;
  FlowCold* cold_;
  Register* registers_;
  Birth last_birth_ = 0;
  SlotPages pages_;
  Index index_;
  Secrets secrets_ = {};
};

extern template class FlowTable<FlowHot4>;
extern template class FlowTable<FlowHot6>;

}  // namespace tandem::flow
