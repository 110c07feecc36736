// SPDX-License-Identifier: Apache-2.0
//
// One device of a pair: a whole unit with its mirror, and what an observer may look at.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "dataplane/mirror/link.h"
#include "dataplane/mirror/worker.h"
#include "dataplane/unit/mirroring.h"
#include "tests/sim/flow_image.h"
#include "tests/support/pair.h"
#include "tests/support/rig.h"

namespace tandem::sim {

struct PairDeviceOptions {
  std::string config;
  test::RigOptions rig;
  flow::Birth first_birth = 0;
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

 private:
  test::Rig rig_;
  test::FrameCollector sink_;
};

}  // namespace tandem::sim
