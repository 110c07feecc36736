// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/worker.h"

#include "dataplane/flow/table_find.h"
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

constexpr unsigned kExpireBudget = 64;     // flows whose timer came up, a turn
constexpr unsigned kNeighbourBudget = 32;  // neighbour entries looked at, a tick

}  // namespace

// A loop over the burst for each step: each stays small, and what one asks of memory is on its way while
// the next packets go through it.
void Worker::ProcessBurst(std::span<const net::Packet> packets, Origin origin) noexcept {
  CountArrivals(packets, origin);
  Parse(packets);
  const size_t traffic = Classify(packets.size());
  context_.flows4.table.ProbeFind({batch4_.lookups.data(), batch4_.count});
  context_.flows6.table.ProbeFind({batch6_.lookups.data(), batch6_.count});
  SettleAll(traffic);
}

void Worker::CountArrivals(std::span<const net::Packet> packets, Origin origin) noexcept {
  WorkerCounters& counters = context_.counters;
  if (origin == Origin::kOtherWorker) counters.handed_in.Add(packets.size());
  if (origin == Origin::kHeld) counters.held.Subtract(packets.size());
  if (origin != Origin::kWire) return;
  counters.received.Add(packets.size());
  // Those of one port mostly come one after the other.
  for (size_t i = 0; i < packets.size();) {
    const uint16_t number = packets[i].port;
    const size_t first = i;
    uint64_t bytes = 0;
    for (; i < packets.size() && packets[i].port == number; ++i)
      bytes += packets[i].length;
    counters.ports[number].received_packets.Add(i - first);
    counters.ports[number].received_bytes.Add(bytes);
  }
}

void Worker::Parse(std::span<const net::Packet> packets) noexcept {
  for (size_t i = 0; i < packets.size(); ++i) {
    if (i + 2 < packets.size()) __builtin_prefetch(packets[i + 2].data);
    works_[i].packet = packets[i];
    net::Parse(works_[i].packet, works_[i].parsed);
  }
}

// Returns how many packets, of traffic_[0..], have a flow to be found. The others have ended.
size_t Worker::Classify(size_t count) noexcept {
  batch4_.count = batch6_.count = 0;
  size_t traffic = 0;
  for (size_t i = 0; i < count; ++i) {
    Work& work = works_[i];
    switch (pipeline::Classify(context_, work)) {
      case Business::kDone:
        break;
      case Business::kIcmpError:
        ProcessIcmpError(context_, work);
        break;
      case Business::kTraffic:
        StartFind(work.parsed);
        traffic_[traffic++] = &work;
        break;
    }
  }
  return traffic;
}

void Worker::StartFind(const net::Parsed& parsed) noexcept {
  if (parsed.is_ipv6()) {
    flow::Lookup<flow::FlowHot6>& lookup = batch6_.lookups[batch6_.count++];
    lookup.key = &parsed.key6;
    lookup.protocol = parsed.protocol;
    context_.flows6.table.StartFind(lookup);
  } else {
    flow::Lookup<flow::FlowHot4>& lookup = batch4_.lookups[batch4_.count++];
    lookup.key = &parsed.key4;
    lookup.protocol = parsed.protocol;
    context_.flows4.table.StartFind(lookup);
  }
}

void Worker::SettleAll(size_t traffic) noexcept {
  context_.is_ordinary = !context_.roles.any_silent() && !context_.roles.any_frozen() &&
                         !context_.snapshot->commits && context_.commit.size() == 0;
  context_.flows_changed = false;
  while (traffic > 0) {
    traffic = SettleOnce(traffic);
    std::get<Admission<flow::FlowHot4>>(admissions_).Run();
    std::get<Admission<flow::FlowHot6>>(admissions_).Run();
  }
}

// Returns how many packets are left, in front: of flows that may be among those which begin now.
size_t Worker::SettleOnce(size_t traffic) noexcept {
  size_t left = 0;
  size_t left4 = 0;
  size_t left6 = 0;
  size_t next4 = 0;
  size_t next6 = 0;
  for (size_t i = 0; i < traffic; ++i) {
    Work& work = *traffic_[i];
    if (work.parsed.is_ipv6()) {
      const flow::Lookup<flow::FlowHot6>& lookup = batch6_.lookups[next6++];
      if (Settle(work, lookup)) continue;
      batch6_.lookups[left6++] = lookup;
    } else {
      const flow::Lookup<flow::FlowHot4>& lookup = batch4_.lookups[next4++];
      if (Settle(work, lookup)) continue;
      batch4_.lookups[left4++] = lookup;
    }
    traffic_[left++] = &work;
  }
  return left;
}

// False: not now.
template <class Hot>
[[gnu::always_inline]] inline bool Worker::Settle(Work& work,
                                                  const flow::Lookup<Hot>& lookup) noexcept {
  const flow::FlowTable<Hot>& table = context_.flows<Hot>().table;
  // Earlier packets of this burst may have begun the flow, or ended it.
  const flow::FlowRef ref = context_.flows_changed
                                ? table.FindHashed(lookup.hash, *lookup.key, lookup.protocol)
                                : table.FinishFind(lookup);
  if (ref && ProcessHit<Hot>(context_, work, ref) == HitResult::kDone) return true;
  return Begin(work, lookup, static_cast<bool>(ref));
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
