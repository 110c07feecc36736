// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/failover_path.h"

#include <algorithm>
#include <cstring>

#include "dataplane/mirror/control_codec.h"
#include "dataplane/net/frame.h"
#include "dataplane/pipeline/neighbours.h"
#include "dataplane/pipeline/originate.h"

namespace tandem::pipeline {
namespace {

constexpr uint8_t kTtl = 255;
constexpr unsigned kSentMax = 8;  // a turn

static_assert(mirror::kHeaderSize + mirror::kControlBodyMax + mirror::kTagSize + 70 <=
                  kOriginatedFrameMax,
              "a tagged IPv6 datagram with a control frame");

}  // namespace

// ---- mirror thread ------------------------------------------------------------------------------

void FailoverPath::Put(Ring& ring, config::PeerIndex peer,
                       std::span<const uint8_t> bytes) noexcept {
  Slot* const slot = bytes.size() <= kFrameMax ? ring.Free() : nullptr;
  if (slot == nullptr) return;
  slot->peer = peer;
  slot->size = static_cast<uint16_t>(bytes.size());
  std::ranges::copy(bytes, slot->bytes.begin());
  ring.Push();
}

void FailoverPath::Send(config::PeerIndex peer, std::span<const uint8_t> frame) noexcept {
  Put(to_send_, peer, frame);
}

mirror::SidePath::Frame FailoverPath::Receive() noexcept {
  if (taken_ != nullptr) taken_->Pop();
  taken_ = nullptr;
  for (size_t i = 0; i < received_.size(); ++i) {
    Ring& ring = received_[next_++ % received_.size()];
    const Slot* const slot = ring.Front();
    if (slot == nullptr) continue;
    taken_ = &ring;
    return {slot->peer, {slot->bytes.data(), slot->size}};
  }
  return {};
}

// ---- workers ------------------------------------------------------------------------------------

void FailoverPath::SendWaiting(Context& context) noexcept {
  for (unsigned i = 0; i < kSentMax; ++i) {
    const Slot* const slot = to_send_.Front();
    if (slot == nullptr) return;
    SendOne(context, *slot);
    to_send_.Pop();
  }
}

void FailoverPath::SendOne(Context& context, const Slot& slot) noexcept {
  const auto& paths = context.snapshot->mirroring.failover_paths;
  if (index_ >= paths.size() || slot.peer >= paths[index_].peers.size()) return;
  const config::FailoverPath& path = paths[index_];
  const config::Interface& interface = context.snapshot->interfaces[path.interface];
  const IpAddress& peer = path.peers[slot.peer];
  const flow::NeighbourRef neighbour = context.shared.neighbours.Find(interface.id, peer);
  const neighbour::View view = context.shared.neighbours.Read(neighbour);
  if (!view.usable()) return AskNeighbour(context, interface.id, peer);
  context.shared.neighbours.MarkUsed(neighbour);
  const net::LinkHeader link{view.mac, interface.mac, interface.vlan};
  const net::UdpSpec spec{path.address, peer, mirror::kControlPort, mirror::kControlPort, kTtl};
  static_cast<void>(Originate(context, interface.port, [&](net::FrameBuffer out) {
    std::memcpy(out.data() + net::UdpPayloadOffset(link, peer.is_v4()), slot.bytes.data(),
                slot.size);
    return net::BuildUdp(out, link, spec, slot.size);
  }));
}

void FailoverPath::Take(unsigned worker, config::PeerIndex peer,
                        std::span<const uint8_t> bytes) noexcept {
  Put(received_[worker], peer, bytes);
}

bool TakeFailoverFrame(Context& context, const Work& work) noexcept {
  const auto& paths = context.snapshot->mirroring.failover_paths;
  const bool is_direct = work.parsed.ttl == kTtl;
  for (size_t i = 0; i < std::min(paths.size(), context.shared.failover_paths.size()); ++i) {
    const config::FailoverPath& path = paths[i];
    if (path.interface != work.interface->id || path.address != DestinationOf(work.parsed))
      continue;
    const auto peer = std::ranges::find(path.peers, SourceOf(work.parsed));
    const std::span<const uint8_t> payload = is_direct && peer != path.peers.end()
                                                 ? net::UdpPayload(work.packet, work.parsed)
                                                 : std::span<const uint8_t>();
    if (payload.empty()) return false;
    context.shared.failover_paths[i]->Take(
        context.worker, static_cast<config::PeerIndex>(peer - path.peers.begin()), payload);
    Consume(context, work.packet);
    return true;
  }
  return false;
}

}  // namespace tandem::pipeline
