// SPDX-License-Identifier: Apache-2.0
#include "dataplane/unit/mirroring.h"

#include <algorithm>
#include <utility>

namespace tandem::unit {

mirror::WorkerMirror& Mirroring::AddWorker(mirror::Tables tables, config::LiveCounts& live,
                                           persist::Table& records, const config::Roles& roles) {
  records_ = &records;
  const auto index = static_cast<unsigned>(workers_.size());
  workers_.push_back(
      std::make_unique<mirror::WorkerMirror>(index, tables, live, records, roles, peers_count_));
  return *workers_.back();
}

void Mirroring::Start(mirror::EndpointOptions options, unsigned reader, config::Roles& roles,
                      std::function<bool()> are_roles_taken,
                      std::function<void(std::string_view, unsigned)> heartbeat,
                      std::vector<mirror::SidePath*> beside) {
  options.mirroring = publisher_.Latest().mirroring;
  Prepare(publisher_.Latest());
  if (peers_count_ > 1) {
    for (config::TrafficGroupId group = 1; group <= kTrafficGroupsMax; ++group)
      roles.SetMirrorTo(group, config::kNoPeer);
  }
  mirror::PeersPorts ports;
  for (auto& worker : workers_) {
    ports.to_worker.push_back(&worker->inbound());
    ports.from_worker.push_back(&worker->outbound());
  }
  ports.publish_translation = [this](config::PeerIndex peer,
                                     std::unique_ptr<const mirror::Translation> next) {
    PublishTranslation(std::move(next), peer);
  };
  ports.state = [this](config::TrafficGroupId group, uint32_t session, uint64_t generation) {
    return StateIn(group, session, generation);
  };
  ports.records_missed = [this](config::PeerIndex peer) { return RecordsMissed(peer); };
  ports.are_roles_taken = std::move(are_roles_taken);
  ports.heartbeat = std::move(heartbeat);
  ports.beside = std::move(beside);
  publisher_.Online(reader);
  peers_ = std::make_unique<mirror::Peers>(options, publisher_, reader, roles, std::move(ports));
}

bool Mirroring::Receive(std::span<const std::span<const uint8_t>> received, Nanos now,
                        mirror::FrameSink& sink) {
  if (!retired_.empty()) Reclaim();
  return peers_->Receive(received, now, sink);
}

uint32_t Mirroring::DrainedSession(config::TrafficGroupId group) const noexcept {
  const uint32_t session = workers_.front()->drained_session(group);
  const bool is_one = std::ranges::all_of(
      workers_, [&](const auto& one) { return one->drained_session(group) == session; });
  return is_one ? session : 0;
}

void Mirroring::Prepare(const config::Snapshot& next) {
  config::TrafficGroupId highest = 0;
  for (const config::TrafficGroup& group : next.traffic_groups)
    highest = std::max(highest, group.id);
  for (auto& worker : workers_)
    worker->Prepare(highest);
}

void Mirroring::PublishTranslation(std::unique_ptr<const mirror::Translation> next,
                                   config::PeerIndex peer) {
  current_.Set(peer, next.get());
  std::unique_ptr<const mirror::Translation> previous =
      std::exchange(latest_[peer], std::move(next));
  if (previous != nullptr) retired_.push_back({publisher_.StartGrace(), std::move(previous)});
  Reclaim();
}

void Mirroring::Reclaim() {
  while (!retired_.empty() && publisher_.GraceOver(retired_.front().token))
    retired_.pop_front();
}

mirror::SyncState Mirroring::StateIn(config::TrafficGroupId group, uint32_t session,
                                     uint64_t generation) const noexcept {
  auto state = mirror::SyncState::kInSync;
  for (const auto& worker : workers_)
    state = WorseOf(state, worker->claim(group).In(session, generation));
  return state;
}

// Rows that named something unknown, and what control deleted because it names something deleted.
uint64_t Mirroring::RecordsMissed(config::PeerIndex peer) const noexcept {
  uint64_t missed = records_->counters(records_->workers()).deleted.Get();
  for (const auto& worker : workers_)
    missed += worker->persist_receiver(peer).counters().unknown.Get();
  return missed;
}

bool Mirroring::InSync(config::TrafficGroupId group, config::PeerIndex peer) const noexcept {
  if (peer >= peers_->size()) return false;
  const mirror::SyncClaim claim = endpoint(peer).claim(group);
  // The endpoint looks now and then; what happened since is the workers' to say.
  return claim.state == mirror::SyncState::kInSync && claim.reads &&
         StateIn(group, claim.session, claim.generation) == mirror::SyncState::kInSync;
}

bool Mirroring::HasCompleteShadow(config::TrafficGroupId group) const noexcept {
  return std::ranges::all_of(workers_, [group](const auto& one) {
    const mirror::SyncClaim claim = one->claim(group).Get();
    return claim.reads && claim.state == mirror::SyncState::kInSync;
  });
}

}  // namespace tandem::unit
