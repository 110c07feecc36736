// SPDX-License-Identifier: Apache-2.0
#include "dataplane/flow/timers.h"

#include <algorithm>

#include "dataplane/base/assert.h"
#include "dataplane/flow/memory_carver.h"

namespace tandem::flow {
namespace {

static_assert(Timers::kBuckets <= BitTree::kSizeMax);

// The first of a list has no slot before it, but its `previous` must differ from that of a slot in
// no list (kNoSlot). Slots and bucket indexes stay far below kHead.
constexpr uint32_t kHead = 1U << 31;

struct TimerMemory {
  uint32_t* heads;
  uint64_t* occupied;
};

TimerMemory Carve(MemoryCarver& carver) {
  return {carver.Take<uint32_t>(Timers::kBuckets),
          carver.Take<uint64_t>(BitTree::WordsNeeded(Timers::kBuckets))};
}

}  // namespace

size_t Timers::BytesNeeded() {
  MemoryCarver carver;
  Carve(carver);
  return carver.used();
}

Timers::Timers(std::span<std::byte> memory, FlowCold* cold, Tick now)
    : cold_(cold), heads_(nullptr), cursor_(now >> kBucketTicksShift) {
  MemoryCarver carver(memory);
  const TimerMemory carved = Carve(carver);
  heads_ = carved.heads;
  occupied_ = BitTree(carved.occupied);
}

// Signed distance from the cursor, across the wrap of bucket numbers.
int32_t Timers::BucketsTo(uint32_t bucket) const noexcept {
  const uint32_t distance = (bucket - cursor_) << kBucketTicksShift;
  return static_cast<int32_t>(distance) >> kBucketTicksShift;
}

// How many buckets behind the cursor's the next occupied one is; kBuckets when all are empty.
uint32_t Timers::BucketsToOccupied() const noexcept {
  const uint32_t at = cursor_ % kBuckets;
  uint32_t found = occupied_.FirstFrom(at);
  if (found == BitTree::kNone) found = occupied_.FirstFrom(0);
  return found == BitTree::kNone ? kBuckets : (found - at) % kBuckets;
}

void Timers::Arm(uint32_t slot, Tick deadline) noexcept {
  Unlink(slot);
  // Rounded up: a bucket comes up when its first tick is reached.
  const bool is_between = (deadline & ((1U << kBucketTicksShift) - 1)) != 0;
  const uint32_t wanted = ((deadline >> kBucketTicksShift) + (is_between ? 1 : 0)) & kBucketMask;
  const int32_t ahead = std::clamp(BucketsTo(wanted), 0, static_cast<int32_t>(kBuckets) - 1);
  const uint32_t bucket = (cursor_ + static_cast<uint32_t>(ahead)) % kBuckets;

  FlowCold& cold = cold_[slot];
  const uint32_t first = heads_[bucket] - 1;  // 0 - 1 is kNoSlot
  cold.timer_next = first;
  cold.timer_previous = kHead | bucket;
  if (first != kNoSlot) {
    cold_[first].timer_previous = slot;
  } else {
    occupied_.Set(bucket);
  }
  heads_[bucket] = slot + 1;
}

void Timers::Disarm(uint32_t slot) noexcept {
  Unlink(slot);
}

void Timers::Unlink(uint32_t slot) noexcept {
  FlowCold& cold = cold_[slot];
  if (cold.timer_previous == kNoSlot) return;
  if (cold.timer_next != kNoSlot) cold_[cold.timer_next].timer_previous = cold.timer_previous;
  if ((cold.timer_previous & kHead) != 0) {
    const uint32_t bucket = cold.timer_previous & ~kHead;
    heads_[bucket] = cold.timer_next + 1;  // kNoSlot + 1 is 0
    if (cold.timer_next == kNoSlot) occupied_.Clear(bucket);
  } else {
    cold_[cold.timer_previous].timer_next = cold.timer_next;
  }
  cold.timer_next = kNoSlot;
  cold.timer_previous = kNoSlot;
}

uint32_t Timers::PopDue(Tick now) noexcept {
  const uint32_t current = now >> kBucketTicksShift;
  const int32_t due = BucketsTo(current);
  if (due < 0) return kNoSlot;  // `now` is older than in the last call
  const uint32_t ahead = BucketsToOccupied();
  if (ahead > static_cast<uint32_t>(due) || ahead == kBuckets) {
    cursor_ = current;
    return kNoSlot;
  }
  cursor_ = (cursor_ + ahead) & kBucketMask;
  const uint32_t slot = heads_[cursor_ % kBuckets] - 1;
  const uint32_t next = cold_[slot].timer_next;
  if (next != kNoSlot) __builtin_prefetch(&cold_[next]);
  Unlink(slot);
  return slot;
}

size_t Timers::TakeDue(Tick now, std::span<uint32_t> due) noexcept {
  size_t count = 0;
  for (uint32_t slot = kNoSlot; count < due.size() && (slot = PopDue(now)) != kNoSlot;)
    due[count++] = slot;
  return count;
}

uint32_t Timers::LagTicks(Tick now) const noexcept {
  const int32_t due = BucketsTo(now >> kBucketTicksShift);
  const uint32_t ahead = BucketsToOccupied();
  if (due < 0 || ahead > static_cast<uint32_t>(due) || ahead == kBuckets) return 0;
  return now - ((cursor_ + ahead) << kBucketTicksShift);
}

void Timers::AddEmbryonic(uint32_t slot) noexcept {
  FlowCold& cold = cold_[slot];
  TANDEM_ASSERT(cold.embryonic_previous == kNoSlot);
  cold.embryonic_next = kNoSlot;
  if (embryonic_youngest_ == kNoSlot) {
    cold.embryonic_previous = kHead;
    embryonic_oldest_ = slot;
  } else {
    cold.embryonic_previous = embryonic_youngest_;
    cold_[embryonic_youngest_].embryonic_next = slot;
  }
  embryonic_youngest_ = slot;
}

void Timers::RemoveEmbryonic(uint32_t slot) noexcept {
  FlowCold& cold = cold_[slot];
  if (cold.embryonic_previous == kNoSlot) return;
  const bool is_oldest = cold.embryonic_previous == kHead;
  if (is_oldest) {
    embryonic_oldest_ = cold.embryonic_next;
  } else {
    cold_[cold.embryonic_previous].embryonic_next = cold.embryonic_next;
  }
  if (cold.embryonic_next != kNoSlot) {
    cold_[cold.embryonic_next].embryonic_previous = cold.embryonic_previous;
  } else {
    embryonic_youngest_ = is_oldest ? kNoSlot : cold.embryonic_previous;
  }
  cold.embryonic_next = kNoSlot;
  cold.embryonic_previous = kNoSlot;
}

uint32_t Timers::OldestEmbryonic() const noexcept {
  return embryonic_oldest_;
}

}  // namespace tandem::flow
