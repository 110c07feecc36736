// SPDX-License-Identifier: Apache-2.0
//
// Mirrors persistence records. Worker w's sender speaks for shard w of the table, the buckets whose
// number is w modulo workers, and, where the peer has fewer workers, for the shards w + streams and so
// on (SessionTerms::streams); then the workers above have no session. Records are named by their key, so
// the peer's table may have any size and the peer any number of workers; that is why this works where
// mirroring flows does not.
//
// A record is told when it is made, changed, or gone, and when its use would otherwise let the peer's
// copy run out. Instead of versions, order: a frame is applied only when its number is higher than
// that of every frame applied before, and only then acknowledged; what an overtaken frame carried
// comes again, as it is by then, in a later one. So the peer needs to remember nothing of a record that
// is gone, and none comes back.
//
// Sender. A bucket in which a record is to be told (persist::kDirty) is in its shard's list. Building a
// frame takes buckets off it and renders their dirty records; until the frame's fate is known the
// bucket is not rendered again. Acknowledged, its records are as the peer has them, and marks of
// removed ones go; lost, they are dirty again. A new session, a group whose active this device became,
// and a configuration that mirrors other profiles begin a pass over all buckets, beside the changes.
//
// Receiver. A worker may read several streams, one for each of the peer's workers that the mirror lcore
// gives it; their frames are told apart by the header's worker. Copies that a session did not confirm
// are dropped when its stream says for the first time that it is in sync: they were removed while
// nobody listened. So are, when all its streams do, records that this device made while it was active
// for their group, or had of another peer, if this one is now: what it has counts, tables are never
// merged. Therefore a device begins a new session when the peer has become active for a group. Copies
// age by themselves, later than the writer's (twice the timeout), so that a peer alone for ever does not
// keep them for ever.
//
// Several peers have a sender and a receiver each. A group's records go to the peer that the group is
// mirrored to, and only its sender touches their marks; buckets that change are looked at by all of them.
// What the peer that is active now does not have goes, whichever of the others told of it: of copies, if
// it has told of the group last. A device that gave the group up may say only after that that its
// session is in sync.
//
// Records belong to the traffic group of the virtual they were made through. Those of groups where this
// device is standby, and of no group (which never moves), are not told; those of groups where it is
// active are not taken. One session a device, not a group: the group of a frame is 0.
//
// Pure. Thread safety: one worker each; counters by any.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/base/counter_list.h"
#include "dataplane/config/roles.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/mirror/exchange.h"
#include "dataplane/mirror/translation.h"
#include "dataplane/mirror/window.h"
#include "dataplane/persist/table.h"

namespace tandem::mirror {

// X(name, help)
#define TANDEM_PERSIST_COUNTERS(X)                                                          \
  X(frames, "frames sent, or applied")                                                      \
  X(upserts, "records told of, or put here")                                                \
  X(expires, "ends of records told of, or heard of")                                        \
  X(lost_frames, "frames lost; what they said is sent anew")                                \
  X(bad_acks, "acknowledgements of frames that were never sent")                            \
  X(overtaken, "frames not acknowledged: newer ones came first")                            \
  X(unknown, "records skipped: profile, member or virtual is not configured here")          \
  X(refused, "records skipped: the table is full")                                          \
  X(ours, "records skipped: this device is active for their traffic group")                 \
  X(unconfirmed, "records dropped: a new session did not have them")                        \
  X(malformed, "frames that make no sense")                                                 \
  X(not_translatable, "frames not acknowledged: dictionary or configuration is being read") \
  X(busy, "buckets or frames put off: another thread held a record")

struct PersistCounters {
  TANDEM_PERSIST_COUNTERS(TANDEM_COUNTER_MEMBER)
  TANDEM_FOR_EACH_COUNTER(TANDEM_PERSIST_COUNTERS)
  // Level, sender: buckets in flight and of the pass to come, and 1 when there may be more, or the peer
  // does not know yet that it is in sync.
  Counter pending;
  // Level: StreamState, of a receiver's streams the worst; 0: no session.
  Counter state;
  Counter session;  // level; 0: none
};

class PersistSender {
 public:
  PersistSender(unsigned worker, persist::Table& table, const config::Roles& roles,
                config::PeerIndex peer = 0);
  ~PersistSender();

  // The senders of the same worker to other peers. All of one worker have to be told, or none.
  void SetSiblings(std::span<PersistSender* const> siblings);
  void Open(const SessionTerms& terms, Nanos now) noexcept;
  void Close() noexcept;
  bool is_open() const noexcept;
  // Fills `slot` with the next frame that is due and returns true; false: nothing is due, or may be
  // sent.
  [[nodiscard]] bool Build(FrameSlot& slot, const config::Snapshot& snapshot, Nanos now) noexcept;
  void OnAck(const FrameHeader& ack, Nanos now) noexcept;
  void OnClock(Nanos now) noexcept;
  // kInSync: the peer has every record, and nothing is on its way.
  StreamState state() const noexcept;
  const PersistCounters& counters() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// By group: which peer told of a record of it last. One for all receivers of a worker.
using PersistTellers = std::array<config::PeerIndex, kTrafficGroupsMax + 1>;

class PersistReceiver {
 public:
  // `tellers` outlives it; nullptr: there is one peer.
  PersistReceiver(unsigned worker, persist::Table& table, const config::Roles& roles,
                  config::PeerIndex peer = 0, PersistTellers* tellers = nullptr);
  ~PersistReceiver();

  void Open(const SessionTerms& terms, Nanos now) noexcept;
  void Close() noexcept;
  bool is_open() const noexcept;
  void Apply(const FrameSlot& slot, const Translation& translation,
             const config::Snapshot& snapshot, Nanos now) noexcept;
  // The next acknowledgement that is due, for one of the streams.
  [[nodiscard]] bool BuildAck(FrameSlot& slot, uint16_t credit, Nanos now) noexcept;
  // Looks at up to `buckets` buckets for copies to be dropped. False: nothing to do.
  bool Tidy(unsigned buckets) noexcept;
  const PersistCounters& counters() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tandem::mirror
