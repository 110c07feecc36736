// SPDX-License-Identifier: Apache-2.0
//
// A traffic VLAN as one more path for Hellos and heartbeats (mirror::SidePath): UDP port 1028 between the
// devices' self IPs there, directly, with TTL 255 (RFC 5082). The mirror thread makes and judges what goes
// over it; worker 0 sends it, asking for the peers' MAC addresses as for any neighbour's, and whichever
// worker receives it hands it up. So the path shows that this device's ports, VLAN and workers work.
//
// What finds no room, or no neighbour yet, is lost, as on any network.
//
// Thread safety: Send and Receive by the mirror thread, SendWaiting by worker 0, Take by the worker named.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/base/slot_ring.h"
#include "dataplane/mirror/side_path.h"

namespace tandem::pipeline {

struct Context;
struct Work;

class FailoverPath final : public mirror::SidePath {
 public:
  // The `index`-th of Mirroring::failover_paths.
  FailoverPath(size_t index, unsigned workers) : index_(index), received_(workers) {}

  // mirror::SidePath
  Frame Receive() noexcept override;
  void Send(config::PeerIndex peer, std::span<const uint8_t> frame) noexcept override;

  // Puts on the wire what waits for it.
  void SendWaiting(Context& context) noexcept;
  // `bytes` came of the peer.
  void Take(unsigned worker, config::PeerIndex peer, std::span<const uint8_t> bytes) noexcept;

 private:
  static constexpr size_t kFrameMax = 1200;
  static constexpr size_t kSlots = 16;
  struct Slot {
    config::PeerIndex peer = 0;
    uint16_t size = 0;
    std::array<uint8_t, kFrameMax> bytes;
  };
  using Ring = SlotRing<Slot, kSlots>;

  static void Put(Ring& ring, config::PeerIndex peer, std::span<const uint8_t> bytes) noexcept;
  void SendOne(Context& context, const Slot& slot) noexcept;

  const size_t index_;
  Ring to_send_;
  std::vector<Ring> received_;  // by worker
  size_t next_ = 0;             // whose ring is looked at next
  Ring* taken_ = nullptr;       // its front was given out by Receive
};

// A datagram of a peer's on one of the paths: consumed. False (and nothing done) when it is anything else.
bool TakeFailoverFrame(Context& context, const Work& work) noexcept;

}  // namespace tandem::pipeline
