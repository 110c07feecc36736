// SPDX-License-Identifier: Apache-2.0
//
// All peers of this device: an endpoint for each (endpoint.h), the mirroring port that they share, and the
// workers' frames, which say whose they are.
//
// A device has one pair of rings to each worker, however many peers there are: a group's connections go to
// one peer, and come from one. What a frame is for is in its slot; a frame for a peer that is not there is
// dropped, so that no peer's silence holds up another's frames.
//
// Sessions are numbered by their readers. Those of two peers never have the same number, so that a number
// says whose it is.
//
// Pure. Thread safety: the mirror lcore, except endpoint status and counters (endpoint.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "dataplane/mirror/endpoint.h"

namespace tandem::mirror {

struct PeersPorts {
  std::vector<FrameRing*> to_worker;    // by worker; produced here
  std::vector<FrameRing*> from_worker;  // by worker; consumed here
  // As those of EndpointPorts, and of which peer.
  std::function<void(config::PeerIndex, std::unique_ptr<const Translation>)> publish_translation;
  std::function<SyncState(config::TrafficGroupId, uint32_t session, uint64_t generation)> state;
  std::function<uint64_t(config::PeerIndex)> records_missed;
  std::function<bool()> are_roles_taken;
  std::function<void(std::string_view bytes, unsigned path)> heartbeat;
  std::vector<SidePath*> beside;  // path 1 and on; outlive this
};

class Peers {
 public:
  // `options` of every one of options.mirroring.peers, of which there is one at least.
  Peers(const EndpointOptions& options, config::Publisher& publisher, unsigned publisher_reader,
        const config::Roles& roles, PeersPorts ports);
  ~Peers();

  // REQUIRES: the publisher's reader is online.
  // One turn, in two steps, between which a takeover machine has something to say. The first: the frames
  // received by the mirroring port; false: there is no configuration yet, and no second step.
  bool Receive(std::span<const std::span<const uint8_t>> received, Nanos now, FrameSink& sink);
  // The second: the workers' frames (a bounded number), and what time demands. Returns whether there was
  // anything to do in the turn.
  bool Send(Nanos now, FrameSink& sink);

  // For all of them, see Endpoint.
  void SetDuty(config::TrafficGroupId group, uint32_t epoch);
  void SendHeartbeat(std::string_view bytes, Nanos now, FrameSink& sink);

  size_t size() const noexcept { return endpoints_.size(); }
  config::UnitId unit(config::PeerIndex peer) const noexcept { return units_[peer]; }
  // kNoPeer: none of them.
  config::PeerIndex Find(config::UnitId unit) const noexcept;
  const Endpoint& endpoint(config::PeerIndex peer) const noexcept { return *endpoints_[peer]; }
  const LinkCounters& link_counters() const noexcept { return link_.counters(); }

 private:
  static constexpr unsigned kFramesOutMax = 32;       // a worker and turn
  static constexpr Nanos kLookBeside = kMillisecond;  // so often
  static constexpr unsigned kBesideMax = 16;          // frames of each way, each time

  void TakeAddresses(const config::Snapshot& snapshot, Nanos now);
  void ReceiveBeside(Nanos now, FrameSink& sink);
  bool SendStreams(Nanos now, FrameSink& sink);

  config::Publisher& publisher_;
  const unsigned reader_;
  const PeersPorts ports_;
  std::vector<config::UnitId> units_;
  Link link_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  std::optional<uint64_t> generation_;  // of the configuration that the addresses are of
  bool busy_ = false;
  Nanos looked_beside_at_ = 0;
  size_t first_worker_ = 0;  // whose frames are sent first
};

}  // namespace tandem::mirror
