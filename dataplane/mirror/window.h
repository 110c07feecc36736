// SPDX-License-Identifier: Apache-2.0
//
// The two ends of a stream's numbering, without its contents: which frames are in flight, which have
// come. Frames are never sent twice: what a lost one carried is rendered anew into a later frame, so
// all the sender keeps of a frame is which names it spoke of.
//
// Pure: time comes in, nothing is sent. Thread safety: one worker.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/base/time.h"
#include "dataplane/mirror/frame.h"

namespace tandem::mirror {

// A name that a frame spoke of: (physical slot << 1 | is_ipv6), or a persistence bucket.
using Note = uint32_t;

struct SendWindowLimits {
  uint32_t frames = 256;      // in flight; a power of two
  uint32_t notes = 1U << 16;  // in flight, of all frames together; a power of two
};

class SendWindow {
 public:
  explicit SendWindow(const SendWindowLimits& limits = {});

  // Forgets everything; numbering begins at 1, as a new session demands.
  void Reset(Nanos now) noexcept;

  // Whether another frame with up to `notes` names may be sent now: ring, notes, credit and
  // congestion window allow it.
  [[nodiscard]] bool CanSend(uint32_t notes) const noexcept;
  // Takes the next number for a frame that speaks of `notes`. REQUIRES: CanSend(notes.size()).
  uint64_t Send(std::span<const Note> notes, Nanos now) noexcept;

  // What an acknowledgement, or the clock, made of frames in flight. `acknowledged(notes)` and
  // `lost(notes)` are called with the names of each frame whose fate is known now. An acknowledgement
  // of frames that were never sent is ignored whole and returns false.
  template <class Acknowledged, class Lost>
  bool OnAck(const FrameHeader& ack, Nanos now, Acknowledged&& acknowledged, Lost&& lost) noexcept;
  // Frames whose time is over: retransmission timeout = max(1 ms, 4 x smoothed round trip), doubled
  // while nothing is acknowledged, 250 ms at most.
  template <class Lost>
  void OnClock(Nanos now, Lost&& lost) noexcept;

  uint64_t floor() const noexcept;  // lowest number in flight, or the next one
  uint64_t next() const noexcept;   // number of the next frame
  uint32_t in_flight() const noexcept;
  Nanos oldest_sent() const noexcept;  // of frames in flight; 0: none
  Nanos round_trip() const noexcept;   // smoothed; 0: not measured yet
  uint64_t lost_frames() const noexcept;
};

// Which numbers have come. Those more than 64 below the highest count as come and gone.
class ReceiveWindow {
 public:
  void Reset() noexcept;

  // Whether a frame of this number is new; remembers nothing.
  [[nodiscard]] bool IsNew(uint64_t sequence) const noexcept;
  // It was applied: from now on it is acknowledged.
  void Accept(uint64_t sequence) noexcept;
  // The writer says that nothing below will come any more.
  void Advance(uint64_t floor) noexcept;

  uint64_t floor() const noexcept;    // every lower number has come or will not come
  uint64_t sack() const noexcept;     // bit i: floor + 1 + i has come
  uint64_t highest() const noexcept;  // accepted; 0: none
};

}  // namespace tandem::mirror
