// SPDX-License-Identifier: Apache-2.0
//
// Persistence records: key -> member. One table for all workers, so that two connections of one
// client which arrive on two workers at once still get one member.
//
// Theory of operation. A key belongs to one bucket of seven records, and seven bits of its hash beside the
// claim, the tag, say which of them may be its: others are not read. Whoever reads or changes a bucket
// claims it first (one atomic byte); a claim is held for the choice of a member and no longer. It is
// asked for a bounded number of times: when another worker still has it (its thread was put aside by
// the kernel), the answer is busy and the packet is dropped and counted, and the client's next try
// finds it. So nobody ever waits for anybody. Only a flow's first packet, its timer and its end come
// here.
//
// Records age by the shard's owner: worker w sweeps the buckets whose number is w modulo workers, a
// bounded piece a turn. A flow that ends or whose timer comes round touches its record, so a record
// lives on for its timeout after the last flow used it.
//
// For mirroring, each record says what the peer knows of it (RecordFlag), and buckets in which a
// record is to be told are in a list of their shard. The eighth bit beside the claim says which record of
// the bucket that may be, so that the others, which nobody has used for long, are not read either. A record
// that is removed although the peer may know it keeps its place, marked kGone, until the peer was told, its
// copy has run out by itself, or the place is needed.
//
// Thread safety: a holder is a worker, or `workers()` for control. Open, Touch and VisitBucket: any
// holder's thread, one thread a holder. PopChanged: any. Sweep: the shard's owner. No allocation after
// construction.
//
// Limits: the table has twice the places that `records` asks for, as keys do not fall evenly into
// buckets: with that many records about one new key in a hundred finds its bucket full. It takes no
// record then: counted, and the flow is balanced without one.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/base/counter.h"
#include "dataplane/base/limits.h"
#include "dataplane/base/time.h"
#include "dataplane/config/ids.h"
#include "dataplane/persist/key.h"

namespace tandem::persist {

enum RecordFlag : uint8_t {
  kMirror = 1 << 0,    // its profile mirrors
  kDirty = 1 << 1,     // the peer is to be told of it as it is
  kTelling = 1 << 2,   // it is in a frame whose fate is not known
  kTold = 1 << 3,      // the peer may know of it
  kGone = 1 << 4,      // removed; only the peer is still to be told
  kFromPeer = 1 << 5,  // told by the peer, and not used here yet: ages at twice its timeout
};

struct Record {
  Key key;  // profile 0: the place is free
  config::MemberId member = 0;
  config::VirtualId virtual_id = 0;  // that it was made through
  config::TrafficGroupId group = 0;  // of that virtual
  uint8_t flags = 0;                 // RecordFlag
  uint8_t origin = 0;                // kFromPeer: which of the peer's workers told of it …
  uint8_t session = 0;               // … and in which session, low bits
  Tick last_used = 0;
  uint32_t timeout = 0;        // ticks, kIndefinite allowed
  uint16_t told_when = 0;      // Tick >> kToldShift of the last telling
  config::PeerIndex peer = 0;  // kFromPeer: which one told of it
  uint8_t reserved = 0;

  bool is_live() const { return key.profile != 0 && (flags & kGone) == 0; }
};
static_assert(sizeof(Record) == 44);

inline constexpr int kToldShift = 10;
inline constexpr size_t kRecordsPerBucket = 7;
inline constexpr uint32_t kNoBucket = UINT32_MAX;

struct TableCounters {
  Counter created;
  Counter used;      // flows that followed a record
  Counter replaced;  // the member was not usable: another was chosen
  Counter expired;
  Counter deleted;
  Counter full;        // records not made
  Counter busy;        // claims not got
  Counter no_key;      // first packets without what the profile takes the key from
  Counter over_limit;  // flows that went elsewhere because the record's member was at its limit
  Counter forgotten;   // kGone marks whose place was needed: the peer's copy runs out by itself
};

// What became of a visited record.
enum class Verdict : uint8_t {
  kKeep,
  kExpire,  // removed, the peer will be told
  kDelete,  // the same, counted otherwise
  kForget,  // removed without a trace
};

class Table {
 private:
  struct Bucket {
    uint8_t claim;                                // holder + 1; 0: nobody
    std::array<uint8_t, kRecordsPerBucket> tags;  // with kMarked; 0: the place is free
    uint32_t next;  // in the list of changed buckets: 0 not in it, kListEnd, else number + 1
    std::array<Record, kRecordsPerBucket> records;
  };
  static_assert(sizeof(Bucket) == 320 && kWorkersMax + 1 <= UINT8_MAX);
  // Of a tag: the record is kDirty or kTelling, or was.
  static constexpr uint8_t kMarked = 0x80;
  static constexpr uint8_t kAny = 0xff;

 public:
  // Bytes of each worker's shard.
  static size_t BytesNeeded(uint32_t records, unsigned workers);
  // `memory`: for each worker BytesNeeded bytes, 64-byte aligned, zeroed; outlives this. `seed` keys
  // the hash. records >= 1.
  Table(std::span<const std::span<std::byte>> memory, uint32_t records, uint64_t seed);
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  // Where a key's record is, if there is one.
  class Place {
    friend class Table;
    Bucket* bucket = nullptr;
    uint32_t number = 0;  // of the bucket
    uint8_t tag = 0;      // of the key, then never 0
  };
  void Locate(const Key& key, Place& place) const noexcept;
  // Bring near what Open will read, for callers that go on with something else meanwhile: the head of the
  // bucket, and when that is there, the record, or the place for a new one.
  static void Fetch(Place place) noexcept { __builtin_prefetch(place.bucket, 1); }
  static void FetchRecord(Place place) noexcept;

  // The claim of one key's bucket; gives it back when it goes.
  class Claim {
   public:
    ~Claim();
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;

    bool busy() const noexcept { return bucket_ == nullptr; }  // not got; ask nothing else then
    Record* found() const noexcept { return found_; }          // nullptr: there is no live one
    // A new record with the key and the time, found() from now on; nullptr: the bucket is full. The
    // caller fills in the rest and calls MarkChanged. REQUIRES: found() == nullptr.
    Record* Create() noexcept;
    // A flow uses the found record, under the profile as it is now.
    void Use(const config::Persistence& profile) noexcept;
    // The found record changed in a way that a mirror is to be told.
    void MarkChanged() noexcept;
    void Remove(Verdict why = Verdict::kDelete) noexcept;  // the found record

   private:
    friend class Table;
    Claim(Table& table, const Key& key, Place place, unsigned holder, Tick now) noexcept;

    Table& table_;
    const Key& key_;
    const Place place_;
    const unsigned holder_;
    const Tick now_;
    Bucket* bucket_ = nullptr;
    Record* found_ = nullptr;  // of the bucket's
  };
  // `key` outlives the claim.
  Claim Open(const Key& key, unsigned holder, Tick now) noexcept {
    Place place;
    Locate(key, place);
    return Open(key, place, holder, now);
  }
  Claim Open(const Key& key, Place place, unsigned holder, Tick now) noexcept {
    return Claim(*this, key, place, holder, now);
  }
  // A flow that exists uses the key's record, if there is one. May come to nothing when busy.
  void Touch(const Key& key, unsigned holder, Tick now,
             const config::Persistence& profile) noexcept;

  // Owner of shard `worker`: looks at up to `buckets` buckets and removes what has run out.
  void Sweep(unsigned worker, Tick now, unsigned buckets) noexcept;

  // Calls `visit(Record&)`, which returns a Verdict, for every record of the bucket, live or gone.
  // False: busy.
  template <class Visit>
  bool VisitBucket(uint32_t number, unsigned holder, Visit&& visit) noexcept {
    return VisitTagged(kAny, number, holder, visit);
  }
  // The same for every record that is kDirty or kTelling; maybe for others.
  template <class Visit>
  bool VisitMarked(uint32_t number, unsigned holder, Visit&& visit) noexcept {
    return VisitTagged(kMarked, number, holder, visit);
  }

  // The shard's next bucket that changed, which is then no longer in the list; kNoBucket: none, or
  // another thread is asking.
  uint32_t PopChanged(unsigned shard) noexcept;
  void MarkBucketChanged(uint32_t number) noexcept;  // any thread, without a claim

  // For mirroring: worker `worker` has heard all that the peer tells it in its session `session`, not 0.
  // Returns whether the first `workers` workers all have. Any thread.
  bool NoteHeard(unsigned worker, uint32_t session, unsigned workers) noexcept;

  // Buckets of shard w: w, w + workers(), … below buckets().
  uint32_t buckets() const noexcept { return buckets_; }
  unsigned workers() const noexcept { return static_cast<unsigned>(shards_.size()); }
  uint32_t capacity() const noexcept { return buckets_ * static_cast<uint32_t>(kRecordsPerBucket); }
  uint32_t size() const noexcept;  // live records, any thread
  // Of a worker, or of control: workers(). Written by that holder's thread only.
  TableCounters& counters(unsigned holder) noexcept { return holders_[holder].counters; }
  const TableCounters& counters(unsigned holder) const noexcept {
    return holders_[holder].counters;
  }

 private:
  struct alignas(64) Shard {
    std::span<Bucket> buckets;
    std::atomic<bool> is_popped{false};  // somebody is in PopChanged, to whom belongs:
    uint32_t taken = 0;                  // the rest of the list that was taken, number + 1
    uint32_t next_sweep = 0;             // owner's: index into buckets
    std::atomic<uint32_t> heard{0};      // see NoteHeard
    alignas(64) std::atomic<uint32_t> changed{0};  // number + 1 of the first in the list
  };
  struct alignas(64) Holder {
    TableCounters counters;
    Counter removed;  // live records; created counts those that came
  };

  static bool TakeClaim(Bucket& bucket, unsigned holder) noexcept;
  static void GiveBack(Bucket& bucket) noexcept;
  Bucket& BucketOf(uint32_t number) const noexcept {
    const auto workers = static_cast<uint32_t>(shards_.size());
    return shards_[number % workers].buckets[number / workers];
  }
  uint32_t Pop(Shard& shard) noexcept;
  Place PlaceOf(uint32_t number) const noexcept {
    Place place;
    place.bucket = &BucketOf(number);
    place.number = number;
    return place;
  }
  // Records of which the tag has any of these bits.
  template <class Visit>
  bool VisitTagged(uint8_t bits, uint32_t number, unsigned holder, Visit&& visit) noexcept {
    const Place place = PlaceOf(number);
    Bucket& bucket = *place.bucket;
    if (!TakeClaim(bucket, holder)) return false;
    for (size_t i = 0; i < kRecordsPerBucket; ++i) {
      if ((bucket.tags[i] & bits) == 0) continue;
      Settle(place, i, visit(bucket.records[i]), holder);
      SetMark(bucket, i);
    }
    GiveBack(bucket);
    return true;
  }

  // REQUIRES for these: the bucket is claimed by `holder`. `at` counts records in it.
  size_t RoomFor(const Place& place, const Key& key, unsigned holder, Tick now) noexcept;
  void Settle(const Place& place, size_t at, Verdict verdict, unsigned holder) noexcept;
  void Remove(const Place& place, size_t at, unsigned holder) noexcept;
  static void SetTag(Bucket& bucket, size_t at, uint8_t tag) noexcept;
  static void SetMark(Bucket& bucket, size_t at) noexcept;  // by the record's flags
  static void Clear(Bucket& bucket, size_t at) noexcept;

  const uint32_t buckets_;
  const uint64_t seed_;
  std::vector<Shard> shards_;
  std::unique_ptr<Holder[]> holders_;
};

// Whether nobody used the record for as long as it lasts here.
bool HasRunOut(const Record& record, Tick now) noexcept;

}  // namespace tandem::persist
