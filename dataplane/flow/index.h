// SPDX-License-Identifier: Apache-2.0
//
// Hash index from key hash to a reference (slot and side), in buckets of one cache line that hold
// ten (16-bit tag, reference) pairs each.
//
// Theory of operation. A key lives in its primary bucket, or, when that was full, in its alternate.
// The primary comes from the upper half of the hash; the alternate is (C(tag) - bucket) mod n,
// which is its own inverse, so that an entry can be moved between its two buckets knowing only its
// tag. Each bucket counts the entries that it would be the primary of but that live in their
// alternate; only when that count is not zero is a second line read. When both buckets are full,
// entries are pushed on to their other buckets along the shortest path to a free place. At a load
// of 60 %, which a full table has, such a path has practically always one or two steps.
//
// The index never sees keys: tags say where a key may be, the caller compares. There may be several
// candidates, and there are no false negatives.
//
// Thread safety: one worker.
//
// Invariants:
//  1. A reference is in the primary or the alternate bucket of its hash, and kDisplaced in it says
//     which; a tag of 0 marks an empty place.
//  2. Bucket::displaced counts the references with kDisplaced whose primary the bucket is.
//
// Limits: Insert fails, changing nothing, when kSearchMax buckets hold no way to a free place.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "dataplane/base/prefetch.h"

namespace tandem::flow {

class Index {
  static constexpr unsigned kPlaces = 10;

 public:
  // A lookup remembers one between its steps; what is in it is the index's business.
  struct alignas(64) Bucket {
    uint16_t tags[kPlaces];  // 0: empty
    uint32_t displaced;
    uint32_t refs[kPlaces];
  };
  static_assert(sizeof(Bucket) == 64);

  using Reference = uint32_t;  // below kReferenceMax
  static constexpr Reference kNone = UINT32_MAX;
  static constexpr Reference kReferenceMax = 1U << 31;

  static size_t BytesNeeded(uint32_t entries);

  // `memory`: BytesNeeded(entries) bytes, 64-byte aligned, zeroed; outlives this.
  Index(std::span<std::byte> memory, uint32_t entries);

  // Where the search for a key begins.
  const Bucket* Primary(uint64_t hash) const noexcept { return &buckets_[PrimaryOf(hash)]; }
  void Prefetch(uint64_t hash) const noexcept { PrefetchForBurst(Primary(hash)); }
  void PrefetchAlternate(uint64_t hash) const noexcept {
    PrefetchForBurst(&buckets_[AlternateOf(PrimaryOf(hash), TagOf(hash))]);
  }

  // The references of one bucket whose tag fits.
  class Candidates {
   public:
    bool empty() const { return mask_ == 0; }
    Reference front() const {
      return refs_[static_cast<unsigned>(std::countr_zero(mask_))] & ~kDisplaced;
    }
    Reference FrontOrNone() const { return empty() ? kNone : front(); }
    void PopFront() { mask_ &= mask_ - 1; }

   private:
    friend class Index;
    const uint32_t* refs_ = nullptr;
    uint32_t mask_ = 0;  // one bit a place
  };

  static Candidates InPrimary(const Bucket* primary, uint64_t hash) noexcept {
    return In(*primary, TagOf(hash));
  }
  Candidates InAlternate(uint64_t hash) const noexcept {
    return In(buckets_[AlternateOf(PrimaryOf(hash), TagOf(hash))], TagOf(hash));
  }
  // Whether a key that is not in its primary bucket may be in its alternate.
  static bool HasDisplaced(const Bucket* primary) noexcept { return primary->displaced != 0; }

  // The first reference that `matches` accepts, or kNone.
  template <class Matches>
  Reference Find(uint64_t hash, const Matches& matches) const noexcept {
    const Bucket* const primary = Primary(hash);
    const Reference found = FirstMatch(InPrimary(primary, hash), matches);
    if (found != kNone || !HasDisplaced(primary)) return found;
    return FirstMatch(InAlternate(hash), matches);
  }

  template <class Matches>
  static Reference FirstMatch(Candidates candidates, const Matches& matches) noexcept {
    for (; !candidates.empty(); candidates.PopFront()) {
      if (matches(candidates.front())) return candidates.front();
    }
    return kNone;
  }

  // False when there is no room. REQUIRES: the reference is not in the index.
  [[nodiscard]] bool Insert(uint64_t hash, Reference reference) noexcept;
  // False when the reference is not there under this hash.
  bool Erase(uint64_t hash, Reference reference) noexcept;

 private:
  static constexpr uint32_t kAllPlaces = (1U << kPlaces) - 1;
  static constexpr uint32_t kDisplaced = 1U << 31;
  static constexpr unsigned kSearchMax = 512;  // buckets that Insert looks at to make room

  struct Step {  // of the search for a free place
    uint32_t bucket;
    uint16_t parent;  // index of the step before
    uint16_t place;   // in the parent's bucket; its entry would move to `bucket`
  };

  static uint32_t BucketCount(uint32_t entries);

  // Odd, so never 0: fifteen bits tell keys apart, and choose among as many alternates.
  static uint16_t TagOf(uint64_t hash) { return static_cast<uint16_t>(hash | 1); }
  uint32_t PrimaryOf(uint64_t hash) const {
    return static_cast<uint32_t>(((hash >> 32) * bucket_count_) >> 32);
  }
  uint32_t AlternateOf(uint32_t bucket, uint16_t tag) const {
    const uint64_t spread = static_cast<uint32_t>(tag * 0x9e3779b1U);
    const auto sum = static_cast<uint32_t>((spread * bucket_count_) >> 32);
    return sum >= bucket ? sum - bucket : sum + bucket_count_ - bucket;
  }

  // One bit for each place of `bucket` that has `tag`.
  static uint32_t PlacesWith(const Bucket& bucket, uint16_t tag) noexcept {
#if defined(__SSE2__)
    // Places 8 and 9 lead the second load; what follows them in it is masked off.
    const auto* const lines = reinterpret_cast<const __m128i*>(&bucket);
    // (In words of 32 bits, for g++ 12 takes one of 16 by way of memory, where its two bytes are waited for.)
    const __m128i wanted = _mm_set1_epi32(static_cast<int32_t>(tag * 0x10001U));
    const __m128i low = _mm_cmpeq_epi16(_mm_load_si128(lines), wanted);
    const __m128i high = _mm_cmpeq_epi16(_mm_load_si128(lines + 1), wanted);
    return static_cast<uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(low, high))) & kAllPlaces;
#else
    uint32_t mask = 0;
    for (unsigned i = 0; i < kPlaces; ++i)
      mask |= uint32_t{bucket.tags[i] == tag} << i;
    return mask;
#endif
  }

  static Candidates In(const Bucket& bucket, uint16_t tag) noexcept {
    Candidates result;
    result.refs_ = bucket.refs;
    result.mask_ = PlacesWith(bucket, tag);
    return result;
  }

  static bool PutIfRoom(Bucket& bucket, uint16_t tag, uint32_t ref) noexcept;
  static bool Remove(Bucket& bucket, uint16_t tag, uint32_t ref) noexcept;
  bool MakeRoom(uint32_t primary, uint32_t alternate) noexcept;
  void Push(std::span<const Step> steps, uint16_t last) noexcept;
  void MoveToOther(Bucket& source, unsigned place, Bucket& target) noexcept;

  Bucket* buckets_;
  uint32_t bucket_count_;
};

}  // namespace tandem::flow
