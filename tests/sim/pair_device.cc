// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/pair_device.h"

namespace tandem::sim {

std::span<uint8_t> BufferedSink::Begin(size_t size) {
  if (frames.size() >= buffers) return {};
  frame_.assign(size, 0);
  return frame_;
}

void BufferedSink::Commit(size_t size) {
  frame_.resize(size);
  frames.push_back(frame_);
}

PairDevice::PairDevice(const PairDeviceOptions& options) : rig_(options.config, options.rig) {
  for (unsigned worker = 0; worker < workers(); ++worker) {
    tables(worker).flows4.RaiseBirth(options.first_birth);
    tables(worker).flows6.RaiseBirth(options.first_birth);
  }
}

std::vector<test::Bytes>& PairDevice::MirrorTurn(const std::vector<test::Bytes>& received) {
  const std::vector<std::span<const uint8_t>> frames(received.begin(), received.end());
  sink_.frames.clear();
  unit().MirrorTurn(frames, rig_.now(), sink_);
  return sink_.frames;
}

}  // namespace tandem::sim
