// SPDX-License-Identifier: Apache-2.0
//
// One device of a pair: a whole unit with its mirror, and what an observer may look at.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dataplane/mirror/link.h"
#include "dataplane/mirror/worker.h"
#include "dataplane/unit/mirroring.h"
#include "tests/sim/flow_image.h"
#include "tests/support/rig.h"

namespace tandem::sim {

struct PairDeviceOptions {
  std::string config;
  test::RigOptions rig;
  flow::Birth first_birth = 0;
};

// The mirroring port's buffers: as many frames a turn as there are.
class BufferedSink : public mirror::FrameSink {
 public:
  std::span<uint8_t> Begin(size_t size) override;
  void Commit(size_t size) override;

  std::vector<test::Bytes> frames;
  size_t buffers = SIZE_MAX;

 private:
  test::Bytes frame_;
};

class PairDevice {
 public:
  explicit PairDevice(const PairDeviceOptions& options);

  test::Rig& rig() { return rig_; }
  unit::Unit& unit() { return rig_.unit(); }
  unsigned workers() const { return rig_.unit().workers(); }
  config::TrafficGroupId GroupNamed(const char* name) const { return rig_.GroupNamed(name); }
  mirror::Tables tables(unsigned worker) { return mirroring().worker(worker).tables(); }
  unit::Mirroring& mirroring() { return *rig_.unit().mirroring(); }

  // A turn of the mirror's thread; what it sends.
  std::vector<test::Bytes>& MirrorTurn(const std::vector<test::Bytes>& received);
  // So many of them, each turn; the port has no more.
  void SetMirrorBuffers(size_t buffers) { sink_.buffers = buffers; }

 private:
  test::Rig rig_;
  BufferedSink sink_;
};

}  // namespace tandem::sim
