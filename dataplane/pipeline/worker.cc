// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/worker.h"

#include <algorithm>
#include <cstddef>

#include "dataplane/flow/table_find.h"
#include "dataplane/net/parse_common.h"
#include "dataplane/pipeline/announce.h"
#include "dataplane/pipeline/classify.h"
#include "dataplane/pipeline/hit.h"
#include "dataplane/pipeline/icmp_error.h"
#include "dataplane/pipeline/lifecycle.h"
#include "dataplane/pipeline/neighbours.h"
#include "dataplane/pipeline/next_hop.h"
#include "dataplane/pipeline/persistence.h"
#include "dataplane/pipeline/steer.h"

namespace tandem::pipeline {
namespace {

constexpr unsigned kExpireBudget = 64;  // flows whose timer came up, a turn
constexpr size_t kAhead = 2;            // packets: so early headers come into the first-level cache
constexpr unsigned kNeighbourBudget = 32;  // neighbour entries looked at, a tick

// Whose packet is looked up: the key is the one that stands in its work.
template <class Hot>
Work& WorkOf(const flow::Lookup<Hot>& lookup) {
  static_assert(offsetof(net::Parsed, key4) == offsetof(net::Parsed, key6));
  constexpr size_t kKey = offsetof(Work, parsed) + offsetof(net::Parsed, key4);
  const auto* const key = reinterpret_cast<const std::byte*>(lookup.key);
  return *reinterpret_cast<Work*>(const_cast<std::byte*>(key - kKey));
}

}  // namespace

// A loop over the burst for each step: what one asks of memory is on its way while the others go through it.
void Worker::ProcessBurst(std::span<const net::Packet> packets, Origin origin) noexcept {
  Arrive(packets, origin);
  Probe();
  Settle();
}

void Worker::Arrive(std::span<const net::Packet> packets, Origin origin) noexcept {
  std::get<0>(batches_).Clear();
  std::get<1>(batches_).Clear();
  if (packets.empty()) return;
  Context& context = context_;  // through `this` it would be read again for each packet
  auto& batch = std::get<Batch<flow::FlowHot4>>(batches_);
  const net::Packet* const end = packets.data() + packets.size();
  Work* work = works_.data();
  const net::Packet* const ahead_end = end - std::min(packets.size(), kAhead);
  // Those of one port mostly come one after the other.
  uint16_t port = packets[0].port;
  const net::Packet* port_begin = packets.data();
  uint64_t bytes = 0;
  for (const net::Packet* packet = packets.data(); packet != end; ++packet, ++work) {
    if (packet < ahead_end) __builtin_prefetch(packet[kAhead].data);
    if (packet->port != port) [[unlikely]] {
      CountArrivals(port, static_cast<size_t>(packet - port_begin), bytes, origin);
      port = packet->port;
      port_begin = packet;
      bytes = 0;
    }
    bytes += packet->length;
    const bool is_common = net::ParseCommon(*packet, work->parsed);
    work->packet = *packet;
    if (!is_common) [[unlikely]] {
      ArriveUncommon(*work);
      continue;
    }
    // (The key is hashed while it is at hand.)
    context.flows4.table.StartFind(work->parsed.key4, work->parsed.protocol, *batch.end);
    if (ClassifyCommon(context, *work) == Business::kTraffic) [[likely]]
      ++batch.end;
  }
  CountArrivals(port, static_cast<size_t>(end - port_begin), bytes, origin);
}

[[gnu::noinline]] void Worker::ArriveUncommon(Work& work) noexcept {
  net::ParseAny(work.packet, work.parsed);
  switch (Classify(context_, work)) {
    case Business::kDone:
      break;
    case Business::kIcmpError:
      ProcessIcmpError(context_, work);
      break;
    case Business::kTraffic:
      if (work.parsed.is_ipv6()) {
        StartFind<flow::FlowHot6>(work);
      } else {
        StartFind<flow::FlowHot4>(work);
      }
      break;
  }
}

template <class Hot>
void Worker::StartFind(const Work& work) noexcept {
  context_.flows<Hot>().table.StartFind(KeyOf<Hot>(work.parsed), work.parsed.protocol,
                                        *std::get<Batch<Hot>>(batches_).end++);
}

void Worker::Probe() noexcept {
  std::apply(
      [this]<class... Hot>(Batch<Hot>&... batches) {
        (context_.flows<Hot>().table.ProbeFind(batches.all()), ...);
      },
      batches_);
}

// `count` packets that one port received, now or a while ago.
void Worker::CountArrivals(uint16_t port, uint64_t count, uint64_t bytes, Origin origin) noexcept {
  WorkerCounters& counters = context_.counters;
  if (origin == Origin::kOtherWorker) counters.handed_in.Add(count);
  if (origin == Origin::kHeld) counters.held.Subtract(count);
  if (origin != Origin::kWire) return;
  counters.received.Add(count);
  counters.ports[port].received_packets.Add(count);
  counters.ports[port].received_bytes.Add(bytes);
}

void Worker::Settle() noexcept {
  context_.is_ordinary = !context_.roles.any_silent() && !context_.roles.any_frozen() &&
                         !context_.snapshot->commits && context_.commit.size() == 0;
  context_.flows_changed = false;
  SettleAll<flow::FlowHot4>();
  SettleAll<flow::FlowHot6>();
}

template <class Hot>
void Worker::SettleAll() noexcept {
  while (!std::get<Batch<Hot>>(batches_).all().empty()) {
    SettleOnce<Hot>();
    std::get<Admission<Hot>>(admissions_).Run();
  }
}

// What is left in the batch are packets of flows that may be among those which begin now.
template <class Hot>
[[gnu::noinline]] void Worker::SettleOnce() noexcept {
  Context& context = context_;
  auto& batch = std::get<Batch<Hot>>(batches_);
  const flow::Lookup<Hot>* const end = batch.end;
  batch.Clear();
  for (const flow::Lookup<Hot>* lookup = batch.lookups.data(); lookup != end; ++lookup) {
    __builtin_prefetch(lookup[kNear].likely_flow);
    if (SettleOne(context, WorkOf(*lookup), *lookup)) [[likely]]
      continue;
    *batch.end++ = *lookup;
  }
}

// False: not now.
template <class Hot>
[[gnu::always_inline]] inline bool Worker::SettleOne(Context& context, Work& work,
                                                     const flow::Lookup<Hot>& lookup) noexcept {
  flow::FlowTable<Hot>& table = context.flows<Hot>().table;
  // Earlier packets of this burst may have begun the flow, or ended it.
  flow::Found<Hot> found;
  if (context.flows_changed) [[unlikely]] {
    found = table.FindAnew(lookup);
  } else {
    found = table.FinishFind(lookup);
  }
  if (found && ProcessHit(context, work, *found.flow, found.ref) == HitResult::kDone) [[likely]]
    return true;
  return Begin(work, lookup, static_cast<bool>(found));
}

// `had_flow`: one that has just ended.
template <class Hot>
[[gnu::noinline]] bool Worker::Begin(Work& work, const flow::Lookup<Hot>& lookup,
                                     bool had_flow) noexcept {
  auto& admission = std::get<Admission<Hot>>(admissions_);
  if (admission.MayHave(lookup.hash)) return false;
  if (!had_flow &&
      HandOff(context_, work,
              OwnerOf(*context_.snapshot, *work.interface, *lookup.key, lookup.protocol))) {
    return true;
  }
  admission.Add(work, lookup.hash);
  return true;
}

void Worker::Tidy() noexcept {
  Expire(context_, kExpireBudget);
  if (context_.commit.size() > 0) ReleaseForCommit();
  if (context_.hand_over.size() > 0) ReleaseHandedOver();
  if (context_.announcer != nullptr) Announce(context_);
  if (context_.tick == tidied_) return;
  tidied_ = context_.tick;
  if (context_.resolver != nullptr) {
    if (context_.roles.any_standby()) KeepMembersKnown(context_);
    RunResolver(context_, kNeighbourBudget);
  }
  SweepRecords(context_);
  if (context_.held.size() > 0) ReleaseHeld();
}

void Worker::ReleaseHeld() noexcept {
  std::array<net::Packet, Output::kReleasedMax> ready;
  size_t count = 0;
  context_.held.Settle(
      context_.shared.neighbours, context_.tick, ready.size(),
      [&](const net::Packet& packet) { ready[count++] = packet; },
      [&](const net::Packet& packet) {
        context_.counters.held.Subtract(1);
        Drop(context_, packet, DropReason::kNeighbourUnresolved);
      });
  ProcessBurst({ready.data(), count}, Origin::kHeld);
}

void Worker::ReleaseHandedOver() noexcept {
  Thawed thawed;
  TurnHandOver(context_, thawed);
  ProcessBurst({thawed.packets.data(), thawed.count}, Origin::kHeld);
}

void Worker::ReleaseForCommit() noexcept {
  Released released;
  ReleaseCommitted(context_, released);
  context_.committing = true;
  ProcessBurst({released.committed.data(), released.committed_count}, Origin::kHeld);
  context_.committing = false;
  ProcessBurst({released.orphaned.data(), released.orphaned_count}, Origin::kHeld);
}

}  // namespace tandem::pipeline
