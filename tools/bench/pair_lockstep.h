// SPDX-License-Identifier: Apache-2.0
//
// An active and a standby device joined by an in-memory wire, each with a worker and a mirror thread.
// They take turns on one thread, but time goes on as if each of the four had a core: a round takes as
// long as the longest of their turns did, in time of this thread's CPU, so that it does not matter what
// else the machine does. A frame arrives 5 us after it was sent.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/base/prng.h"
#include "tools/bench/pair_device.h"

namespace tandem::bench {

// One direction. Buffers come round.
class Wire : public mirror::FrameSink {
 public:
  Wire() : frames_(kFrames) {}

  std::span<uint8_t> Begin(size_t size) override {
    if (sent_ - taken_ == kFrames || size > kFrameMax) return {};
    return std::span(frames_[sent_ % kFrames].bytes).first(size);
  }
  void Commit(size_t size) override {
    if (loss_percent_ != 0 && prng_.Below(100) < loss_percent_) return;
    Frame& frame = frames_[sent_++ % kFrames];
    frame.size = size;
    frame.arrives = now_ + kDelay;
    bytes_ += size;
  }

  void SetNow(Nanos now) { now_ = now; }
  void SetLoss(unsigned percent) { loss_percent_ = percent; }
  // What has arrived; gone at the next call.
  std::span<const std::span<const uint8_t>> Receive();
  uint64_t frames() const { return sent_; }
  uint64_t bytes() const { return bytes_; }

 private:
  static constexpr size_t kFrames = 512;
  static constexpr size_t kFrameMax = 9300;
  static constexpr size_t kReceivedMax = 32;
  static constexpr Nanos kDelay = 5'000;
  struct Frame {
    std::array<uint8_t, kFrameMax> bytes;
    size_t size = 0;
    Nanos arrives = 0;
  };

  std::vector<Frame> frames_;
  std::array<std::span<const uint8_t>, kReceivedMax> received_;
  uint64_t sent_ = 0;
  uint64_t taken_ = 0;
  uint64_t shown_ = 0;
  uint64_t bytes_ = 0;
  Nanos now_ = 0;
  unsigned loss_percent_ = 0;
  Prng prng_{1};
};

class Lockstep {
 public:
  enum Part : size_t { kActive, kActiveMirror, kStandbyMirror, kStandby, kParts };

  Lockstep(const PairDeviceOptions& active, const PairDeviceOptions& standby);

  PairDevice& active() { return active_; }
  PairDevice& standby() { return standby_; }
  Nanos now() const { return now_; }
  Nanos& clock() { return now_; }
  // What each of them has taken since ResetBusy.
  Nanos busy(Part part) const { return busy_[part]; }
  void ResetBusy() { busy_ = {}; }
  const Wire& wire(size_t from) const { return wires_[from]; }

  // A turn of each; `least` is the least that time goes on.
  void Round(std::span<const net::Packet> packets, Nanos least);
  // The same without a measurement.
  void Step(Nanos span, std::span<const net::Packet> packets = {});
  // Of the wire, each way, from now on.
  void SetLoss(unsigned percent) {
    for (Wire& wire : wires_)
      wire.SetLoss(percent);
  }

 private:
  template <class Turn>
  Nanos Measure(Part part, const Turn& turn);

  PairDevice active_;
  PairDevice standby_;
  std::array<Wire, 2> wires_;
  std::array<Nanos, kParts> busy_{};
  Nanos now_ = kSecond;
};

}  // namespace tandem::bench
