// SPDX-License-Identifier: Apache-2.0
//
// The reading end of a flow stream: keeps the shadow of one traffic group's flows of one worker, in
// the worker's ordinary tables, at the same logical slots as the writer's, found by both keys.
//
// Theory of operation. A row is applied when its register is not older than the slot's; so frames may
// come late, twice, and in any order. Flows of a key that a newer flow has are dropped: the writer has
// one flow a key, so the one with the lower birth is over and its close is on its way. A shadow flow has
// no timer, ends by its writer's word only, and forwards nothing before it is adopted (pipeline/shadow.h).
//
// A slot of an earlier session counts as never used. Its flow stays until the first pass of the new
// session was acknowledged, and is then swept out: should the writer die before, this device takes over
// with the best that it has. It gives way before to whatever needs its slot, a key of it, or, when
// there is no room, its page.
//
// A frame is acknowledged when all of it was applied. One that says nothing wrong but cannot be
// applied yet (an update of a flow whose create is still to come, a dictionary not yet read, no room)
// is not, and its contents come again.
//
// Pure. Thread safety: the worker that owns the tables.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "dataplane/base/counter.h"
#include "dataplane/base/limits.h"
#include "dataplane/config/live_counts.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/mirror/exchange.h"
#include "dataplane/mirror/flow_batch.h"
#include "dataplane/mirror/tables.h"
#include "dataplane/mirror/translation.h"

namespace tandem::mirror {

struct ReceiverCounters {
  Counter frames;
  Counter creates;
  Counter updates;
  Counter closes;
  Counter touches;
  Counter stale_rows;  // older than what is there
  Counter duplicate_frames;
  Counter early_updates;  // of flows not there: the frame was not acknowledged
  Counter displaced;      // flows that a newer flow of the same key replaced
  Counter no_room;        // frames not acknowledged for lack of slots
  Counter blocked;        // rows not applied yet: this device itself is not through with the slot
  Counter refused;        // rows skipped: a flow of another traffic group has the key
  Counter
      not_translatable;  // frames not acknowledged: dictionary or configuration of another version
  std::array<Counter, kBatchErrorCount> malformed;  // frames, by BatchError
  Counter audits_equal;
  Counter audits_skipped;  // newer changes had come already
  Counter audit_mismatches;
  Counter swept;         // flows of an earlier session
  Counter unbound;       // level: flows whose virtual or member is not in the configuration
  Counter flows;         // level
  Counter session;       // level; 0: none
  Counter writer_state;  // level: StreamState as the newest frame said
  Counter last_frame;    // level: Nanos when the last frame came
};

// What the receivers of a worker have in common.
struct ReceiverShare {
  FlowBatchReader reader;  // scratch; holds nothing between two calls
  // FlowCold::mirror_link of what came with each group's open session; 0: none is open.
  std::array<uint32_t, kTrafficGroupsMax + 1> marks{};
};

class FlowReceiver {
 public:
  FlowReceiver(config::TrafficGroupId group, unsigned worker, Tables tables,
               config::LiveCounts& live, ReceiverShare& share);
  ~FlowReceiver();

  // A new session: what is here counts for a takeover only, and for no longer than it has to.
  void Open(const SessionTerms& terms, Nanos now) noexcept;
  // The stream ends. The shadow stays as it is, or (discard) is swept out.
  void Close(bool discard) noexcept;
  bool is_open() const noexcept;

  // Applies one opened data frame, or parts of it.
  void Apply(const FrameSlot& slot, const Translation& translation,
             const config::Snapshot& snapshot, Nanos now) noexcept;
  // Fills `slot` with an acknowledgement when one is due: after two frames, 100 us, a mismatch, or a
  // second of silence.
  [[nodiscard]] bool BuildAck(FrameSlot& slot, uint16_t credit, Nanos now) noexcept;

  // Sweeps what is to go, binds unbound flows after a change of configuration; at most `budget`
  // slots are looked at. Returns whether there is more to do.
  bool Tidy(const Translation* translation, const config::Snapshot& snapshot,
            unsigned budget) noexcept;

  // The newest frame said kInSync, none before it has been missing for long, and nothing of an
  // earlier session is left.
  bool in_sync() const noexcept;
  // Every flow was looked at under this configuration, by its generation …
  bool is_settled(uint64_t generation) const noexcept;
  // … and belongs to what it has.
  bool is_bound(uint64_t generation) const noexcept;
  const ReceiverCounters& counters() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tandem::mirror
