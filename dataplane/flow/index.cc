// SPDX-License-Identifier: Apache-2.0
#include "dataplane/flow/index.h"

#include "dataplane/base/assert.h"
#include "dataplane/flow/memory_carver.h"

namespace tandem::flow {

// Six of ten places used when all entries are there: few enough for a burst to seldom hold a key
// outside its primary bucket, whose second miss the whole burst would wait for. A handful of buckets
// has too little choice (a bucket may be its own alternate), which the constant pays for.
uint32_t Index::BucketCount(uint32_t entries) {
  return entries / 6 + 16;
}

size_t Index::BytesNeeded(uint32_t entries) {
  MemoryCarver carver;
  carver.Take<Bucket>(BucketCount(entries));
  return carver.used();
}

Index::Index(std::span<std::byte> memory, uint32_t entries) : bucket_count_(BucketCount(entries)) {
  MemoryCarver carver(memory);
  buckets_ = carver.Take<Bucket>(bucket_count_);
}

bool Index::PutIfRoom(Bucket& bucket, uint16_t tag, uint32_t ref) noexcept {
  const uint32_t empty = PlacesWith(bucket, 0);
  if (empty == 0) return false;
  const int place = std::countr_zero(empty);
  bucket.tags[place] = tag;
  bucket.refs[place] = ref;
  return true;
}

bool Index::Remove(Bucket& bucket, uint16_t tag, uint32_t ref) noexcept {
  for (uint32_t mask = PlacesWith(bucket, tag); mask != 0; mask &= mask - 1) {
    const int place = std::countr_zero(mask);
    if (bucket.refs[place] != ref) continue;
    bucket.tags[place] = 0;
    bucket.refs[place] = 0;
    return true;
  }
  return false;
}

bool Index::Insert(uint64_t hash, Reference reference) noexcept {
  const uint16_t tag = TagOf(hash);
  const uint32_t primary = PrimaryOf(hash);
  if (PutIfRoom(buckets_[primary], tag, reference)) return true;
  const uint32_t alternate = AlternateOf(primary, tag);
  if (PlacesWith(buckets_[alternate], 0) == 0 && !MakeRoom(primary, alternate)) return false;

  if (PutIfRoom(buckets_[primary], tag, reference)) return true;
  ++buckets_[primary].displaced;
  const bool placed = PutIfRoom(buckets_[alternate], tag, reference | kDisplaced);
  TANDEM_ASSERT(placed);
  return true;
}

bool Index::Erase(uint64_t hash, Reference reference) noexcept {
  const uint16_t tag = TagOf(hash);
  Bucket& primary = buckets_[PrimaryOf(hash)];
  if (Remove(primary, tag, reference)) return true;
  if (primary.displaced == 0) return false;
  Bucket& alternate = buckets_[AlternateOf(PrimaryOf(hash), tag)];
  if (!Remove(alternate, tag, reference | kDisplaced)) return false;
  --primary.displaced;
  return true;
}

// Breadth-first from both full buckets: over every entry to its other bucket, until one has a free
// place. The shortest path visits no bucket twice, so it can be walked back without surprises, and
// nothing is changed before it is found.
bool Index::MakeRoom(uint32_t primary, uint32_t alternate) noexcept {
  Step steps[kSearchMax];
  steps[0] = {primary, 0, 0};
  steps[1] = {alternate, 1, 0};
  uint16_t count = 2;
  for (uint16_t current = 0; current < count; ++current) {
    const Bucket& bucket = buckets_[steps[current].bucket];
    for (uint16_t place = 0; place < kPlaces && count < kSearchMax; ++place) {
      const uint32_t other = AlternateOf(steps[current].bucket, bucket.tags[place]);
      if (other == steps[current].bucket) continue;
      steps[count] = {other, current, place};
      if (PlacesWith(buckets_[other], 0) != 0) {
        Push({steps, count + 1U}, count);
        return true;
      }
      ++count;
    }
  }
  return false;
}

// Moves the entries along the path that ends in steps[last], the one nearest the free place first.
void Index::Push(std::span<const Step> steps, uint16_t last) noexcept {
  for (uint16_t at = last; steps[at].parent != at; at = steps[at].parent) {
    const Step& step = steps[at];
    MoveToOther(buckets_[steps[step.parent].bucket], step.place, buckets_[step.bucket]);
  }
}

void Index::MoveToOther(Bucket& source, unsigned place, Bucket& target) noexcept {
  const uint32_t moved = source.refs[place] ^ kDisplaced;
  const bool placed = PutIfRoom(target, source.tags[place], moved);
  TANDEM_ASSERT(placed);
  source.tags[place] = 0;
  source.refs[place] = 0;
  if ((moved & kDisplaced) != 0) {
    ++source.displaced;
  } else {
    --target.displaced;
  }
}

}  // namespace tandem::flow
