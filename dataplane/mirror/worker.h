// SPDX-License-Identifier: Apache-2.0
//
// All mirroring that one worker does: the streams of every traffic group it writes or reads, and its
// ends of the rings to the mirror lcore. The pipeline notes changes through it; the unit gives it a
// turn.
//
// Bounded work a turn: kFramesInMax frames applied, kFramesOutMax built, kSlotsMax slots swept. Data
// packets come first: under a full receive burst the unit asks for less.
//
// Thread safety: the worker's thread; counters by any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "dataplane/config/live_counts.h"
#include "dataplane/config/roles.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/mirror/exchange.h"
#include "dataplane/mirror/flow_receiver.h"
#include "dataplane/mirror/flow_sender.h"
#include "dataplane/mirror/persist_sync.h"
#include "dataplane/mirror/translation.h"
#include "dataplane/persist/table.h"

namespace tandem::mirror {

struct WorkerCounters {
  Counter frames_in;
  Counter frames_out;
  Counter ring_full;      // frames that could not be built because the ring was full
  Counter unknown_group;  // frames of streams that do not exist
};

class WorkerMirror {
 public:
  static constexpr unsigned kFramesInMax = 8;
  static constexpr unsigned kFramesOutMax = 8;
  static constexpr unsigned kSlotsMax = 1024;

  WorkerMirror(unsigned worker, unsigned workers, Tables tables, config::LiveCounts& live,
               persist::Table& records, const config::Roles& roles);
  ~WorkerMirror();

  // The stream that tells of the group's flows; made on first use by Prepare, never nullptr then.
  FlowSender& sender(config::TrafficGroupId group) noexcept { return *senders_[group]; }
  const FlowSender* FindSender(config::TrafficGroupId group) const noexcept {
    return senders_[group].get();
  }
  const FlowReceiver* FindReceiver(config::TrafficGroupId group) const noexcept {
    return receivers_[group].get();
  }
  const PersistSender& persist_sender() const noexcept { return *persist_sender_; }
  const PersistReceiver& persist_receiver() const noexcept { return *persist_receiver_; }

  // Control, before a snapshot with `group` is published: allocates its streams. Idempotent.
  void Prepare(config::TrafficGroupId group);

  // One turn. `budget` in 1..8 scales the bounds above. Returns whether there was anything to do.
  bool Turn(const config::Snapshot& snapshot, const Translation* translation, Nanos now,
            unsigned budget) noexcept;

  FrameRing& inbound() noexcept { return inbound_; }    // the mirror lcore produces
  FrameRing& outbound() noexcept { return outbound_; }  // the mirror lcore consumes
  const WorkerCounters& counters() const noexcept { return counters_; }

 private:
  void Receive(const config::Snapshot& snapshot, const Translation* translation, Nanos now,
               unsigned frames) noexcept;
  bool Send(const config::Snapshot& snapshot, Nanos now, unsigned frames) noexcept;

  const unsigned worker_;
  const unsigned workers_;
  Tables tables_;
  config::LiveCounts& live_;
  const config::Roles& roles_;
  FrameRing inbound_;
  FrameRing outbound_;
  std::array<std::unique_ptr<FlowSender>, kTrafficGroupsMax + 1> senders_;
  std::array<std::unique_ptr<FlowReceiver>, kTrafficGroupsMax + 1> receivers_;
  std::atomic<config::TrafficGroupId> groups_end_{0};  // streams below it are there
  std::unique_ptr<PersistSender> persist_sender_;
  std::unique_ptr<PersistReceiver> persist_receiver_;
  WorkerCounters counters_;
  config::TrafficGroupId next_group_ = 1;  // whose turn it is to send first
};

}  // namespace tandem::mirror
