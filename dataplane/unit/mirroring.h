// SPDX-License-Identifier: Apache-2.0
//
// A device's mirroring as a whole: what each worker does (mirror/worker.h), what the mirror thread
// does (mirror/peers.h), and what lies between them. Made only when mirroring is configured; a
// device without it has none of its memory.
//
// Thread safety: as said at each function.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "dataplane/config/publish.h"
#include "dataplane/mirror/link.h"
#include "dataplane/mirror/peers.h"
#include "dataplane/mirror/translation.h"
#include "dataplane/mirror/worker.h"

namespace tandem::unit {

class Mirroring {
 public:
  // With so many peers, 1..kPeersMax.
  Mirroring(config::Publisher& publisher, size_t peers)
      : publisher_(publisher), peers_count_(peers) {}

  // Before any thread runs, by worker from 0 on.
  mirror::WorkerMirror& AddWorker(mirror::Tables tables, config::LiveCounts& live,
                                  persist::Table& records, const config::Roles& roles);

  // Then once, when the first snapshot is published. `reader` is the mirror thread's of the publisher.
  // `are_roles_taken`, `heartbeat` and `beside`: see mirror::PeersPorts. With several peers no group is
  // mirrored to one until that is said (config::Roles::SetMirrorTo).
  void Start(mirror::EndpointOptions options, unsigned reader, config::Roles& roles,
             std::function<bool()> are_roles_taken,
             std::function<void(std::string_view, unsigned)> heartbeat,
             std::vector<mirror::SidePath*> beside);

  // Control: before `next` is published.
  void Prepare(const config::Snapshot& next);

  // Mirror thread. A turn in two steps; the first returns false when there is no second.
  bool Receive(std::span<const std::span<const uint8_t>> received, Nanos now,
               mirror::FrameSink& sink);
  bool Send(Nanos now, mirror::FrameSink& sink) { return peers_->Send(now, sink); }
  // In between, by the takeover machine: see mirror::Endpoint.
  void SetDuty(config::TrafficGroupId group, uint32_t epoch) { peers_->SetDuty(group, epoch); }
  void SendHeartbeat(std::string_view bytes, Nanos now, mirror::FrameSink& sink) {
    peers_->SendHeartbeat(bytes, now, sink);
  }
  // Of the peer. The old one is freed when no worker uses it any more.
  void PublishTranslation(std::unique_ptr<const mirror::Translation> next,
                          config::PeerIndex peer = 0);

  // A worker's thread, within a turn that it began by Publisher::Current.
  const mirror::Translations& translations() const noexcept { return current_; }

  // Any thread. Whether the device's shadow of the group, as `peer` writes it, is complete, and belongs to
  // what is configured here: what a takeover would find. As far as the peer was heard; its silence changes
  // nothing. kNoPeer: it is not.
  bool InSync(config::TrafficGroupId group, config::PeerIndex peer = 0) const noexcept;
  // The workers' part of it alone, for devices that are joined without endpoints.
  bool HasCompleteShadow(config::TrafficGroupId group) const noexcept;
  // The session in which the peer has acknowledged all of the frozen group, on every worker; 0: not yet.
  uint32_t DrainedSession(config::TrafficGroupId group) const noexcept;
  unsigned workers() const noexcept { return static_cast<unsigned>(workers_.size()); }
  mirror::WorkerMirror& worker(unsigned index) noexcept { return *workers_[index]; }
  const mirror::WorkerMirror& worker(unsigned index) const noexcept { return *workers_[index]; }

  const mirror::Peers& peers() const noexcept { return *peers_; }
  const mirror::Endpoint& endpoint(config::PeerIndex peer = 0) const noexcept {
    return peers_->endpoint(peer);
  }

 private:
  void Reclaim();
  mirror::SyncState StateIn(config::TrafficGroupId group, uint32_t session,
                            uint64_t generation) const noexcept;
  uint64_t RecordsMissed(config::PeerIndex peer) const noexcept;

  struct Retired {
    uint64_t token;
    std::unique_ptr<const mirror::Translation> translation;
  };

  config::Publisher& publisher_;
  const size_t peers_count_;
  persist::Table* records_ = nullptr;
  std::vector<std::unique_ptr<mirror::WorkerMirror>> workers_;
  std::unique_ptr<mirror::Peers> peers_;
  mirror::Translations current_;
  std::array<std::unique_ptr<const mirror::Translation>, kPeersMax> latest_;
  std::deque<Retired> retired_;  // oldest first
};

}  // namespace tandem::unit
