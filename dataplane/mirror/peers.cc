// SPDX-License-Identifier: Apache-2.0
#include "dataplane/mirror/peers.h"

#include <algorithm>
#include <utility>

#include "dataplane/base/assert.h"

namespace tandem::mirror {
namespace {

using config::PeerIndex;

std::vector<IpAddress> AddressesOf(const config::Mirroring& mirroring) {
  std::vector<IpAddress> addresses;
  for (const config::MirrorPeer& peer : mirroring.peers)
    addresses.push_back(peer.address);
  return addresses;
}

// Each peer's sessions have a part of the numbers, which no run uses up.
uint32_t FirstSession(uint32_t first, PeerIndex peer) {
  return first + peer * (UINT32_MAX / static_cast<uint32_t>(kDevicesMax));
}

}  // namespace

Peers::Peers(const EndpointOptions& options, config::Publisher& publisher,
             unsigned publisher_reader, const config::Roles& roles, PeersPorts ports)
    : publisher_(publisher),
      reader_(publisher_reader),
      ports_(std::move(ports)),
      link_({.mac = options.mac,
             .address = options.mirroring.address,
             .peers = AddressesOf(options.mirroring)}) {
  const size_t count = options.mirroring.peers.size();
  TANDEM_ASSERT(count >= 1 && count <= kPeersMax);
  for (PeerIndex peer = 0; peer < count; ++peer) {
    units_.push_back(options.mirroring.peers[peer].unit_id);
    EndpointOptions its = options;
    its.peer = peer;
    its.first_session = FirstSession(options.first_session, peer);
    EndpointPorts its_ports;
    its_ports.to_worker = ports_.to_worker;
    its_ports.publish_translation = [this, peer](std::unique_ptr<const Translation> next) {
      ports_.publish_translation(peer, std::move(next));
    };
    its_ports.state = ports_.state;
    its_ports.state_elsewhere = [this, &roles](config::TrafficGroupId group) {
      const PeerIndex to = roles.MirrorTo(group);
      return to < endpoints_.size() ? endpoints_[to]->seen(group) : SyncState::kDown;
    };
    if (ports_.records_missed)
      its_ports.records_missed = [this, peer] { return ports_.records_missed(peer); };
    its_ports.are_roles_taken = ports_.are_roles_taken;
    its_ports.heartbeat = ports_.heartbeat;
    its_ports.beside = ports_.beside;
    endpoints_.push_back(std::make_unique<Endpoint>(its, link_, roles, std::move(its_ports)));
  }
}

Peers::~Peers() = default;

void Peers::TakeAddresses(const config::Snapshot& snapshot, Nanos now) {
  if (generation_ == snapshot.generation) return;
  generation_ = snapshot.generation;
  if (!snapshot.mirroring.enabled) return;
  const uint32_t changed =
      link_.SetAddresses(snapshot.mirroring.address, AddressesOf(snapshot.mirroring));
  for (size_t peer = 0; peer < endpoints_.size(); ++peer) {
    if ((changed >> peer & 1) != 0) endpoints_[peer]->PathChanged(now);
  }
}

bool Peers::Receive(std::span<const std::span<const uint8_t>> received, Nanos now,
                    FrameSink& sink) {
  const config::Snapshot* const snapshot = publisher_.Current(reader_);
  if (snapshot == nullptr) return false;
  TakeAddresses(*snapshot, now);
  for (const auto& endpoint : endpoints_)
    endpoint->BeginTurn(*snapshot, now);
  busy_ = !received.empty();
  for (const std::span<const uint8_t> one : received) {
    if (const auto datagram = link_.Receive(one, now, sink))
      endpoints_[datagram->peer]->Receive(*datagram, now, sink);
  }
  if (!ports_.beside.empty()) ReceiveBeside(now, sink);
  return true;
}

void Peers::ReceiveBeside(Nanos now, FrameSink& sink) {
  if (looked_beside_at_ != 0 && now - looked_beside_at_ < kLookBeside) return;
  looked_beside_at_ = now;
  for (size_t way = 0; way < ports_.beside.size(); ++way) {
    for (unsigned i = 0; i < kBesideMax; ++i) {
      const SidePath::Frame frame = ports_.beside[way]->Receive();
      if (frame.bytes.empty()) break;
      if (frame.peer >= endpoints_.size()) continue;
      endpoints_[frame.peer]->ReceiveBeside(static_cast<unsigned>(way + 1), frame.bytes, now, sink);
    }
  }
}

bool Peers::Send(Nanos now, FrameSink& sink) {
  bool busy = busy_;
  for (const auto& endpoint : endpoints_)
    busy = endpoint->EndTurn(now, sink) || busy;
  return SendStreams(now, sink) || busy;
}

// When the port is full, the worker behind the one that sent last is first the next time.
bool Peers::SendStreams(Nanos now, FrameSink& sink) {
  const size_t count = ports_.from_worker.size();
  bool any = false;
  for (size_t i = 0; i < count; ++i) {
    const size_t worker = (first_worker_ + i) % count;
    FrameRing& ring = *ports_.from_worker[worker];
    unsigned sent = 0;
    for (FrameSlot* slot = nullptr; sent < kFramesOutMax; ++sent) {
      slot = ring.Front();
      if (slot == nullptr) break;
      const bool is_known = slot->peer < endpoints_.size();
      if (is_known && !endpoints_[slot->peer]->SendFrame(worker, *slot, now, sink)) {
        first_worker_ = sent == 0 ? worker : (worker + 1) % count;
        return any || sent != 0;
      }
      ring.Pop();
    }
    any |= sent != 0;
  }
  return any;
}

void Peers::SetDuty(config::TrafficGroupId group, uint32_t epoch) {
  for (const auto& endpoint : endpoints_)
    endpoint->SetDuty(group, epoch);
}

void Peers::SendHeartbeat(std::string_view bytes, Nanos now, FrameSink& sink) {
  for (const auto& endpoint : endpoints_)
    endpoint->SendHeartbeat(bytes, now, sink);
}

PeerIndex Peers::Find(config::UnitId unit) const noexcept {
  const auto found = std::ranges::find(units_, unit);
  return found != units_.end() ? static_cast<PeerIndex>(found - units_.begin()) : config::kNoPeer;
}

}  // namespace tandem::mirror
