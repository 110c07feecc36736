// SPDX-License-Identifier: Apache-2.0
//
// The mistake kOldBytes (base/mutation.h) needs a memory: the bodies of frames in flight, so that a lost
// one's can be sent again as it was, under a new number. In every other build there is nothing here.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "dataplane/mirror/exchange.h"
#include "dataplane/mirror/window.h"

namespace tandem::mirror {

#ifdef TANDEM_MUTATIONS
class OldBytes {
 public:
  void Keep(uint64_t sequence, std::span<const uint8_t> body, std::span<const Note> notes) {
    At(sequence) = {{body.begin(), body.end()}, {notes.begin(), notes.end()}};
  }
  void Lost(uint64_t sequence) {
    if (!At(sequence).body.empty()) lost_.push_back(std::move(At(sequence)));
    At(sequence) = {};
  }
  // Puts the next lost body into `out`, and what it speaks of into `notes`; how many. 0: none is lost.
  uint32_t Repeat(FrameSlot& out, std::span<Note> notes) {
    if (lost_.empty()) return 0;
    const Frame frame = std::move(lost_.front());
    lost_.pop_front();
    std::copy(frame.body.begin(), frame.body.end(), out.body.begin());
    out.body_size = static_cast<uint16_t>(frame.body.size());
    std::copy(frame.notes.begin(), frame.notes.end(), notes.begin());
    return static_cast<uint32_t>(frame.notes.size());
  }
  // `abandoned(notes)` for every lost one.
  template <class Abandoned>
  void Abandon(Abandoned&& abandoned) {
    for (const Frame& frame : lost_)
      abandoned(std::span<const Note>(frame.notes));
    lost_.clear();
  }

 private:
  struct Frame {
    std::vector<uint8_t> body;
    std::vector<Note> notes;
  };
  Frame& At(uint64_t sequence) { return frames_[sequence % frames_.size()]; }

  std::array<Frame, 256> frames_;
  std::deque<Frame> lost_;
};
#else
class OldBytes {
 public:
  void Keep(uint64_t, std::span<const uint8_t>, std::span<const Note>) noexcept {}
  void Lost(uint64_t) noexcept {}
  uint32_t Repeat(FrameSlot&, std::span<Note>) noexcept { return 0; }
  template <class Abandoned>
  void Abandon(Abandoned&&) noexcept {}
};
#endif

}  // namespace tandem::mirror
