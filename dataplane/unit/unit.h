// SPDX-License-Identifier: Apache-2.0
//
// A whole Tandem device without I/O: workers with their tables, the rings between them, the
// neighbour table, and the configuration they read. `io` wraps one for production; tests and the
// simulator run the same code on scripted packets and time.
//
// Thread safety: Turn(w, ...) is called by worker w's thread only. The section marked control is for
// one control thread. Counters may be read by any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/base/time.h"
#include "dataplane/config/live_counts.h"
#include "dataplane/config/publish.h"
#include "dataplane/config/roles.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/mirror/endpoint.h"
#include "dataplane/mirror/link.h"
#include "dataplane/neighbour/table.h"
#include "dataplane/net/packet.h"
#include "dataplane/persist/table.h"
#include "dataplane/pipeline/counters.h"
#include "dataplane/pipeline/output.h"
#include "dataplane/unit/flow_query.h"
#include "dataplane/unit/record_query.h"
#include "dataplane/unit/takeover.h"
#include "dataplane/unit/watchdog.h"

namespace tandem::unit {

class Mirroring;

struct UnitOptions {
  unsigned workers = 1;                       // 1..kWorkersMax
  uint32_t flows_ipv4_per_worker = 1U << 20;  // 1..kFlowsPerWorkerMax
  uint32_t flows_ipv6_per_worker = 1U << 18;
  uint32_t persistence_records = 1U << 16;  // of all workers together, 1..kPersistenceRecordsMax
  uint64_t seed = 1;                        // of hashes and of every random choice
  Nanos start = 0;                          // the time of the first turn, within a day
  // Full bursts after which nothing is left of what a worker's receive queues held at their begin.
  unsigned backlog_turns = 64;
  // What this device is to its mirroring peers; not set: it cannot mirror. It does when the first
  // snapshot has Mirroring::enabled, which is where EndpointOptions::mirroring is taken from.
  std::optional<mirror::EndpointOptions> mirror;
  // The management network, path 1; outlives the unit. nullptr: none. Traffic VLANs come after it, as the
  // first snapshot has them.
  mirror::SidePath* beside = nullptr;
  // Who is active is decided by the takeover machine, for the groups in its settings. REQUIRES: mirror,
  // and that it can.
  std::optional<TakeoverOptions> takeover;
  // What the machine takes for a fault of this device.
  ha::HealthSettings health;
  // Zeroed, 64-byte aligned memory near `worker`'s CPU that outlives the unit; empty on failure.
  std::function<std::span<std::byte>(size_t bytes, unsigned worker)> allocate;
};

class Unit {
 public:
  // Publishes `first`; workers may turn at once. Aborts when `allocate` fails: ask BytesNeeded first.
  Unit(const UnitOptions& options, std::unique_ptr<const config::Snapshot> first);
  ~Unit();
  Unit(const Unit&) = delete;
  Unit& operator=(const Unit&) = delete;

  static size_t BytesNeededPerWorker(const UnitOptions& options);

  // ---- worker threads -----------------------------------------------------------------------
  // One turn: the received packets (at most kBurstMax), packets other workers handed over, held
  // packets, timers and queries, each a bounded amount. Every received packet's ownership passes to
  // the unit. `out` comes in clear. `more_waiting`: the worker's queues may hold more packets.
  void Turn(unsigned worker, std::span<const net::Packet> received, Nanos now,
            pipeline::Output& out, bool more_waiting = false) noexcept;
  // Whether nothing of what the last turn gave may leave any more: the caller asks when it is about to send
  // it, in case it was stopped in between (config/roles.h).
  bool IsFenced(unsigned worker, Nanos now) const noexcept;
  // What the caller could not transmit of the last turn (it frees them): takes them back from
  // `forwarded` and counts them under `reason`.
  void CountUnsent(unsigned worker, std::span<const net::Packet> packets,
                   DropReason reason) noexcept;
  // Packets inside the unit (held, or in rings) that have to be given back when the device stops,
  // after all workers ended: appends their handles.
  void Drain(std::vector<void*>& handles);

  // ---- mirror thread ------------------------------------------------------------------------
  // One turn: the frames that the mirroring port received, and those that are due. Returns whether
  // there was anything to do. REQUIRES: mirroring() is not nullptr.
  bool MirrorTurn(std::span<const std::span<const uint8_t>> received, Nanos now,
                  mirror::FrameSink& sink);

  // ---- control thread -----------------------------------------------------------------------
  void Publish(std::unique_ptr<const config::Snapshot> next);
  // Frees what workers have let go of; call now and then.
  void Reclaim();
  const config::Snapshot& snapshot() const;
  config::Publisher& publisher();

  // What this device is to a traffic group from now on. A group begins with the role that the
  // configuration gives it; when a later one gives it another, that one holds.
  void SetRole(config::TrafficGroupId group, config::Role role);
  // What else is said of a group or of all (config/roles.h). A takeover machine sets it itself.
  void SetFence(Nanos until);
  void SetFrozen(config::TrafficGroupId group, bool is_frozen);
  void SendStraysOn(config::TrafficGroupId group, Nanos until);

  // Posts `query` to `worker`; false when that worker still has another. The query must outlive its
  // `done`.
  bool Post(unsigned worker, FlowQuery& query);
  // A piece of `query`, done when this returns (unit/record_query.h).
  void Run(RecordQuery& query, Nanos now);
  // Control is a holder of its own there: number workers().
  persist::Table& records();
  const persist::Table& records() const;

  // ---- any thread ---------------------------------------------------------------------------
  unsigned workers() const;
  const pipeline::WorkerCounters& counters(unsigned worker) const;
  const config::LiveTotals& live_counts() const;
  const neighbour::Table& neighbours() const;
  const config::Roles& roles() const;
  // Tells the network again where the group's addresses are, if this device is active for it.
  void Announce(config::TrafficGroupId group);
  // nullptr: this device does not mirror.
  Mirroring* mirroring();
  const Mirroring* mirroring() const;
  // nullptr as well.
  std::shared_ptr<const mirror::EndpointStatus> mirror_status(config::PeerIndex peer = 0) const;
  // nullptr: roles are as configured.
  Takeover* takeover();
  const Takeover* takeover() const;
  // There where takeover() is.
  Watchdog* watchdog();
  const Watchdog* watchdog() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tandem::unit
