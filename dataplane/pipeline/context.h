// SPDX-License-Identifier: Apache-2.0
//
// What the steps of the pipeline share: a worker's own state, what workers have in common, and the
// turn they are in. Steps are free functions over a Context; the order they run in is worker.cc.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bitset>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/base/prng.h"
#include "dataplane/base/rate_limiter.h"
#include "dataplane/base/time.h"
#include "dataplane/config/live_counts.h"
#include "dataplane/config/roles.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/flow/table.h"
#include "dataplane/flow/timers.h"
#include "dataplane/lb/select.h"
#include "dataplane/neighbour/announcer.h"
#include "dataplane/neighbour/resolver.h"
#include "dataplane/neighbour/table.h"
#include "dataplane/net/parse.h"
#include "dataplane/persist/table.h"
#include "dataplane/pipeline/commit.h"
#include "dataplane/pipeline/counters.h"
#include "dataplane/pipeline/exchange.h"
#include "dataplane/pipeline/failover_path.h"
#include "dataplane/pipeline/hand_over.h"
#include "dataplane/pipeline/held.h"
#include "dataplane/pipeline/output.h"

namespace tandem::mirror {
class WorkerMirror;
}

namespace tandem::pipeline {

// A worker's flows of one family.
template <class Hot>
struct FlowSet {
  FlowSet(std::span<std::byte> memory, uint32_t capacity, uint64_t seed, Tick now)
      : table(memory.first(flow::FlowTable<Hot>::BytesNeeded(capacity)), capacity, seed),
        timers(memory.subspan(flow::FlowTable<Hot>::BytesNeeded(capacity)), &table.cold(0), now) {}

  static size_t BytesNeeded(uint32_t capacity) {
    return flow::FlowTable<Hot>::BytesNeeded(capacity) + flow::Timers::BytesNeeded();
  }

  flow::FlowTable<Hot> table;
  flow::Timers timers;
};

// One for all workers.
struct Shared {
  Shared(unsigned workers, persist::Table& persistence_records)
      : live(workers), exchange(workers), records(persistence_records) {}

  config::LiveTotals live;
  neighbour::Table neighbours;
  alignas(64) config::Roles roles;
  // Of each worker: Roles::changes() that it has taken over in full.
  std::array<std::atomic<uint32_t>, kWorkersMax> roles_taken{};
  // Whether every worker has taken over all there is to take. Any thread.
  bool AreRolesTaken() const noexcept {
    const uint32_t changes = roles.changes();
    return std::all_of(roles_taken.begin(), roles_taken.begin() + exchange.workers(),
                       [changes](const std::atomic<uint32_t>& taken) {
                         return taken.load(std::memory_order_acquire) == changes;
                       });
  }
  Exchange exchange;
  Successors successors;
  // By number of Mirroring::failover_paths, of those that there were when the workers began.
  std::vector<std::unique_ptr<FailoverPath>> failover_paths;
  persist::Table& records;
};

// A packet in the pipeline.
struct alignas(64) Work {
  net::Packet packet;
  net::Parsed parsed;
  const config::Interface* interface = nullptr;  // it arrived on
};

// The walk that brings flows in line with a change of roles or of what is mirrored (shadow.h).
struct ReconcileWalk {
  bool is_active = false;
  bool surrenders = false;         // some group was ours before
  uint32_t mirror_generation = 0;  // Snapshot::mirror_generation that it goes by
  bool is_ipv6 = false;
  uint32_t next_slot = 0;
};

// Groups that this device has become active for, or is again after a pause, but this worker not yet:
// what its receive queues hold came before, and others may have forwarded it (shadow.h).
struct Promotion {
  std::bitset<kTrafficGroupsMax + 1> groups;
  unsigned turns_left = 0;  // in which a queue that never runs empty gives all that it held
  bool is_new = false;      // seen in this turn, after its packets were received
};

// The way to a member that new flows went last.
struct MemberWay {
  IpAddress address;  // of the member
  flow::NeighbourRef neighbour;
  uint32_t route_generation = 0;  // Snapshot::route_generation that `neighbour` is from
};

// What a worker's tables are made for.
struct Sizing {
  uint32_t flows_ipv4 = 0;
  uint32_t flows_ipv6 = 0;
  Tick start = 0;  // the time when it begins
};

struct Context {
  Context(unsigned worker_index, Shared& shared_state, std::span<std::byte> memory,
          const Sizing& sizing, uint64_t seed)
      : worker(worker_index),
        shared(shared_state),
        live(shared_state.live, worker_index),
        flows4(memory, sizing.flows_ipv4, seed, sizing.start),
        flows6(memory.subspan(FlowSet<flow::FlowHot4>::BytesNeeded(sizing.flows_ipv4)),
               sizing.flows_ipv6, seed + 1, sizing.start),
        selector(Prng(seed + 2)),
        prng(seed + 3) {}

  const unsigned worker;
  Shared& shared;
  config::LiveCounts live;
  WorkerCounters counters;
  FlowSet<flow::FlowHot4> flows4;
  FlowSet<flow::FlowHot6> flows6;
  lb::Selector selector;
  Prng prng;
  std::vector<MemberWay> member_ways = std::vector<MemberWay>(kMembersMax + 1);  // by id
  HeldPackets held;
  CommitQueue commit;
  bool committing = false;  // the burst is of packets that waited for the peer already
  HandOverQueue hand_over;
  RateLimiter reject_limiter;
  neighbour::Resolver* resolver = nullptr;    // worker 0's; nullptr elsewhere
  neighbour::Announcer* announcer = nullptr;  // likewise
  size_t member_looked_at = 0;                // likewise; KeepMembersKnown
  config::Roles roles;                        // this worker's copy of the shared ones
  mirror::WorkerMirror* mirror = nullptr;     // nullptr: nothing is mirrored
  uint32_t roles_changes = 0;                 // of the shared ones, when they were copied
  Nanos roles_changed = 0;                    // when that was
  Promotion promotion;
  unsigned backlog_turns = 1;  // Promotion::turns_left at first
  ReconcileWalk reconcile;

  // Of the turn.
  const config::Snapshot* snapshot = nullptr;
  Nanos now = 0;
  Tick tick = 0;
  // No role, hand-over or wait for the peer asks anything of flows in this burst, but of shadow flows.
  bool is_ordinary = false;
  bool flows_changed = false;             // a flow began or ended since the burst's were found
  Nanos fence = config::Roles::kNoFence;  // as it was before the roles were looked at
  Output* out = nullptr;

  template <class Hot>
  FlowSet<Hot>& flows() {
    if constexpr (Hot::kIsIpv6) {
      return flows6;
    } else {
      return flows4;
    }
  }
};

// The end of a packet that goes nowhere.
inline void Drop(Context& context, const net::Packet& packet, DropReason reason) noexcept {
  context.counters.CountDrop(reason);
  context.out->Release(packet.handle);
}

// The end of a packet that was meant for the device itself.
inline void Consume(Context& context, const net::Packet& packet) noexcept {
  context.counters.consumed.Add(1);
  context.out->Release(packet.handle);
}

// Whether nothing of the group may leave the device.
inline bool IsSilent(const Context& context, config::TrafficGroupId group) noexcept {
  return context.roles.any_silent() && context.roles.IsSilent(group);
}
// Whether its flows are another device's.
inline bool IsStandby(const Context& context, config::TrafficGroupId group) noexcept {
  return context.roles.any_standby() && !context.roles.IsActive(group);
}

inline bool IsSilentAddress(const Context& context, const IpAddress& address) noexcept {
  if (!context.roles.any_silent()) return false;
  const config::LocalAddress* local = context.snapshot->addresses.Find(address);
  return local != nullptr && context.roles.IsSilent(local->traffic_group);
}

// Why a packet of a silent group is dropped.
inline DropReason SilentReason(const Context& context, config::TrafficGroupId group) noexcept {
  if (context.promotion.groups.test(group)) return DropReason::kBacklog;
  return context.roles.IsPaused(group) ? DropReason::kFenced : DropReason::kStandby;
}

// Keys of the packet's family.
template <class Hot>
const typename Hot::Key& KeyOf(const net::Parsed& parsed) {
  if constexpr (Hot::kIsIpv6) {
    return parsed.key6;
  } else {
    return parsed.key4;
  }
}

inline IpAddress AddressOf(uint32_t address) {
  return IpAddress::V4(address);
}
inline IpAddress AddressOf(const net::Ipv6Bytes& address) {
  return IpAddress::V6(address.bytes);
}

}  // namespace tandem::pipeline
