// SPDX-License-Identifier: Apache-2.0
//
// Two devices for tests, joined by a mirroring wire that can lose frames. Time is the same for both.
//
//   Pair pair(TextOf(0), TextOf(1));
//   REQUIRE(pair.Synchronise());
//   pair.rig(0).Inject(…); pair.Run();
//
// Thread safety: none; everything takes turns on the caller's thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/prng.h"
#include "dataplane/mirror/link.h"
#include "tests/support/direct_wire.h"
#include "tests/support/rig.h"

namespace tandem::test {

// Keeps what a device sends by its mirroring port.
class FrameCollector : public mirror::FrameSink {
 public:
  std::span<uint8_t> Begin(size_t size) override {
    frame_.assign(size, 0);
    return frame_;
  }
  void Commit(size_t size) override {
    frame_.resize(size);
    if (see) see(frame_);
    frames.push_back(frame_);
  }

  std::vector<Bytes> frames;
  std::function<void(std::span<const uint8_t> frame)> see;  // at the moment it leaves

 private:
  Bytes frame_;
};

struct PairOptions {
  RigOptions rig;  // of both; the second one's seed is another
  std::array<witness::Path*, 2> witness{};
  unsigned loss_percent = 0;
  uint64_t seed = 1;
  bool is_direct = false;  // without endpoints (direct_wire.h)
};

class Pair {
 public:
  Pair(std::string_view config0, std::string_view config1, const PairOptions& options = {});
  ~Pair();

  Rig& rig(unsigned device) { return *rigs_[device]; }
  // Of the wire, each way, from now on. 100: cut.
  void SetLoss(unsigned percent) { loss_percent_ = {percent, percent}; }
  // Of what `device` sends.
  void SetLossFrom(unsigned device, unsigned percent) { loss_percent_[device] = percent; }
  // Whether a frame that `device` sends passes; nullptr: every one. Without endpoints it is not asked.
  using Filter = std::function<bool(unsigned device, std::span<const uint8_t> frame)>;
  void SetFilter(Filter passes) { passes_ = std::move(passes); }
  // Sees every frame that `device` sends, in the midst of its turn.
  void SetObserver(unsigned device, std::function<void(std::span<const uint8_t> frame)> see) {
    sinks_[device].see = std::move(see);
  }
  // The device ends as a crash would end it, and begins anew with empty tables. Not without endpoints.
  void Restart(unsigned device, std::string_view config);

  // Turns of everything, a step of time apart.
  void Advance(Nanos span, Nanos step = 200'000);
  // Until the standby of every traffic group says that it is in sync; false when that does not
  // happen within `patience`.
  bool Synchronise(Nanos patience = 30 * kSecond);
  bool IsInSync();
  // Both devices change roles: the one that was standby is active.
  void SwapRoles(std::string_view group);

  // Frames sent so far, by device.
  uint64_t frames(unsigned device) const {
    return direct_ != nullptr ? direct_->frames(device) : frames_[device];
  }

 private:
  void Exchange();

  PairOptions options_;
  Prng prng_;
  std::array<unsigned, 2> loss_percent_;  // by sender
  Filter passes_;
  unsigned restarts_ = 0;
  std::array<std::unique_ptr<Rig>, 2> rigs_;
  std::unique_ptr<DirectWire> direct_;
  std::array<std::vector<Bytes>, 2> under_way_;  // by receiver
  std::array<FrameCollector, 2> sinks_;
  std::array<uint64_t, 2> frames_{};
};

}  // namespace tandem::test
