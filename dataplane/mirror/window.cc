// SPDX-License-Identifier: Apache-2.0
#include "dataplane/mirror/window.h"

#include "dataplane/base/assert.h"

namespace tandem::mirror {
namespace {

constexpr uint32_t kCongestionFirst = 32;  // frames, before anything is known of the path
constexpr uint64_t kCreditFirst = 32;

}  // namespace

// Notes are written before they are read; leaving them alone keeps the memory of idle streams untouched.
SendWindow::SendWindow(const SendWindowLimits& limits)
    : limits_(limits),
      frames_(std::make_unique<Frame[]>(limits.frames)),
      notes_(std::make_unique_for_overwrite<Note[]>(limits.notes)) {
  TANDEM_ASSERT(std::has_single_bit(limits.frames) && limits.frames <= ReceiveWindow::kSize);
  TANDEM_ASSERT(std::has_single_bit(limits.notes));
  Reset(0);
}

void SendWindow::Reset(Nanos now) noexcept {
  std::fill_n(frames_.get(), limits_.frames, Frame{});
  floor_ = 1;
  next_ = 1;
  in_flight_ = 0;
  notes_end_ = 0;
  arrived_ = {};
  credit_end_ = 1 + kCreditFirst;
  newest_ack_ = 0;
  congestion_ = std::min(kCongestionFirst, limits_.frames);
  growth_ = 0;
  recovery_end_ = 0;
  round_trip_ = 0;
  backoff_ = 0;
  backed_off_at_ = now;
}

bool SendWindow::CanSend(uint32_t notes) const noexcept {
  if (next_ - floor_ >= limits_.frames) return false;
  const uint32_t used = floor_ == next_ ? 0 : notes_end_ - At(floor_).notes_begin;
  if (notes > limits_.notes - used) return false;
  return in_flight_ == 0 || (in_flight_ < congestion_ && next_ < credit_end_);
}

uint64_t SendWindow::Send(std::span<const Note> notes, Nanos now) noexcept {
  TANDEM_ASSERT(CanSend(static_cast<uint32_t>(notes.size())));
  // A stream with little in flight stays in little memory.
  if (floor_ == next_) notes_end_ = 0;
  Frame& frame = At(next_);
  frame.sent_at = now;
  frame.notes_begin = notes_end_;
  const uint32_t begin = notes_end_ & (limits_.notes - 1);
  const size_t first = std::min<size_t>(notes.size(), limits_.notes - begin);
  std::copy_n(notes.begin(), first, notes_.get() + begin);
  std::copy(notes.begin() + static_cast<std::ptrdiff_t>(first), notes.end(), notes_.get());
  notes_end_ += static_cast<uint32_t>(notes.size());
  frame.notes_end = notes_end_;
  frame.in_flight = true;
  ++in_flight_;
  return next_++;
}

Nanos SendWindow::oldest_sent() const noexcept {
  return in_flight_ == 0 ? 0 : At(floor_).sent_at;
}

bool SendWindow::IsPossible(const FrameHeader& ack) const noexcept {
  if (ack.floor > next_) return false;
  const auto bits = static_cast<uint64_t>(std::bit_width(ack.sack));
  return bits == 0 || ack.floor + bits < next_;
}

// Acknowledgements may overtake each other; only the newest knows the receiver's room.
void SendWindow::NoteCredit(const FrameHeader& ack) noexcept {
  if (ack.sequence < newest_ack_) return;
  newest_ack_ = ack.sequence;
  credit_end_ = ack.floor + ack.credit;
}

void SendWindow::NoteArrival(uint64_t sequence) noexcept {
  backoff_ = 0;
  if (++growth_ >= congestion_) {
    growth_ = 0;
    congestion_ = std::min(congestion_ + 1, limits_.frames);
  }
  for (uint64_t& arrived : arrived_) {
    if (sequence > arrived) std::swap(sequence, arrived);
  }
}

// A path that became much slower is believed at once: waiting for the average would declare every
// frame lost until it has caught up.
void SendWindow::NoteRoundTrip(Nanos sample) noexcept {
  if (round_trip_ == 0 || sample > 2 * round_trip_) {
    round_trip_ = std::max<Nanos>(sample, 1);
  } else {
    round_trip_ = (7 * round_trip_ + sample) / 8;
  }
}

void SendWindow::NoteLoss(uint64_t sequence) noexcept {
  ++lost_frames_;
  if (sequence < recovery_end_) return;
  recovery_end_ = next_;
  congestion_ = std::max(kCongestionFloor, congestion_ / 2);
  growth_ = 0;
}

void SendWindow::NoteTimeout(Nanos now) noexcept {
  if (now - backed_off_at_ < Timeout()) return;
  backed_off_at_ = now;
  if (backoff_ < 8) ++backoff_;
}

Nanos SendWindow::Timeout() const noexcept {
  const Nanos base = round_trip_ == 0 ? kTimeoutUnmeasured : std::max(kTimeoutMin, 4 * round_trip_);
  return std::min(base << backoff_, kTimeoutMax);
}

void SendWindow::MoveFloor() noexcept {
  while (floor_ < next_ && !At(floor_).in_flight)
    ++floor_;
}

bool ReceiveWindow::IsNew(uint64_t sequence) const noexcept {
  return sequence >= floor_ && sequence - floor_ < kSize && !Test(sequence);
}

void ReceiveWindow::Accept(uint64_t sequence) noexcept {
  TANDEM_ASSERT(IsNew(sequence));
  bits_[sequence % kSize / 64] |= uint64_t{1} << (sequence % 64);
  highest_ = std::max(highest_, sequence);
  PassAccepted();
}

void ReceiveWindow::Advance(uint64_t floor) noexcept {
  if (floor <= floor_) return;
  if (floor - floor_ >= kSize) {
    bits_ = {};
    floor_ = floor;
    return;
  }
  for (; floor_ < floor; ++floor_)
    Clear(floor_);
  PassAccepted();
}

void ReceiveWindow::PassAccepted() noexcept {
  for (; Test(floor_); ++floor_)
    Clear(floor_);
}

uint64_t ReceiveWindow::sack() const noexcept {
  uint64_t result = 0;
  for (uint64_t i = 0; i < 64; ++i)
    result |= uint64_t{Test(floor_ + 1 + i)} << i;
  return result;
}

}  // namespace tandem::mirror
