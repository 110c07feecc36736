// SPDX-License-Identifier: Apache-2.0
//
// Another way to the peers than the mirroring port, for Hellos and heartbeats alone: the management
// network, a traffic VLAN. Carries sealed frames; what comes of it is no more trusted than the port.
//
// Thread safety: the mirror lcore.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/config/ids.h"

namespace tandem::mirror {

class SidePath {
 public:
  struct Frame {
    config::PeerIndex peer = config::kNoPeer;
    std::span<const uint8_t> bytes;  // empty: none
  };
  virtual ~SidePath() = default;
  // The next frame that came of a peer, valid until the next call.
  virtual Frame Receive() noexcept = 0;
  virtual void Send(config::PeerIndex peer, std::span<const uint8_t> frame) noexcept = 0;
};

}  // namespace tandem::mirror
