// SPDX-License-Identifier: Apache-2.0
#include "dataplane/persist/table.h"

#include <rte_pause.h>

#include <algorithm>
#include <cstring>

#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"
#include "dataplane/base/limits.h"

namespace tandem::persist {
namespace {

// How often a claim is asked for: some microseconds, many times what a holder that runs needs.
constexpr int kClaimAttempts = 64;
// Stamps tell no more than 26 days apart: about 24.
constexpr int64_t kSilenceMax = 2'000'000'000;
constexpr uint32_t kListEnd = UINT32_MAX;

using AtomicWord = std::atomic_ref<uint32_t>;
using AtomicByte = std::atomic_ref<uint8_t>;

uint32_t BucketsFor(uint32_t records) {
  constexpr uint32_t kFilled = kRecordsPerBucket;  // twice the places: 7 records for 2 buckets
  return static_cast<uint32_t>((uint64_t{records} * 2 + kFilled - 1) / kFilled);
}

uint32_t PerShard(uint32_t buckets, size_t workers) {
  return static_cast<uint32_t>((buckets + workers - 1) / workers);
}

// Whether a change as small as another use has to be told, so that the peer's copy lasts: it lives for
// twice the timeout, and flows touch their record twice a timeout.
bool ToldLongAgo(const Record& record, Tick now) {
  if (record.timeout == config::kIndefinite) return false;
  const auto since = static_cast<uint16_t>((now >> kToldShift) - record.told_when);
  return since >= std::min<uint32_t>(record.timeout / 4 >> kToldShift, UINT16_MAX / 2);
}

}  // namespace

bool HasRunOut(const Record& record, Tick now) noexcept {
  if (record.timeout == config::kIndefinite) return false;
  // A mark of a removed record is there no longer than the peer's copy.
  const bool is_twice = (record.flags & (kFromPeer | kGone)) != 0;
  const int64_t lasts = std::min(int64_t{record.timeout} << is_twice, kSilenceMax);
  return TicksBetween(record.last_used, now) >= lasts;
}

size_t Table::BytesNeeded(uint32_t records, unsigned workers) {
  return size_t{PerShard(BucketsFor(records), workers)} * sizeof(Bucket);
}

Table::Table(std::span<const std::span<std::byte>> memory, uint32_t records, uint64_t seed)
    : buckets_(BucketsFor(records)),
      seed_(seed),
      shards_(memory.size()),
      holders_(std::make_unique<Holder[]>(memory.size() + 1)) {
  TANDEM_ASSERT(records >= 1 && !memory.empty() && memory.size() <= kWorkersMax);
  const uint32_t count = PerShard(buckets_, memory.size());
  for (size_t w = 0; w < memory.size(); ++w) {
    TANDEM_ASSERT(memory[w].size() >= count * sizeof(Bucket));
    // Zeroed bytes are buckets with free places: an implicit-lifetime type.
    shards_[w].buckets = {static_cast<Bucket*>(static_cast<void*>(memory[w].data())), count};
  }
}

// ---- claims ---------------------------------------------------------------------------------------

bool Table::TakeClaim(Bucket& bucket, unsigned holder) noexcept {
  AtomicByte claim(bucket.claim);
  const auto ours = static_cast<uint8_t>(holder + 1);
  for (int attempt = 0; attempt < kClaimAttempts; ++attempt) {
    uint8_t nobody = 0;
    if (claim.load(std::memory_order_relaxed) == 0 &&
        claim.compare_exchange_strong(nobody, ours, std::memory_order_acquire,
                                      std::memory_order_relaxed)) {
      return true;
    }
    rte_pause();
  }
  return false;
}

void Table::GiveBack(Bucket& bucket) noexcept {
  AtomicByte(bucket.claim).store(0, std::memory_order_release);
}

void Table::Locate(const Key& key, Place& place) const noexcept {
  uint64_t halves[2];
  std::memcpy(halves, key.bytes.data(), sizeof(halves));
  const uint64_t name = (uint64_t{key.scope} << 32) | (uint64_t{key.profile} << 8) | key.size;
  const uint64_t hash = HashPair(HashPair(halves[0], halves[1], seed_), name, seed_);
  const auto tag = static_cast<uint8_t>(hash & ~uint64_t{kMarked});
  place.number = static_cast<uint32_t>(((hash >> 32) * buckets_) >> 32);
  place.bucket = &BucketOf(place.number);
  place.tag = tag != 0 ? tag : uint8_t{1};
}

// Read without the claim: what it says may be wrong by then, and costs a line that nobody wants.
void Table::FetchRecord(Place place) noexcept {
  Bucket& bucket = *place.bucket;
  size_t free = kRecordsPerBucket;
  size_t at = 0;
  for (; at < kRecordsPerBucket; ++at) {
    const uint8_t tag = AtomicByte(bucket.tags[at]).load(std::memory_order_relaxed);
    if ((tag & ~kMarked) == place.tag) break;
    if (tag == 0 && free == kRecordsPerBucket) free = at;
  }
  if (at == kRecordsPerBucket) at = free;
  if (at == kRecordsPerBucket) return;
  const auto* const record = reinterpret_cast<const std::byte*>(&bucket.records[at]);
  __builtin_prefetch(record, 1);
  __builtin_prefetch(record + sizeof(Record) - 1, 1);
}

// By FetchRecord it is read beside the claim.
void Table::SetTag(Bucket& bucket, size_t at, uint8_t tag) noexcept {
  AtomicByte(bucket.tags[at]).store(tag, std::memory_order_relaxed);
}

void Table::SetMark(Bucket& bucket, size_t at) noexcept {
  const auto tag = static_cast<uint8_t>(bucket.tags[at] & ~kMarked);
  const bool is_marked = (bucket.records[at].flags & (kDirty | kTelling)) != 0;
  SetTag(bucket, at, static_cast<uint8_t>(is_marked ? tag | kMarked : tag));
}

Table::Claim::Claim(Table& table, const Key& key, Place place, unsigned holder, Tick now) noexcept
    : table_(table), key_(key), place_(place), holder_(holder), now_(now) {
  Bucket& bucket = *place.bucket;
  if (!TakeClaim(bucket, holder)) {
    table.counters(holder).busy.Add(1);
    return;
  }
  bucket_ = &bucket;
  for (size_t at = 0; at < kRecordsPerBucket; ++at) {
    Record& record = bucket.records[at];
    const bool may_be_it = (bucket.tags[at] & ~kMarked) == place.tag;
    if (!may_be_it || !record.is_live() || !(record.key == key)) continue;
    if (HasRunOut(record, now)) {
      table.Settle(place, at, Verdict::kExpire, holder);
    } else {
      found_ = &record;
    }
    return;
  }
}

Table::Claim::~Claim() {
  if (bucket_ != nullptr) GiveBack(*bucket_);
}

Record* Table::Claim::Create() noexcept {
  TANDEM_ASSERT(bucket_ != nullptr && found_ == nullptr);
  const size_t at = table_.RoomFor(place_, key_, holder_, now_);
  if (at == kRecordsPerBucket) {
    table_.counters(holder_).full.Add(1);
    return nullptr;
  }
  found_ = &bucket_->records[at];
  SetTag(*bucket_, at, place_.tag);
  // What the peer knows of this key, or is being told, stays true.
  const auto known = static_cast<uint8_t>(found_->flags & (kTelling | kTold));
  // Field by field: a record put together elsewhere would be copied before its pieces have been written.
  *found_ = Record{};
  found_->key = key_;
  found_->flags = known;
  found_->last_used = now_;
  SetMark(*bucket_, at);
  table_.counters(holder_).created.Add(1);
  return found_;
}

void Table::Claim::Use(const config::Persistence& profile) noexcept {
  Record& record = *found_;
  const auto before = record.flags;
  record.last_used = now_;
  record.timeout = profile.timeout;
  record.flags = static_cast<uint8_t>(before & ~(kFromPeer | kMirror));
  if (profile.mirror) record.flags |= kMirror;
  if (record.flags != before || ToldLongAgo(record, now_)) MarkChanged();
}

void Table::Claim::MarkChanged() noexcept {
  if ((found_->flags & kMirror) == 0) return;
  found_->flags |= kDirty;
  SetMark(*bucket_, static_cast<size_t>(found_ - bucket_->records.data()));
  // Whoever took the bucket off the list since has it claimed after this.
  if (AtomicWord(bucket_->next).load(std::memory_order_relaxed) != 0) return;
  table_.MarkBucketChanged(place_.number);
}

void Table::Claim::Remove(Verdict why) noexcept {
  table_.Settle(place_, static_cast<size_t>(found_ - bucket_->records.data()), why, holder_);
  found_ = nullptr;
}

void Table::Clear(Bucket& bucket, size_t at) noexcept {
  bucket.records[at] = Record{};
  SetTag(bucket, at, 0);
}

// The mark that this key was removed, or a free place, or the oldest of such marks. In a full bucket records
// that have run out and were not swept yet make room. kRecordsPerBucket: there is none.
size_t Table::RoomFor(const Place& place, const Key& key, unsigned holder, Tick now) noexcept {
  Bucket& bucket = *place.bucket;
  size_t free = kRecordsPerBucket;
  for (size_t at = 0; at < kRecordsPerBucket; ++at) {
    if ((bucket.tags[at] & ~kMarked) == place.tag && !bucket.records[at].is_live() &&
        bucket.records[at].key == key) {
      return at;
    }
    if (bucket.tags[at] == 0 && free == kRecordsPerBucket) free = at;
  }
  if (free != kRecordsPerBucket) return free;
  size_t oldest = kRecordsPerBucket;
  for (size_t at = 0; at < kRecordsPerBucket; ++at) {
    const Record& record = bucket.records[at];
    if (record.is_live() && HasRunOut(record, now)) {
      Settle(place, at, Verdict::kExpire, holder);
      if (bucket.tags[at] == 0) return at;
    }
    if (!record.is_live() &&
        (oldest == kRecordsPerBucket ||
         TicksBetween(record.last_used, bucket.records[oldest].last_used) > 0)) {
      oldest = at;
    }
  }
  if (oldest == kRecordsPerBucket) return oldest;
  counters(holder).forgotten.Add(1);
  Clear(bucket, oldest);
  return oldest;
}

void Table::Settle(const Place& place, size_t at, Verdict verdict, unsigned holder) noexcept {
  Bucket& bucket = *place.bucket;
  const Record& record = bucket.records[at];
  switch (verdict) {
    case Verdict::kKeep:
      return;
    case Verdict::kExpire:
    case Verdict::kDelete:
      if (!record.is_live()) return;
      (verdict == Verdict::kExpire ? counters(holder).expired : counters(holder).deleted).Add(1);
      return Remove(place, at, holder);
    case Verdict::kForget:
      if (record.is_live()) holders_[holder].removed.Add(1);
      Clear(bucket, at);
      return;
  }
}

void Table::Remove(const Place& place, size_t at, unsigned holder) noexcept {
  Bucket& bucket = *place.bucket;
  Record& record = bucket.records[at];
  holders_[holder].removed.Add(1);
  if ((record.flags & kMirror) == 0 || (record.flags & kTold) == 0) return Clear(bucket, at);
  record.flags |= kGone | kDirty;
  SetMark(bucket, at);
  MarkBucketChanged(place.number);
}

void Table::Touch(const Key& key, unsigned holder, Tick now,
                  const config::Persistence& profile) noexcept {
  Claim claim = Open(key, holder, now);
  if (!claim.busy() && claim.found() != nullptr) claim.Use(profile);
}

// ---- the shard's owner ----------------------------------------------------------------------------

void Table::Sweep(unsigned worker, Tick now, unsigned buckets) noexcept {
  Shard& shard = shards_[worker];
  for (unsigned i = 0; i < std::min<size_t>(buckets, shard.buckets.size()); ++i) {
    const auto number = static_cast<uint32_t>(shard.next_sweep * shards_.size() + worker);
    if (++shard.next_sweep == shard.buckets.size()) shard.next_sweep = 0;
    // A busy bucket has its turn in the next round.
    static_cast<void>(VisitBucket(number, worker, [now](const Record& record) {
      if (!HasRunOut(record, now)) return Verdict::kKeep;
      return record.is_live() ? Verdict::kExpire : Verdict::kForget;
    }));
  }
}

void Table::MarkBucketChanged(uint32_t number) noexcept {
  AtomicWord next(BucketOf(number).next);
  uint32_t not_listed = 0;
  if (!next.compare_exchange_strong(not_listed, kListEnd, std::memory_order_acq_rel,
                                    std::memory_order_relaxed)) {
    return;
  }
  std::atomic<uint32_t>& first = shards_[number % shards_.size()].changed;
  uint32_t head = first.load(std::memory_order_relaxed);
  do {
    next.store(head != 0 ? head : kListEnd, std::memory_order_relaxed);
  } while (!first.compare_exchange_weak(head, number + 1, std::memory_order_release,
                                        std::memory_order_relaxed));
}

// Sequentially consistent, so that the last of them sees all others.
bool Table::NoteHeard(unsigned worker, uint32_t session, unsigned workers) noexcept {
  shards_[worker].heard.store(session, std::memory_order_seq_cst);
  return std::all_of(shards_.begin(), shards_.begin() + workers, [session](const Shard& shard) {
    return shard.heard.load(std::memory_order_seq_cst) == session;
  });
}

uint32_t Table::PopChanged(unsigned shard_number) noexcept {
  Shard& shard = shards_[shard_number];
  if (shard.is_popped.exchange(true, std::memory_order_acquire)) return kNoBucket;
  const uint32_t number = Pop(shard);
  shard.is_popped.store(false, std::memory_order_release);
  return number;
}

uint32_t Table::Pop(Shard& shard) noexcept {
  if (shard.taken == 0) {
    if (shard.changed.load(std::memory_order_relaxed) == 0) return kNoBucket;
    shard.taken = shard.changed.exchange(0, std::memory_order_acquire);
  }
  const uint32_t number = shard.taken - 1;
  AtomicWord next(BucketOf(number).next);
  const uint32_t behind = next.load(std::memory_order_relaxed);
  if (behind != kListEnd) __builtin_prefetch(&BucketOf(behind - 1));
  shard.taken = behind != kListEnd ? behind : 0;
  next.store(0, std::memory_order_release);
  return number;
}

uint32_t Table::size() const noexcept {
  int64_t size = 0;
  for (unsigned holder = 0; holder <= workers(); ++holder) {
    size += static_cast<int64_t>(holders_[holder].counters.created.Get()) -
            static_cast<int64_t>(holders_[holder].removed.Get());
  }
  // A reader may see a removal without the creation, which another worker counted.
  return static_cast<uint32_t>(std::clamp<int64_t>(size, 0, capacity()));
}

}  // namespace tandem::persist
