// SPDX-License-Identifier: Apache-2.0
//
// The inside of FlowSender. Its functions are in flow_sender.cc (noting, sessions, acknowledgements),
// sender_build.cc (frames: live changes, bulk), and sender_audit.cc (digests, repair, state).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "dataplane/base/mutation.h"
#include "dataplane/mirror/dirty_list.h"
#include "dataplane/mirror/flow_batch.h"
#include "dataplane/mirror/flow_sender.h"
#include "dataplane/mirror/old_bytes.h"
#include "dataplane/mirror/range_book.h"
#include "dataplane/mirror/window.h"

namespace tandem::mirror {

// Bytes that may be sent at a pace.
class Allowance {
 public:
  void Reset(Nanos now) noexcept { *this = {.now_ = now, .bytes_ = 0}; }
  // What is saved up is what 5 ms bring, so that a pause is no licence to flood.
  void Refill(uint64_t rate, Nanos now) noexcept {
    constexpr Nanos kSpan = 5 * kMillisecond;
    const Nanos passed = std::min(now - now_, kSpan);
    const auto most = static_cast<int64_t>(rate / (kSecond / kSpan));
    now_ = now;
    bytes_ = std::min(most, bytes_ + static_cast<int64_t>(passed * (rate / 1'000'000) / 1000));
  }
  bool has_any() const noexcept { return bytes_ >= 0; }
  void Spend(uint64_t bytes) noexcept { bytes_ -= static_cast<int64_t>(bytes); }

  Nanos now_ = 0;
  int64_t bytes_ = 0;
};

template <class Hot>
class SlotRows;

struct FlowSender::Impl {
  static constexpr uint32_t kTogether = 32;  // slots, whose rows are added column by column
  static constexpr uint32_t kBulkSlotsPerFrame = 4096;  // looked at
  static constexpr uint32_t kRangesPerFrame = 8;
  static constexpr uint32_t kRangesTriedPerFrame = 64;
  static constexpr uint32_t kDrainedPerCall = 256;  // slots
  static constexpr uint32_t kWaitsEndedPerCall = 256;
  static constexpr uint32_t kTouchesMax = 1024;  // waiting
  static constexpr Nanos kTouchDelay = 10 * kMillisecond;
  static constexpr Nanos kSilenceMax = kSecond;
  static constexpr Nanos kAuditRound = 60 * kSecond;
  static constexpr Nanos kBusyMax = 500 * kMillisecond;  // a range is not asked for any longer
  static constexpr Nanos kRepairPause = kMillisecond;
  static constexpr Nanos kLagMax = 2 * kSecond;
  static constexpr Nanos kLagGood = 100 * kMillisecond;
  static constexpr Nanos kLagGoodFor = kSecond;
  static constexpr Nanos kLookPause = 100'000;
  static constexpr uint32_t kRowBytesMax = 24;      // about, of creates that have little in common
  static constexpr uint32_t kRowsWaitingMax = 512;  // however short they are
  static constexpr uint32_t kRangeCost = 1024;  // bytes of the bulk's allowance that a digest takes
  static constexpr Note kAuditNote = 0x80000000;  // | range << 1 | is_ipv6

  template <class Hot>
  struct Family {
    Family(config::TrafficGroupId group_number, flow::FlowTable<Hot>& flows)
        : group(group_number), table(flows), ranges(flows.pages().LogicalMax()) {}

    uint32_t Logical(uint32_t slot) const noexcept { return table.pages().LogicalSlot(slot); }
    bool IsDirty(uint32_t slot) const noexcept {
      return flow::IsMirrorDirty(table.cold(slot).mirror_link);
    }
    bool IsLater(uint32_t slot) const noexcept {
      return table.cold(slot).mirror_link == kMirrorLater;
    }
    uint32_t dirty_size() const noexcept { return dirty.size() + later.size(); }
    // Whether the peer is to have it; else it is to know that the slot is free.
    bool IsTold(uint32_t slot) const noexcept {
      const flow::FlowCommon& common = table.hot(slot).common;
      return common.state != flow::State::kFree && (common.flags & flow::kMirrored) != 0;
    }
    // The slot is spoken of once more, or `count` slots of its range once less: their names must stay true
    // that long.
    void Keep(uint32_t slot) noexcept {
      if (ranges.Take(slot)) Hold(slot);
    }
    void Hold(uint32_t slot) noexcept {
      if (!Mutated(Mutation::kPageNotHeld)) table.pages().Hold(slot);
    }
    void LetGo(uint32_t slot, uint32_t count = 1) noexcept {
      if (ranges.Release(slot, count) && !Mutated(Mutation::kPageNotHeld))
        table.pages().Unhold(slot);
    }
    uint32_t end() const noexcept { return table.pages().LogicalEnd(group); }

    config::TrafficGroupId group;
    flow::FlowTable<Hot>& table;
    DirtyList<Hot> dirty;
    LaterList<Hot> later;
    RangeBook ranges;
    uint32_t bulk_cursor = UINT32_MAX;  // logical slots below it have been gone through
  };

  struct TouchNote {
    uint32_t slot = 0;
    bool is_ipv6 = false;
  };

  Impl(config::TrafficGroupId group_number, unsigned worker_number, Tables tables,
       FlowBatchWriter& batch_writer)
      : group(group_number),
        worker(worker_number),
        family4(group_number, tables.flows4),
        family6(group_number, tables.flows6),
        writer(batch_writer),
        batch(batch_writer.impl()) {}

  template <class Hot>
  Family<Hot>& Of() noexcept {
    if constexpr (Hot::kIsIpv6) {
      return family6;
    } else {
      return family4;
    }
  }
  RangeBook& RangesOf(bool is_ipv6) noexcept { return is_ipv6 ? family6.ranges : family4.ranges; }

  // ---- flow_sender.cc
  template <class Hot>
  void MarkDirty(uint32_t slot) noexcept;
  template <class Hot>
  [[gnu::noinline]] void MarkFirstOfRange(uint32_t slot) noexcept;
  template <class Hot>
  void MarkLater(uint32_t slot) noexcept;
  template <class Hot>
  void EndWaits(Nanos until) noexcept;
  template <class Hot>
  void NewVersion(uint32_t slot) noexcept;
  template <class Hot>
  void SetMirrored(uint32_t slot) noexcept;
  void AbandonInFlight() noexcept;
  template <class Hot>
  void Drain(uint32_t budget) noexcept;
  template <class Hot>
  void OnLostSlot(uint32_t slot, Nanos since) noexcept;
  void OnLost(std::span<const Note> notes) noexcept;
  void OnAcknowledged(std::span<const Note> notes) noexcept;
  void Look() noexcept;

  // ---- sender_build.cc
  bool is_bulk_running() const noexcept { return bulk_end == 0; }
  bool IsLiveDue(Nanos flush) const noexcept;
  bool AreTouchesDue() const noexcept;
  bool BuildNext(FrameSlot& out, const config::Snapshot& snapshot) noexcept;
  bool BuildOld(FrameSlot& out, const config::Snapshot& snapshot) noexcept;
  bool BuildBackground(FrameSlot& out, const config::Snapshot& snapshot) noexcept;
  bool BuildLive(FrameSlot& out, const config::Snapshot& snapshot) noexcept;
  bool BuildBulk(FrameSlot& out, const config::Snapshot& snapshot) noexcept;
  template <class Hot>
  [[gnu::noinline]] bool AddKnownOrUnbound(const Hot& hot, const FlowName& name) noexcept;
  template <class Hot>
  size_t AddCloses(const SlotRows<Hot>& rows, size_t count) noexcept;
  template <class Hot>
  size_t AddFlows(const SlotRows<Hot>& rows, size_t count) noexcept;
  template <class Hot>
  size_t AddSlots(std::span<const uint32_t> slots) noexcept;
  template <class Hot>
  bool AddDirty() noexcept;
  template <class Hot>
  uint32_t ViewBulk(uint32_t first, uint32_t count, std::span<uint32_t, kTogether> slots) noexcept;
  template <class Hot>
  bool AddBulk(uint32_t& budget) noexcept;
  template <class Hot>
  bool AddTouch(uint32_t slot) noexcept;
  void AddTouches() noexcept;
  void BeginFrame(const config::Snapshot& snapshot) noexcept;
  void FinishFrame(FrameSlot& out, const config::Snapshot& snapshot) noexcept;
  void CountFrame(size_t size) noexcept;

  // ---- sender_audit.cc
  void BeginPass() noexcept;
  uint32_t RangesDue() const noexcept;
  bool BuildAudit(FrameSlot& out, const config::Snapshot& snapshot) noexcept;
  template <class Hot>
  uint32_t AddAudits(uint32_t most, const config::Dictionary& dictionary) noexcept;
  template <class Hot>
  uint64_t Digest(uint32_t range, const config::Dictionary& dictionary) noexcept;
  void OnMismatch(uint32_t stamp) noexcept;
  template <class Hot>
  bool Renew(uint32_t range) noexcept;
  template <class Hot>
  bool BeginPageOf(uint32_t logical) noexcept;
  void UpdateState() noexcept;
  uint32_t unproved() const noexcept {
    return family4.ranges.unproved() + family6.ranges.unproved();
  }
  Nanos OldestUnacknowledged() const noexcept;

  const config::TrafficGroupId group;
  const unsigned worker;
  Family<flow::FlowHot4> family4;
  Family<flow::FlowHot6> family6;
  SendWindow window;
  FlowBatchWriter& writer;
  FlowBatchWriter::Impl& batch;  // the writer's, where rows are many
  SenderCounters counters;
  SessionTerms terms;
  bool open = false;
  Nanos now = 0;

  // The frame being built.
  std::array<Note, kRowsMax> notes{};
  uint32_t notes_count = 0;
  Nanos frame_since = kNever;  // oldest change in it
  uint32_t frames_built = 0;
  uint32_t row_bytes = kRowBytesMax;        // about, of the live changes told of late
  std::array<Nanos, 256> since_of_frame{};  // by number, of those in flight
  [[no_unique_address]] OldBytes old_bytes;

  std::array<TouchNote, kTouchesMax> touches{};
  uint32_t touches_count = 0;
  Nanos touched_at = 0;  // the oldest of them

  Allowance allowance;  // of bulk and digests
  Nanos bulk_end = 0;   // when the cursor passed the end; 0: it has not

  StreamState state = StreamState::kSyncing;
  StreamState announced = StreamState::kSyncing;
  Nanos sent_at = 0;  // the last frame
  Nanos lag_bad_at = 0;
  Nanos looked_at = 0;
  Nanos oldest = kNever;  // change not acknowledged, when last looked
  // When the first frame went out since one was acknowledged last; 0: none did.
  Nanos unanswered_since = 0;

  Nanos pass_began = 0;
  uint32_t pass_asked = 0;   // ranges, of this pass
  uint32_t pass_ranges = 0;  // in it
  Nanos repaired_at = 0;
  // Ranges that are never quiet are told whole instead, so that they are equal by construction once all
  // that was dirty then is acknowledged.
  std::array<Note, 64> renewed{};
  uint32_t renewed_count = 0;
  Nanos renewed_at = 0;
};

}  // namespace tandem::mirror
