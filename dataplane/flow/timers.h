// SPDX-License-Identifier: Apache-2.0
//
// When flows end by themselves. A timing wheel with lazy re-arming: an established packet only
// stamps last_seen; when the flow's bucket comes round, the caller says how long the flow still has
// and it is filed again, or ends. Deadlines beyond the wheel's horizon are filed at the horizon.
//
// Beside it, the embryonic list: half-open flows, oldest first, so that a full table can reap them.
//
// Thread safety: one worker, as FlowTable. Everything is O(1) but TakeDue, whose work is bounded by the
// room it is given: what it cannot take now it takes in the next call, late but never skipped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/base/time.h"
#include "dataplane/flow/bit_tree.h"
#include "dataplane/flow/flow.h"

namespace tandem::flow {

class Timers {
 public:
  static constexpr unsigned kBucketTicksShift = 3;  // a bucket is 8 ticks, about 8.4 ms
  static constexpr uint32_t kBuckets = 1U << 14;    // horizon about 137 s

  static size_t BytesNeeded();

  // `memory`: BytesNeeded() bytes, 64-byte aligned, zeroed. `cold` is the table's array, which
  // holds the links; those of a slot that is neither armed nor embryonic are as FlowCold starts.
  Timers(std::span<std::byte> memory, FlowCold* cold, Tick now);

  // Files `slot` to come up no earlier than `deadline`, at most one bucket after. Re-arms when
  // armed. A deadline that has passed comes up at the next TakeDue.
  void Arm(uint32_t slot, Tick deadline) noexcept;
  void Disarm(uint32_t slot) noexcept;  // no effect when not armed

  void AddEmbryonic(uint32_t slot) noexcept;     // at the young end
  void RemoveEmbryonic(uint32_t slot) noexcept;  // no effect when not in the list
  uint32_t OldestEmbryonic() const noexcept;     // kNoSlot when there is none
  // Calls `visit(slot)` for the youngest `most`, the youngest first. `visit` leaves the list as it is.
  template <class Visit>
  void VisitYoungestEmbryonic(unsigned most, Visit&& visit) const noexcept {
    uint32_t slot = embryonic_youngest_;
    for (unsigned i = 0; i < most && slot != kNoSlot; ++i) {
      visit(slot);
      slot = slot == embryonic_oldest_ ? kNoSlot : cold_[slot].embryonic_previous;
    }
  }

  // Takes slots whose bucket has passed out of the wheel and into `due`, as many as it has room for;
  // returns how many. The caller arms each again or ends the flow.
  size_t TakeDue(Tick now, std::span<uint32_t> due) noexcept;

  // Whether TakeDue may find something; no more than a look at the bucket that it stands at.
  bool MayBeDue(Tick now) const noexcept {
    return cursor_ != now >> kBucketTicksShift || heads_[cursor_ % kBuckets] != 0;
  }

  // How far TakeDue is behind `now`, in ticks: 0 when it keeps up.
  uint32_t LagTicks(Tick now) const noexcept;

 private:
  // Bucket numbers are ticks without their lowest bits, so they wrap with the tick.
  static constexpr uint32_t kBucketMask = UINT32_MAX >> kBucketTicksShift;

  uint32_t PopDue(Tick now) noexcept;  // moves the cursor on; kNoSlot when nothing is due
  int32_t BucketsTo(uint32_t bucket) const noexcept;
  uint32_t BucketsToOccupied() const noexcept;
  void Unlink(uint32_t slot) noexcept;

  FlowCold* cold_;
  uint32_t* heads_;   // of each bucket: slot + 1, 0 for none
  BitTree occupied_;  // buckets that are not empty
  uint32_t cursor_;   // number of the bucket being emptied; those before it are empty
  uint32_t embryonic_oldest_ = kNoSlot;
  uint32_t embryonic_youngest_ = kNoSlot;
};

}  // namespace tandem::flow
