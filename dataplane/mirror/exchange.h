// SPDX-License-Identifier: Apache-2.0
//
// Frames between a worker and the mirror lcore: one ring each way and worker. Bodies are in the clear:
// sealing and opening is the mirror lcore's work.
//
// Thread safety: as of SlotRing.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>

#include "dataplane/base/limits.h"
#include "dataplane/base/slot_ring.h"
#include "dataplane/config/ids.h"
#include "dataplane/mirror/frame.h"

namespace tandem::mirror {

inline constexpr size_t kBodyMax = kMirrorMtuMax;

// What a slot of a ring is about.
enum class Cargo : uint8_t {
  kFrame,  // header and body of a frame
  // To a worker: the group's streams begin in a new session (SessionTerms), or end. kOpenSender with
  // the session that is open already changes body_max only: numbering goes on.
  kOpenSender,
  kOpenReceiver,
  kCloseSender,    // the peer is another one, or not wanted any more
  kCloseReceiver,  // discard: true when the shadow is to be emptied
};

struct SessionTerms {
  uint64_t incarnation = 0;  // of the peer
  uint32_t session = 0;
  uint32_t epoch = 0;
  uint16_t body_max = 0;   // bytes of a frame's body that fit the path
  bool flows = true;       // false: platforms differ, persistence only
  bool discard = false;    // kCloseReceiver
  uint8_t wire_group = 0;  // the group's number at the writer
  // Group 0 (persistence): how many streams the records are spread over, by bucket modulo streams.
  // Workers above it get no session.
  uint8_t streams = 0;
  // Group 0, a receiver's: groups that the peer was active for when the session began, by this device's
  // numbers. It has all of their records.
  std::bitset<kTrafficGroupsMax + 1> peers_groups;
};

struct FrameSlot {
  Cargo cargo = Cargo::kFrame;
  config::PeerIndex peer = 0;        // whose it is, or whom it is for
  config::TrafficGroupId group = 0;  // this device's number
  uint16_t body_size = 0;
  FrameHeader header;
  SessionTerms terms;
  alignas(64) std::array<uint8_t, kBodyMax> body;
};

using FrameRing = SlotRing<FrameSlot, kMirrorRingSize>;

}  // namespace tandem::mirror
