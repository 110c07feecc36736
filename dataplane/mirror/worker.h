// SPDX-License-Identifier: Apache-2.0
//
// All mirroring that one worker does: the streams of every traffic group it writes or reads, and its
// ends of the rings to the mirror lcore. The pipeline notes changes through it; the unit gives it a
// turn.
//
// Bounded work a turn: kFramesInMax frames applied, kFramesOutMax built, kSlotsMax slots swept. Data
// packets come first: under a full receive burst the unit asks for less.
//
// A group's streams are with one peer each: with whom, is said when they begin (FrameSlot::peer), and what
// comes of another one is not theirs. Of records each peer has a stream each way.
//
// Which of a group's two streams runs, the worker's copy of the roles decides: what is written to a
// shadow, and what is told to a peer, is each done in its own role only. A device that becomes active
// closes its reading end before it adopts the first flow; one that becomes standby closes its writing
// end, and gets no turn before its flows are given up.
//
// Thread safety: the worker's thread; counters, claim and Find… by any; Prepare by control.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/base/counter_list.h"
#include "dataplane/config/live_counts.h"
#include "dataplane/config/roles.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/mirror/exchange.h"
#include "dataplane/mirror/flow_batch.h"
#include "dataplane/mirror/flow_receiver.h"
#include "dataplane/mirror/flow_sender.h"
#include "dataplane/mirror/persist_sync.h"
#include "dataplane/mirror/sync_state.h"
#include "dataplane/mirror/translation.h"
#include "dataplane/persist/table.h"

namespace tandem::mirror {

// X(name, help)
#define TANDEM_MIRROR_WORKER_COUNTERS(X)                            \
  X(frames_in, "frames of streams that workers took")               \
  X(frames_out, "frames of streams that workers built")             \
  X(ring_full, "frames not built yet: the mirror thread is behind") \
  X(unknown_group, "frames of streams that do not exist")           \
  X(other_peer, "frames of a peer that the group is not mirrored with any more")

struct WorkerCounters {
  TANDEM_MIRROR_WORKER_COUNTERS(TANDEM_COUNTER_MEMBER)
  TANDEM_FOR_EACH_COUNTER(TANDEM_MIRROR_WORKER_COUNTERS)
};

class WorkerMirror {
 public:
  static constexpr unsigned kFramesInMax = 8;
  static constexpr unsigned kFramesOutMax = 8;
  static constexpr unsigned kSlotsMax = 1024;
  static constexpr unsigned kBucketsMax = 256;
  static constexpr unsigned kBudgetMax = 8;

  // `roles` is the worker's copy. 1 <= peers <= kPeersMax.
  WorkerMirror(unsigned worker, Tables tables, config::LiveCounts& live, persist::Table& records,
               const config::Roles& roles, size_t peers);
  ~WorkerMirror();

  // The stream that tells of the group's flows. REQUIRES: Prepare(group).
  FlowSender& sender(config::TrafficGroupId group) noexcept { return *senders_[group]; }
  // nullptr: there is none.
  const FlowSender* FindSender(config::TrafficGroupId group) const noexcept {
    return group < groups_end_.load(std::memory_order_acquire) ? senders_[group].get() : nullptr;
  }
  const FlowReceiver* FindReceiver(config::TrafficGroupId group) const noexcept {
    return group < groups_end_.load(std::memory_order_acquire) ? receivers_[group].get() : nullptr;
  }

  // The worker's thread.
  Tables tables() const noexcept { return tables_; }

  const PersistSender& persist_sender(config::PeerIndex peer = 0) const noexcept {
    return *persist_senders_[peer];
  }
  const PersistReceiver& persist_receiver(config::PeerIndex peer = 0) const noexcept {
    return *persist_receivers_[peer];
  }

  // Control, before a snapshot with `group` is published: allocates its streams and those of lower
  // numbers. Idempotent.
  void Prepare(config::TrafficGroupId group);

  // The worker's copy of the roles changed; before anything is done in a new role.
  void RolesChanged() noexcept;

  // One turn. `budget` in 1..kBudgetMax scales the bounds above. Without `may_read` nothing is written
  // to a shadow: flows are still being given up. Returns whether there was anything to do.
  bool Turn(const config::Snapshot& snapshot, const Translations& translations, Nanos now,
            unsigned budget, bool may_read) noexcept;

  // How far this worker is with the group, by its role.
  const AtomicSyncClaim& claim(config::TrafficGroupId group) const noexcept {
    return claims_[group];
  }

  // Of a group that is frozen here: the session in which the peer has acknowledged all that was told of
  // it; 0: not all yet.
  uint32_t drained_session(config::TrafficGroupId group) const noexcept {
    return drained_[group].load(std::memory_order_acquire);
  }

  FrameRing& inbound() noexcept { return inbound_; }    // the mirror lcore produces
  FrameRing& outbound() noexcept { return outbound_; }  // the mirror lcore consumes
  const WorkerCounters& counters() const noexcept { return counters_; }

 private:
  bool Receive(const config::Snapshot& snapshot, const Translations& translations, Nanos now,
               unsigned frames) noexcept;
  [[nodiscard]] bool Take(const FrameSlot& slot, const config::Snapshot& snapshot,
                          const Translation* translation, Nanos now) noexcept;
  void TakeFrame(const FrameSlot& slot, const config::Snapshot& snapshot,
                 const Translation* translation, Nanos now) noexcept;
  bool Tidy(const config::Snapshot& snapshot, const Translations& translations,
            unsigned slots) noexcept;
  unsigned Send(const config::Snapshot& snapshot, Nanos now, unsigned frames) noexcept;
  void TakeRecords(const FrameSlot& slot, const config::Snapshot& snapshot,
                   const Translation* translation, Nanos now) noexcept;
  template <class Build>
  bool Fill(config::PeerIndex peer, unsigned& frames, Build&& build) noexcept;
  bool SendRecords(config::PeerIndex peer, const config::Snapshot& snapshot, uint16_t credit,
                   Nanos now, unsigned& frames) noexcept;
  bool SendOf(config::TrafficGroupId group, const config::Snapshot& snapshot, uint16_t credit,
              Nanos now, unsigned& frames) noexcept;
  uint16_t Credit() const noexcept;
  void Claim(const config::Snapshot& snapshot) noexcept;

  const unsigned worker_;
  Tables tables_;
  config::LiveCounts& live_;
  const config::Roles& roles_;
  PersistTellers tellers_{};
  std::vector<std::unique_ptr<PersistSender>> persist_senders_;      // by peer
  std::vector<std::unique_ptr<PersistReceiver>> persist_receivers_;  // likewise
  FrameRing inbound_;
  FrameRing outbound_;
  FlowBatchWriter batch_writer_;  // of all groups: one frame at a time
  ReceiverShare receiver_share_;
  std::array<std::unique_ptr<FlowSender>, kTrafficGroupsMax + 1> senders_;
  std::array<std::unique_ptr<FlowReceiver>, kTrafficGroupsMax + 1> receivers_;
  std::array<config::PeerIndex, kTrafficGroupsMax + 1> writes_to_{};  // of streams that were opened
  std::array<config::PeerIndex, kTrafficGroupsMax + 1> reads_from_{};
  std::array<AtomicSyncClaim, kTrafficGroupsMax + 1> claims_{};
  std::array<std::atomic<uint32_t>, kTrafficGroupsMax + 1> drained_{};
  std::atomic<config::TrafficGroupId> groups_end_{1};  // streams from 1 on below it are there
  WorkerCounters counters_;
  bool may_read_ = false;
  bool has_more_ = false;  // there was more to do than a turn's share, at the last look
  Nanos looked_at_ = 0;
  config::TrafficGroupId tidied_group_ = 1;
  config::TrafficGroupId next_group_ = 1;  // whose turn it is to send first
};

}  // namespace tandem::mirror
