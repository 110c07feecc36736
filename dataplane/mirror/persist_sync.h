// SPDX-License-Identifier: Apache-2.0
//
// Mirrors persistence records. Worker w's sender speaks for shard w of the table: the buckets whose
// number is w modulo workers. Records are named by their key, so the peer's table may have any size
// and any number of workers; that is why this works where mirroring flows does not.
//
// A record is told when it is made, changed, or gone, and when its use would otherwise let the peer's
// copy run out. Instead of versions, order: a frame is applied only when its number is higher than
// that of every frame applied before, and only then acknowledged; what an overtaken frame carried
// comes again, as it is by then, in a later one. So a record that is gone needs no tombstone.
//
// The peer's copies age by themselves, later than the writer's (twice the timeout), so that a peer
// alone for ever does not keep them for ever.
//
// Records belong to the traffic group of the virtual they were made through; those of groups where
// this device is standby are not told. One session a device, not a group: the group of a frame is 0.
//
// Pure. Thread safety: one worker each.
#pragma once

#include <cstdint>
#include <memory>

#include "dataplane/base/counter.h"
#include "dataplane/config/roles.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/mirror/exchange.h"
#include "dataplane/mirror/translation.h"
#include "dataplane/mirror/window.h"
#include "dataplane/persist/table.h"

namespace tandem::mirror {

struct PersistCounters {
  Counter frames;
  Counter upserts;
  Counter expires;
  Counter lost_frames;       // sender
  Counter overtaken;         // receiver: frames not acknowledged because newer ones came first
  Counter unknown;           // receiver: rows whose profile or member is not in the configuration
  Counter refused;           // receiver: rows that the full table did not take
  Counter malformed;         // receiver
  Counter not_translatable;  // receiver: frames not acknowledged
  Counter pending;           // level, sender: buckets to be told
  Counter state;             // level, sender: StreamState; 0: no session
};

class PersistSender {
 public:
  PersistSender(unsigned worker, unsigned workers, persist::Table& table,
                const config::Roles& roles);
  ~PersistSender();

  void Open(const SessionTerms& terms, Nanos now) noexcept;
  void Close() noexcept;
  [[nodiscard]] bool Build(FrameSlot& slot, const config::Snapshot& snapshot, Nanos now) noexcept;
  void OnAck(const FrameHeader& ack, Nanos now) noexcept;
  void OnClock(Nanos now) noexcept;
  const PersistCounters& counters() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class PersistReceiver {
 public:
  PersistReceiver(unsigned worker, persist::Table& table);
  ~PersistReceiver();

  void Open(const SessionTerms& terms, Nanos now) noexcept;
  void Close() noexcept;
  void Apply(const FrameSlot& slot, const Translation& translation,
             const config::Snapshot& snapshot, Nanos now) noexcept;
  [[nodiscard]] bool BuildAck(FrameSlot& slot, uint16_t credit, Nanos now) noexcept;
  const PersistCounters& counters() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tandem::mirror
