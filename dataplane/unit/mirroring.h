// SPDX-License-Identifier: Apache-2.0
//
// A device's mirroring as a whole: what each worker does (mirror/worker.h), what the mirror thread
// does (mirror/endpoint.h), and what lies between them. Made only when mirroring is configured; a
// device without it has none of its memory.
//
// Thread safety: as said at each function.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "dataplane/config/publish.h"
#include "dataplane/mirror/endpoint.h"
#include "dataplane/mirror/link.h"
#include "dataplane/mirror/translation.h"
#include "dataplane/mirror/worker.h"

namespace tandem::unit {

class Mirroring {
 public:
  explicit Mirroring(config::Publisher& publisher) : publisher_(publisher) {}

  // Before any thread runs, by worker from 0 on.
  mirror::WorkerMirror& AddWorker(mirror::Tables tables, config::LiveCounts& live,
                                  persist::Table& records, const config::Roles& roles);

  // Then once, when the first snapshot is published. `reader` is the mirror thread's of the publisher.
  // `heartbeat` and `beside`: see mirror::EndpointPorts.
  void Start(mirror::EndpointOptions options, unsigned reader, const config::Roles& roles,
             std::function<void(std::string_view, unsigned)> heartbeat, mirror::SidePath* beside);

  // Control: before `next` is published.
  void Prepare(const config::Snapshot& next);

  // Mirror thread. A turn in two steps; the first returns false when there is no second.
  bool Receive(std::span<const std::span<const uint8_t>> received, Nanos now,
               mirror::FrameSink& sink);
  bool Send(Nanos now, mirror::FrameSink& sink) { return endpoint_->Send(now, sink); }
  // In between, by the takeover machine: see mirror::Endpoint.
  void SetDuty(config::TrafficGroupId group, uint32_t epoch) { endpoint_->SetDuty(group, epoch); }
  void SendHeartbeat(std::string_view bytes, Nanos now, mirror::FrameSink& sink) {
    endpoint_->SendHeartbeat(bytes, now, sink);
  }
  // The old one is freed when no worker uses it any more.
  void PublishTranslation(std::unique_ptr<const mirror::Translation> next);

  // A worker's thread, within a turn that it began by Publisher::Current. nullptr: none yet.
  const mirror::Translation* translation() const noexcept {
    return current_.load(std::memory_order_acquire);
  }

  // Any thread. Whether the device's shadow of the group is complete, and belongs to what is configured
  // here: what a takeover would find. As far as the peer was heard; its silence changes nothing.
  bool InSync(config::TrafficGroupId group) const noexcept;
  // The workers' part of it alone, for devices that are joined without endpoints.
  bool HasCompleteShadow(config::TrafficGroupId group) const noexcept;
  // The session in which the peer has acknowledged all of the frozen group, on every worker; 0: not yet.
  uint32_t DrainedSession(config::TrafficGroupId group) const noexcept;
  unsigned workers() const noexcept { return static_cast<unsigned>(workers_.size()); }
  mirror::WorkerMirror& worker(unsigned index) noexcept { return *workers_[index]; }
  const mirror::WorkerMirror& worker(unsigned index) const noexcept { return *workers_[index]; }

  const mirror::Endpoint& endpoint() const noexcept { return *endpoint_; }

 private:
  void Reclaim();
  mirror::SyncState StateIn(config::TrafficGroupId group, uint32_t session,
                            uint64_t generation) const noexcept;
  uint64_t RecordsMissed() const noexcept;

  struct Retired {
    uint64_t token;
    std::unique_ptr<const mirror::Translation> translation;
  };

  config::Publisher& publisher_;
  persist::Table* records_ = nullptr;
  std::vector<std::unique_ptr<mirror::WorkerMirror>> workers_;
  std::unique_ptr<mirror::Endpoint> endpoint_;
  std::atomic<const mirror::Translation*> current_{nullptr};
  std::unique_ptr<const mirror::Translation> latest_;
  std::deque<Retired> retired_;  // oldest first
};

}  // namespace tandem::unit
