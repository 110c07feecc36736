// SPDX-License-Identifier: Apache-2.0
#include "dataplane/unit/unit.h"

#include <atomic>
#include <utility>

#include "dataplane/base/assert.h"
#include "dataplane/neighbour/announcer.h"
#include "dataplane/neighbour/resolver.h"
#include "dataplane/pipeline/shadow.h"
#include "dataplane/pipeline/worker.h"
#include "dataplane/unit/flow_walk.h"
#include "dataplane/unit/mirroring.h"

namespace tandem::unit {

namespace {

size_t FlowBytes(const UnitOptions& options) {
  return pipeline::FlowSet<flow::FlowHot4>::BytesNeeded(options.flows_ipv4_per_worker) +
         pipeline::FlowSet<flow::FlowHot6>::BytesNeeded(options.flows_ipv6_per_worker);
}

std::vector<std::span<std::byte>> Allocate(const UnitOptions& options) {
  TANDEM_ASSERT(options.workers >= 1 && options.workers <= kWorkersMax);
  std::vector<std::span<std::byte>> memory;
  for (unsigned i = 0; i < options.workers; ++i) {
    memory.push_back(options.allocate(Unit::BytesNeededPerWorker(options), i));
    TANDEM_ASSERT(!memory.back().empty());
  }
  return memory;
}

// Each worker's part of the persistence table, behind its flows.
std::vector<std::span<std::byte>> ShardsOf(const UnitOptions& options,
                                           std::vector<std::span<std::byte>> memory) {
  for (std::span<std::byte>& block : memory)
    block = block.subspan(FlowBytes(options));
  return memory;
}

}  // namespace

struct Unit::Impl {
  // Everything one worker thread touches, on lines of its own.
  struct alignas(64) PerWorker {
    PerWorker(unsigned index, pipeline::Shared& shared, const UnitOptions& options,
              std::span<std::byte> memory)
        : context(
              index, shared, memory,
              {options.flows_ipv4_per_worker, options.flows_ipv6_per_worker, TickOf(options.start)},
              options.seed + index * 0x10001ULL),
          worker(context) {
      context.backlog_turns = options.backlog_turns;
    }

    pipeline::Context context;
    pipeline::Worker worker;
    FlowWalk walk;
    std::atomic<FlowQuery*> posted{nullptr};  // control -> worker
  };

  explicit Impl(const UnitOptions& options)
      : memory(Allocate(options)),
        records(ShardsOf(options, memory), options.persistence_records, ~options.seed),
        shared(options.workers, records),
        publisher(options.workers + 1),
        resolver(shared.neighbours, publisher) {}

  // A role that the configuration has changed. What SetRole said holds until then.
  void TakeConfiguredRoles(const config::Snapshot* previous, const config::Snapshot& next) {
    for (const config::TrafficGroup& group : next.traffic_groups) {
      if (group.id == 0) continue;
      const config::TrafficGroup* before =
          previous != nullptr && group.id < previous->traffic_groups.size()
              ? &previous->traffic_groups[group.id]
              : nullptr;
      if (before == nullptr || before->id == 0 || before->role != group.role) {
        shared.roles.Set(group.id, group.role);
      }
    }
  }

  void StartMirroring(const UnitOptions& options) {
    mirroring = std::make_unique<Mirroring>(publisher, publisher.Latest().mirroring.peers.size());
    for (auto& one : workers) {
      pipeline::Context& context = one->context;
      context.mirror = &mirroring->AddWorker({context.flows4.table, context.flows6.table},
                                             context.live, records, context.roles);
    }
    mirroring->Start(
        *options.mirror, static_cast<unsigned>(workers.size()), shared.roles,
        [this] { return shared.AreRolesTaken(); },
        [this](std::string_view bytes, unsigned path) {
          if (takeover != nullptr) takeover->OnHeartbeat(bytes, path, mirror_now);
        },
        WaysBeside(options));
    if (!options.takeover) return;
    takeover = std::make_unique<Takeover>(*options.takeover, options.start, shared.roles,
                                          *mirroring, announcer, shared.successors);
    WatchedDevice watched{{}, shared.neighbours, shared.exchange};
    for (const auto& one : workers)
      watched.workers.push_back(&one->context.counters);
    watchdog = std::make_unique<Watchdog>(std::move(watched), options.health, *takeover);
  }

  // Path 1 and on.
  std::vector<mirror::SidePath*> WaysBeside(const UnitOptions& options) {
    std::vector<mirror::SidePath*> ways;
    if (options.beside != nullptr) ways.push_back(options.beside);
    const size_t paths = publisher.Latest().mirroring.failover_paths.size();
    for (size_t i = 0; i < paths; ++i) {
      shared.failover_paths.push_back(
          std::make_unique<pipeline::FailoverPath>(i, static_cast<unsigned>(workers.size())));
      ways.push_back(shared.failover_paths.back().get());
    }
    return ways;
  }

  // The burst came while another device may have been active for what it is about.
  void DropFenced(pipeline::Context& context, std::span<const net::Packet> received) noexcept {
    context.counters.received.Add(received.size());
    for (const net::Packet& packet : received) {
      context.counters.ports[packet.port].received_packets.Add(1);
      context.counters.ports[packet.port].received_bytes.Add(packet.length);
      pipeline::Drop(context, packet, DropReason::kFenced);
    }
  }

  // Data packets come first: the fuller the burst, the less is mirrored this turn.
  bool Mirror(pipeline::Context& context, size_t received) noexcept {
    constexpr unsigned kAll = mirror::WorkerMirror::kBudgetMax;
    const unsigned budget = received == kBurstMax ? 1 : (received == 0 ? kAll : kAll / 2);
    return context.mirror->Turn(*context.snapshot, mirroring->translations(), context.now, budget,
                                !pipeline::IsSurrendering(context));
  }

  std::vector<std::span<std::byte>> memory;  // by worker: flows, then records
  persist::Table records;
  pipeline::Shared shared;
  config::Publisher publisher;
  neighbour::Resolver resolver;
  neighbour::Announcer announcer;
  std::vector<std::unique_ptr<PerWorker>> workers;
  std::unique_ptr<Mirroring> mirroring;
  std::unique_ptr<Takeover> takeover;  // nullptr: roles are as configured
  std::unique_ptr<Watchdog> watchdog;  // likewise
  Nanos mirror_now = 0;                // of the mirror thread's turn
};

size_t Unit::BytesNeededPerWorker(const UnitOptions& options) {
  return FlowBytes(options) +
         persist::Table::BytesNeeded(options.persistence_records, options.workers);
}

Unit::Unit(const UnitOptions& options, std::unique_ptr<const config::Snapshot> first)
    : impl_(std::make_unique<Impl>(options)) {
  impl_->TakeConfiguredRoles(nullptr, *first);
  impl_->publisher.Publish(std::move(first));
  for (unsigned i = 0; i < options.workers; ++i) {
    impl_->workers.push_back(
        std::make_unique<Impl::PerWorker>(i, impl_->shared, options, impl_->memory[i]));
    impl_->publisher.Online(i);
  }
  impl_->workers[0]->context.resolver = &impl_->resolver;
  impl_->workers[0]->context.announcer = &impl_->announcer;
  if (options.mirror && snapshot().mirroring.enabled) impl_->StartMirroring(options);
}

Unit::~Unit() = default;

void Unit::Turn(unsigned worker, std::span<const net::Packet> received, Nanos now,
                pipeline::Output& out, bool more_waiting) noexcept {
  Impl::PerWorker& mine = *impl_->workers[worker];
  pipeline::Context& context = mine.context;
  context.snapshot = impl_->publisher.Current(worker);
  context.now = now;
  context.tick = TickOf(now);
  context.out = &out;
  // In this order: the fence is lifted when the roles say why.
  context.fence = impl_->shared.roles.fence();
  pipeline::TakeRoles(context);
  if (now > context.fence) [[unlikely]] {
    impl_->DropFenced(context, received);
  } else {
    mine.worker.ProcessBurst(received, pipeline::Origin::kWire);
  }

  std::array<net::Packet, kBurstMax> handed_in;
  const size_t count = impl_->shared.exchange.Collect(worker, handed_in);
  if (count > 0) {
    mine.worker.ProcessBurst({handed_in.data(), count}, pipeline::Origin::kOtherWorker);
  }
  const bool is_promoting = context.promotion.groups.any();
  if (is_promoting) {
    pipeline::TakePromotions(context, more_waiting || count == handed_in.size());
  }
  mine.worker.Tidy();
  if (worker == 0) {
    for (const auto& path : impl_->shared.failover_paths)
      path->SendWaiting(context);
  }
  // Walks over tables, of which a turn is but a piece: a worker that slept in between would take
  // a second or more for what takes milliseconds.
  bool walked = context.reconcile.is_active;
  if (context.reconcile.is_active) pipeline::Reconcile(context);
  const bool mirrored = context.mirror != nullptr && impl_->Mirror(context, received.size());

  if (!mine.walk.active()) {
    FlowQuery* query = mine.posted.load(std::memory_order_acquire);
    if (query != nullptr) mine.walk.Begin(*query);
  }
  if (mine.walk.active()) {
    walked |= mine.walk.Step(context);
    if (!mine.walk.active()) mine.posted.store(nullptr, std::memory_order_release);
  }
  context.counters.flows_ipv4.Set(context.flows4.table.size());
  context.counters.flows_ipv6.Set(context.flows6.table.size());
  context.counters.turns.Add(1);
  if (!received.empty() || count > 0 || mirrored || walked || is_promoting) {
    context.counters.busy_turns.Add(1);
  }
}

bool Unit::IsFenced(unsigned worker, Nanos now) const noexcept {
  return now > impl_->workers[worker]->context.fence || impl_->shared.roles.IsFenced(now);
}

void Unit::CountUnsent(unsigned worker, std::span<const net::Packet> packets,
                       DropReason reason) noexcept {
  pipeline::WorkerCounters& counters = impl_->workers[worker]->context.counters;
  for (const net::Packet& packet : packets) {
    if ((packet.flags & net::kOriginated) != 0) {
      counters.originated.Subtract(1);
    } else {
      counters.forwarded.Subtract(1);
      counters.CountDrop(reason);
    }
  }
}

void Unit::Drain(std::vector<void*>& handles) {
  for (unsigned i = 0; i < impl_->workers.size(); ++i) {
    pipeline::Context& context = impl_->workers[i]->context;
    const auto take = [&](const net::Packet& packet) {
      context.counters.CountDrop(DropReason::kShutdown);
      handles.push_back(packet.handle);
    };
    std::array<net::Packet, kBurstMax> packets;
    while (const size_t count = impl_->shared.exchange.Collect(i, packets)) {
      context.counters.handed_in.Add(count);
      for (size_t k = 0; k < count; ++k)
        take(packets[k]);
    }
    context.counters.held.Subtract(context.held.size());
    context.held.TakeAll(take);
    context.counters.held.Subtract(context.commit.size());
    context.commit.TakeAll(take);
    context.counters.held.Subtract(context.hand_over.size());
    context.hand_over.TakeAll(take);
  }
}

bool Unit::MirrorTurn(std::span<const std::span<const uint8_t>> received, Nanos now,
                      mirror::FrameSink& sink) {
  impl_->mirror_now = now;
  if (!impl_->mirroring->Receive(received, now, sink)) return false;
  if (impl_->takeover != nullptr) {
    impl_->watchdog->Turn(now);
    impl_->takeover->Turn(now, sink);
  }
  return impl_->mirroring->Send(now, sink);
}

void Unit::Publish(std::unique_ptr<const config::Snapshot> next) {
  impl_->TakeConfiguredRoles(&impl_->publisher.Latest(), *next);
  if (impl_->mirroring != nullptr) impl_->mirroring->Prepare(*next);
  impl_->publisher.Publish(std::move(next));
}

void Unit::SetRole(config::TrafficGroupId group, config::Role role) {
  TANDEM_ASSERT(group >= 1 && group <= kTrafficGroupsMax);
  impl_->shared.roles.Set(group, role);
}

void Unit::SetFence(Nanos until) {
  impl_->shared.roles.SetFence(until);
}

void Unit::SetFrozen(config::TrafficGroupId group, bool is_frozen) {
  impl_->shared.roles.SetFrozen(group, is_frozen);
}

void Unit::SendStraysOn(config::TrafficGroupId group, Nanos until) {
  impl_->shared.successors.Forget();
  impl_->shared.roles.SetStraysUntil(group, until);
}

void Unit::Announce(config::TrafficGroupId group) {
  TANDEM_ASSERT(group >= 1 && group <= kTrafficGroupsMax);
  impl_->announcer.Ask(group);
}

const config::Roles& Unit::roles() const {
  return impl_->shared.roles;
}

Takeover* Unit::takeover() {
  return impl_->takeover.get();
}

const Takeover* Unit::takeover() const {
  return impl_->takeover.get();
}

Watchdog* Unit::watchdog() {
  return impl_->watchdog.get();
}

const Watchdog* Unit::watchdog() const {
  return impl_->watchdog.get();
}

Mirroring* Unit::mirroring() {
  return impl_->mirroring.get();
}

const Mirroring* Unit::mirroring() const {
  return impl_->mirroring.get();
}

std::shared_ptr<const mirror::EndpointStatus> Unit::mirror_status(config::PeerIndex peer) const {
  return impl_->mirroring == nullptr ? nullptr : impl_->mirroring->endpoint(peer).status();
}

void Unit::Reclaim() {
  impl_->publisher.Reclaim();
}

const config::Snapshot& Unit::snapshot() const {
  return impl_->publisher.Latest();
}

config::Publisher& Unit::publisher() {
  return impl_->publisher;
}

bool Unit::Post(unsigned worker, FlowQuery& query) {
  Impl::PerWorker& target = *impl_->workers[worker];
  if (target.posted.load(std::memory_order_acquire) != nullptr) return false;
  query.done.store(false, std::memory_order_relaxed);
  target.posted.store(&query, std::memory_order_release);
  return true;
}

void Unit::Run(RecordQuery& query, Nanos now) {
  RunRecordQuery(impl_->records, impl_->publisher.Latest(), TickOf(now), query);
}

unsigned Unit::workers() const {
  return static_cast<unsigned>(impl_->workers.size());
}

const pipeline::WorkerCounters& Unit::counters(unsigned worker) const {
  return impl_->workers[worker]->context.counters;
}

const config::LiveTotals& Unit::live_counts() const {
  return impl_->shared.live;
}

const neighbour::Table& Unit::neighbours() const {
  return impl_->shared.neighbours;
}

const persist::Table& Unit::records() const {
  return impl_->records;
}

persist::Table& Unit::records() {
  return impl_->records;
}

}  // namespace tandem::unit
