// SPDX-License-Identifier: Apache-2.0
//
// The two ends of a stream's numbering, without its contents: which frames are in flight, which have
// come. Frames are never sent twice: what a lost one carried is rendered anew into a later frame, so
// all the sender keeps of a frame is which names it spoke of.
//
// Pure: time comes in, nothing is sent. Thread safety: one worker.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/base/time.h"
#include "dataplane/mirror/frame.h"

namespace tandem::mirror {

// A name that a frame spoke of: (physical slot << 1 | is_ipv6), or a persistence bucket. The highest
// bit is the user's.
using Note = uint32_t;

struct SendWindowLimits {
  uint32_t frames = 256;      // in flight; a power of two
  uint32_t notes = 1U << 16;  // in flight, of all frames together; a power of two
};

class SendWindow {
 public:
  static constexpr uint32_t kCongestionFloor = 8;  // frames
  static constexpr uint32_t kOvertakenBy = 3;      // later frames that came: this one is lost
  static constexpr unsigned kLostPerCall = 8;      // bounds the work of a call
  static constexpr Nanos kTimeoutMin = kMillisecond;
  static constexpr Nanos kTimeoutMax = 250 * kMillisecond;
  static constexpr Nanos kTimeoutUnmeasured = 20 * kMillisecond;

  explicit SendWindow(const SendWindowLimits& limits = {});

  // Forgets everything; numbering begins at 1, as a new session demands.
  void Reset(Nanos now) noexcept;

  // Whether another frame with up to `notes` names may be sent now: ring, notes, credit and
  // congestion window allow it. A frame may always be sent when none is in flight: a peer that gave no
  // credit, or whose word got lost, is asked again so.
  [[nodiscard]] bool CanSend(uint32_t notes) const noexcept;
  // Takes the next number for a frame that speaks of `notes`. REQUIRES: CanSend(notes.size()).
  uint64_t Send(std::span<const Note> notes, Nanos now) noexcept;

  // What an acknowledgement, or the clock, made of frames in flight. `acknowledged(notes)` and
  // `lost(notes)` are called with the names of each frame whose fate is known now; current() is the
  // frame's number. An acknowledgement of frames that were never sent is ignored whole and returns
  // false.
  template <class Acknowledged, class Lost>
  bool OnAck(const FrameHeader& ack, Nanos now, Acknowledged&& acknowledged, Lost&& lost) noexcept;
  // Frames whose time is over: retransmission timeout = max(1 ms, 4 x smoothed round trip), doubled
  // while nothing is acknowledged, 250 ms at most. At most kLostPerCall a call.
  template <class Lost>
  void OnClock(Nanos now, Lost&& lost) noexcept;
  // `abandoned(notes)` for every frame in flight; none is afterwards.
  template <class Abandoned>
  void Abandon(Abandoned&& abandoned) noexcept;

  uint64_t floor() const noexcept { return floor_; }  // lowest number in flight, or the next one
  uint64_t next() const noexcept { return next_; }    // number of the next frame
  uint32_t in_flight() const noexcept { return in_flight_; }
  bool IsInFlight(uint64_t sequence) const noexcept {
    return sequence >= floor_ && sequence < next_ && At(sequence).in_flight;
  }
  // Whether any frame in flight speaks of a name that `is_meant(note)`.
  template <class IsMeant>
  bool AnyInFlight(IsMeant&& is_meant) const noexcept;
  Nanos oldest_sent() const noexcept;                        // of frames in flight; 0: none
  Nanos round_trip() const noexcept { return round_trip_; }  // smoothed; 0: not measured yet
  uint64_t lost_frames() const noexcept { return lost_frames_; }
  uint32_t congestion_window() const noexcept { return congestion_; }
  uint64_t current() const noexcept { return current_; }

 private:
  struct Frame {
    Nanos sent_at = 0;
    uint32_t notes_begin = 0;
    uint32_t notes_end = 0;  // both count on; modulo limits_.notes they are positions
    bool in_flight = false;
  };

  Frame& At(uint64_t sequence) noexcept { return frames_[sequence & (limits_.frames - 1)]; }
  const Frame& At(uint64_t sequence) const noexcept {
    return frames_[sequence & (limits_.frames - 1)];
  }
  bool IsPossible(const FrameHeader& ack) const noexcept;
  void NoteCredit(const FrameHeader& ack) noexcept;
  void NoteArrival(uint64_t sequence) noexcept;
  void NoteRoundTrip(Nanos sample) noexcept;
  void NoteLoss(uint64_t sequence) noexcept;
  void NoteTimeout(Nanos now) noexcept;
  Nanos Timeout() const noexcept;
  void MoveFloor() noexcept;
  // `visit(notes)` for the frame's names; in two calls when they wrap.
  template <class Visit>
  void Settle(uint64_t sequence, Visit&& visit) noexcept;
  template <class Acknowledged>
  bool Acknowledge(uint64_t sequence, Acknowledged&& acknowledged) noexcept;

  SendWindowLimits limits_;
  std::unique_ptr<Frame[]> frames_;
  std::unique_ptr<Note[]> notes_;
  uint64_t floor_ = 1;
  uint64_t next_ = 1;
  uint64_t current_ = 0;
  uint32_t in_flight_ = 0;
  uint32_t notes_end_ = 0;
  // The highest numbers that came, highest first. A frame below the last of them is lost.
  std::array<uint64_t, kOvertakenBy> arrived_{};
  uint64_t credit_end_ = 0;    // numbers below it may be sent
  uint64_t newest_ack_ = 0;    // whose credit counts
  uint32_t congestion_ = 0;    // frames
  uint32_t growth_ = 0;        // acknowledged frames since congestion_ grew
  uint64_t recovery_end_ = 0;  // losses of frames below it are of one event
  Nanos round_trip_ = 0;
  uint32_t backoff_ = 0;
  Nanos backed_off_at_ = 0;
  uint64_t lost_frames_ = 0;
};

// Which numbers have come, of kSize from the lowest that may still come.
class ReceiveWindow {
 public:
  static constexpr uint64_t kSize = 256;

  void Reset() noexcept { *this = ReceiveWindow(); }

  // Whether a frame of this number is new and within the window; remembers nothing.
  [[nodiscard]] bool IsNew(uint64_t sequence) const noexcept;
  // It was applied: from now on it is acknowledged. REQUIRES: IsNew(sequence).
  void Accept(uint64_t sequence) noexcept;
  // The writer says that nothing below will come any more.
  void Advance(uint64_t floor) noexcept;

  uint64_t floor() const noexcept {
    return floor_;
  }                                // every lower number has come or will not come
  uint64_t sack() const noexcept;  // bit i: floor + 1 + i has come
  uint64_t highest() const noexcept { return highest_; }  // accepted; 0: none

 private:
  bool Test(uint64_t sequence) const noexcept {
    return (bits_[sequence % kSize / 64] >> (sequence % 64) & 1) != 0;
  }
  void Clear(uint64_t sequence) noexcept {
    bits_[sequence % kSize / 64] &= ~(uint64_t{1} << (sequence % 64));
  }
  void PassAccepted() noexcept;

  uint64_t floor_ = 1;
  uint64_t highest_ = 0;
  std::array<uint64_t, kSize / 64> bits_{};
};

// ---- implementation of the templates ---------------------------------------------------------------

template <class Visit>
void SendWindow::Settle(uint64_t sequence, Visit&& visit) noexcept {
  Frame& frame = At(sequence);
  frame.in_flight = false;
  --in_flight_;
  current_ = sequence;
  const uint32_t mask = limits_.notes - 1;
  const uint32_t count = frame.notes_end - frame.notes_begin;
  const uint32_t begin = frame.notes_begin & mask;
  const uint32_t first = std::min(count, limits_.notes - begin);
  visit(std::span<const Note>(notes_.get() + begin, first));
  if (first < count) visit(std::span<const Note>(notes_.get(), count - first));
}

template <class IsMeant>
bool SendWindow::AnyInFlight(IsMeant&& is_meant) const noexcept {
  for (uint64_t sequence = floor_; sequence < next_; ++sequence) {
    const Frame& frame = At(sequence);
    if (!frame.in_flight) continue;
    for (uint32_t i = frame.notes_begin; i != frame.notes_end; ++i) {
      if (is_meant(notes_[i & (limits_.notes - 1)])) return true;
    }
  }
  return false;
}

template <class Acknowledged>
bool SendWindow::Acknowledge(uint64_t sequence, Acknowledged&& acknowledged) noexcept {
  if (!IsInFlight(sequence)) return false;
  Settle(sequence, acknowledged);
  NoteArrival(sequence);
  return true;
}

template <class Acknowledged, class Lost>
bool SendWindow::OnAck(const FrameHeader& ack, Nanos now, Acknowledged&& acknowledged,
                       Lost&& lost) noexcept {
  if (!IsPossible(ack)) return false;
  NoteCredit(ack);
  uint64_t newest = 0;
  for (uint64_t sequence = floor_; sequence < ack.floor; ++sequence) {
    if (Acknowledge(sequence, acknowledged)) newest = sequence;
  }
  for (uint64_t bits = ack.sack; bits != 0; bits &= bits - 1) {
    const uint64_t sequence = ack.floor + 1 + static_cast<uint64_t>(std::countr_zero(bits));
    if (Acknowledge(sequence, acknowledged)) newest = sequence;
  }
  if (newest != 0) {
    NoteRoundTrip(now - At(newest).sent_at);
    MoveFloor();
  }
  OnClock(now, lost);
  return true;
}

template <class Lost>
void SendWindow::OnClock(Nanos now, Lost&& lost) noexcept {
  if (in_flight_ == 0) return;
  const Nanos timeout = Timeout();
  unsigned count = 0;
  bool is_late = false;
  for (uint64_t sequence = floor_; sequence < next_ && count < kLostPerCall; ++sequence) {
    const Frame& frame = At(sequence);
    if (!frame.in_flight) continue;
    const bool is_overtaken = sequence < arrived_.back();
    const bool timed_out = now - frame.sent_at >= timeout;
    if (!is_overtaken && !timed_out) break;
    is_late |= !is_overtaken;
    NoteLoss(sequence);
    Settle(sequence, lost);
    ++count;
  }
  if (count != 0) MoveFloor();
  if (is_late) NoteTimeout(now);
}

template <class Abandoned>
void SendWindow::Abandon(Abandoned&& abandoned) noexcept {
  for (uint64_t sequence = floor_; sequence < next_; ++sequence) {
    if (At(sequence).in_flight) Settle(sequence, abandoned);
  }
  MoveFloor();
}

}  // namespace tandem::mirror
