// SPDX-License-Identifier: Apache-2.0
//
// Persistence records: key -> member. One table for all workers, so that two connections of one
// client which arrive on two workers at once still get one member.
//
// Theory of operation. A key belongs to one bucket of seven records. Whoever reads or changes a bucket
// claims it first (one atomic word); a claim is held for the choice of a member and no longer. It is
// asked for a bounded number of times: when another worker still has it (its thread was put aside by
// the kernel), the answer is kBusy and the packet is dropped and counted, and the client's next try
// finds it. So nobody ever waits for anybody. Only the first packet of a flow comes here.
//
// Records age by the shard's owner: worker w sweeps the buckets whose number is w modulo workers, a
// bounded piece a turn. A flow that ends or whose timer comes round touches its record, so a record
// lives on for its timeout after the last flow used it.
//
// Thread safety: Open by any worker; Sweep, and the functions for mirroring, by the shard's owner;
// Show and Delete by control (they claim too). No allocation after construction.
//
// Limits: `records` is rounded up to whole buckets. A full bucket takes no new record: counted, and
// the flow is balanced without one.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/base/counter.h"
#include "dataplane/base/time.h"
#include "dataplane/config/ids.h"
#include "dataplane/persist/key.h"

namespace tandem::persist {

enum RecordFlag : uint8_t {
  kMirror = 1 << 0,    // its profile mirrors
  kTold = 1 << 1,      // the peer was told of it as it is
  kFromPeer = 1 << 2,  // told by the peer, and not used here yet: ages at twice its timeout
};

struct Record {
  Key key;  // profile 0: the place is free
  config::MemberId member = 0;
  config::TrafficGroupId group = 0;
  uint8_t flags = 0;  // RecordFlag
  Tick last_used = 0;
  uint32_t timeout = 0;  // ticks, kIndefinite allowed
  Tick created = 0;
};

inline constexpr size_t kRecordsPerBucket = 7;

struct TableCounters {
  Counter created;
  Counter expired;
  Counter deleted;
  Counter full;  // records not made
  Counter busy;  // claims not got
};

class Table {
 public:
  static size_t BytesNeeded(uint32_t records);
  // `memory`: BytesNeeded bytes, 64-byte aligned, zeroed; outlives this. `seed` keys the hash.
  Table(std::span<std::byte> memory, uint32_t records, unsigned workers, uint64_t seed);

  // The claim of one key's bucket; gives it back when it goes.
  class Claim {
   public:
    ~Claim();
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;

    bool busy() const noexcept;      // not got; nothing else may be asked then
    Record* found() const noexcept;  // the key's record, or nullptr
    // A new record for the key, or nullptr: the bucket is full. The caller fills it in.
    Record* Create() noexcept;
    void Remove() noexcept;  // the found record
    // The record changed in a way that a mirror is to be told.
    void MarkChanged() noexcept;

   private:
    friend class Table;
    struct Bucket;
    Claim() = default;
    Table* table_ = nullptr;
    Bucket* bucket_ = nullptr;
    Record* found_ = nullptr;
    Key key_;
  };
  Claim Open(const Key& key, unsigned worker) noexcept;

  // Owner of shard `worker`: looks at up to `buckets` buckets and frees what has run out.
  void Sweep(unsigned worker, Tick now, unsigned buckets) noexcept;

  // ---- for mirroring, by the shard's owner ------------------------------------------------------
  // The next bucket of the shard that changed, and forgets that it did; UINT32_MAX: none.
  uint32_t PopChanged(unsigned worker) noexcept;
  void MarkBucketChanged(uint32_t bucket) noexcept;  // any thread
  uint32_t buckets() const noexcept;
  // Calls visit(Record&) for every record of the bucket, and gone(Key) for every key that was removed
  // from it since it was last visited (kRecordsPerBucket remembered; when there were more,
  // `overflowed` is true and a whole resync is due). False: busy, mark it changed again.
  template <class Visit, class Gone>
  bool VisitBucket(uint32_t bucket, unsigned worker, bool& overflowed, Visit&& visit,
                   Gone&& gone) noexcept;

  uint32_t size() const noexcept;  // records, any thread
  uint32_t capacity() const noexcept;
  const TableCounters& counters(unsigned worker) const noexcept;
};

}  // namespace tandem::persist
