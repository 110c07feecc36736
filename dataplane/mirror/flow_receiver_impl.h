// SPDX-License-Identifier: Apache-2.0
//
// The inside of FlowReceiver. Its functions are in flow_receiver.cc (sessions, frames,
// acknowledgements), shadow_rows.cc (what a row does), and shadow_tidy.cc (sweeping, binding, pages).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>

#include "dataplane/base/limits.h"
#include "dataplane/base/mutation.h"
#include "dataplane/mirror/flow_receiver.h"
#include "dataplane/mirror/window.h"

namespace tandem::mirror {

struct FlowReceiver::Impl {
  static constexpr Nanos kAckDelay = 100'000;
  static constexpr uint32_t kAckFrames = 2;
  static constexpr Nanos kAckSilence = kSecond;
  static constexpr uint32_t kRangesPerFrame = 16;  // compared
  static constexpr uint64_t kPageRestFrames = 1024;
  static constexpr Nanos kPageRest = kSecond;
  static constexpr Nanos kGapMax = 100 * kMillisecond;
  // No honest writer comes near it; beyond, a takeover would have no births left to give.
  static constexpr flow::Birth kBirthLimit = flow::kBirthMax - (flow::Birth{1} << 32);

  // What became of a row.
  enum class Outcome : uint8_t {
    kSettled,  // applied, or there is nothing to apply
    kLater,    // its frame is not acknowledged
  };

  // A page of the shadow that this receiver holds.
  struct PageNote {
    uint64_t touched = 0;  // highest number seen when a row of it was applied last
    Nanos touched_at = 0;
    bool held = false;
    // While the page was not begun and there was none for it, closes were taken in by frames up to this
    // number: what older frames say of its slots is over.
    uint64_t closed = 0;
  };

  template <class Hot>
  struct Family {
    Family(config::TrafficGroupId group_number, flow::FlowTable<Hot>& flows)
        : group(group_number),
          table(flows),
          page_count(flows.pages().LogicalMax() / uint32_t{kFlowsPerPage}),
          notes(std::make_unique<PageNote[]>(page_count)) {}

    uint32_t SlotAt(uint32_t logical) const noexcept {
      return table.pages().SlotAt(group, logical);
    }
    bool IsShadow(uint32_t slot) const noexcept {
      return (table.hot(slot).common.flags & flow::kShadow) != 0;
    }
    uint32_t end() const noexcept { return table.pages().LogicalEnd(group); }

    config::TrafficGroupId group;
    flow::FlowTable<Hot>& table;
    uint32_t page_count;
    std::unique_ptr<PageNote[]> notes;  // by logical page
    uint32_t pages_held = 0;
    uint32_t page_cursor = 0;  // whose turn it is to be looked at
    uint32_t walk_cursor = 0;  // logical slots below it have been walked
  };

  // The frame being applied.
  struct Frame {
    const Translation& translation;
    const config::Snapshot& snapshot;
    uint64_t sequence;
    Nanos now;
  };

  Impl(config::TrafficGroupId group_number, unsigned worker_number, Tables tables,
       config::LiveCounts& counts, ReceiverShare& receiver_share)
      : group(group_number),
        worker(worker_number),
        live(counts),
        family4(group_number, tables.flows4),
        family6(group_number, tables.flows6),
        share(receiver_share),
        reader(receiver_share.reader) {}

  template <class Hot>
  Family<Hot>& Of() noexcept {
    if constexpr (Hot::kIsIpv6) {
      return family6;
    } else {
      return family4;
    }
  }

  // ---- flow_receiver.cc
  bool ApplyFrame(const FrameSlot& slot, const Frame& frame) noexcept;
  template <class Hot>
  bool ApplyChanges(const Frame& frame) noexcept;
  template <class Hot>
  bool ApplyAudits(const Frame& frame) noexcept;
  template <class Hot>
  uint64_t Digest(uint32_t range, const Frame& frame) noexcept;
  bool is_complete() const noexcept { return window.floor() > newest; }

  // ---- shadow_rows.cc
  template <class Hot>
  Outcome ApplyCreate(const CreateRow<Hot>& row, const Frame& frame) noexcept;
  template <class Hot>
  Outcome ApplyUpdate(const UpdateRow& row, const Frame& frame) noexcept;
  template <class Hot>
  Outcome ApplyClose(const CloseRow& row, const Frame& frame) noexcept;
  template <class Hot>
  void ApplyTouch(uint32_t logical, const Frame& frame) noexcept;
  template <class Hot>
  void PrefetchSlotOf(uint32_t logical) noexcept;
  template <class Hot>
  void PrefetchKeysOf(uint32_t logical) noexcept;
  template <class Hot>
  void PrefetchCreate(const CreateRow<Hot>& row) noexcept;

  uint32_t mark() const noexcept {
    return flow::kMirrorSession | (terms.session & ~flow::kMirrorSession);
  }
  // The slot's register as this session knows it; 0: never used.
  template <class Hot>
  flow::Register ValueOf(uint32_t slot) noexcept {
    const flow::FlowTable<Hot>& table = Of<Hot>().table;
    return table.cold(slot).mirror_link == mark() ? table.register_of(slot) : 0;
  }
  template <class Hot>
  void SetValue(uint32_t slot, flow::Register value) noexcept;
  template <class Hot>
  void HoldPage(uint32_t logical, const Frame& frame) noexcept;
  template <class Hot>
  uint32_t BeginPageOf(uint32_t logical, const Frame& frame) noexcept;
  template <class Hot>
  bool IsBlocked(uint32_t slot) noexcept;
  template <class Hot>
  bool IsOvertaken(uint32_t logical, uint32_t slot, const Frame& frame) noexcept;
  template <class Hot>
  Outcome Insert(const CreateRow<Hot>& row, const Frame& frame) noexcept;
  enum class Conflict : uint8_t { kGone, kRowLoses, kLater, kRefused };
  template <class Hot>
  Conflict ResolveConflict(uint32_t holder, flow::Register value) noexcept;
  template <class Hot>
  void Fill(uint32_t slot, const CreateRow<Hot>& row, const Frame& frame) noexcept;
  template <class Hot>
  void CountUnbound(uint32_t logical, bool more) noexcept;
  template <class Hot>
  void EraseShadow(uint32_t slot) noexcept;
  template <class Hot>
  bool IsOfEarlierSession(uint32_t slot) noexcept;

  // ---- shadow_tidy.cc
  void BeginWalk() noexcept;
  template <class Hot>
  bool Walk(const Translation* translation, const config::Snapshot& snapshot,
            unsigned& budget) noexcept;
  bool Bind(flow::FlowCommon& common, const Translation& translation) noexcept;
  template <class Hot>
  void TidyPages(unsigned pages) noexcept;

  const config::TrafficGroupId group;
  const unsigned worker;
  config::LiveCounts& live;
  Family<flow::FlowHot4> family4;
  Family<flow::FlowHot6> family6;
  ReceiverShare& share;
  FlowBatchReader& reader;
  ReceiveWindow window;
  ReceiverCounters counters;
  SessionTerms terms;
  bool open = false;
  Nanos now = 0;

  uint64_t newest = 0;  // highest number of a frame that came
  StreamState writer_state = StreamState::kSyncing;
  Nanos complete_at = 0;  // when no frame was missing last

  // Acknowledgements.
  uint64_t acks_sent = 0;
  uint32_t unanswered = 0;  // frames
  Nanos unanswered_since = 0;
  Nanos acked_at = 0;
  uint32_t stamp = 0;                                  // of the newest frame
  std::array<uint32_t, kRangesPerFrame> mismatches{};  // to be reported
  uint32_t mismatch_count = 0;

  // Flows of earlier sessions may be there, and stay until the first pass is through or there is no
  // room for what it tells of.
  bool keeps_earlier = false;
  bool lacks_room = false;
  bool has_swept() const noexcept { return !walking && !keeps_earlier; }

  // The walk over all slots that sweeps and binds.
  bool walking = false;
  bool discarding = false;       // nothing of the shadow is to stay
  uint64_t walk_generation = 0;  // of the configuration and dictionary that it binds by
  uint16_t walk_version = 0;
  uint64_t walk_unbound = 0;
};

}  // namespace tandem::mirror
