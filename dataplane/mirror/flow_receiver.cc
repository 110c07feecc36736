// SPDX-License-Identifier: Apache-2.0
//
// Holds the place of the reading end: no session ever begins.
#include "dataplane/mirror/flow_receiver.h"

namespace tandem::mirror {

struct FlowReceiver::Impl {
  ReceiverCounters counters;
};

FlowReceiver::FlowReceiver(config::TrafficGroupId, unsigned, Tables, config::LiveCounts&)
    : impl_(std::make_unique<Impl>()) {}
FlowReceiver::~FlowReceiver() = default;
void FlowReceiver::Open(const SessionTerms&, Nanos) noexcept {}
void FlowReceiver::Close(bool) noexcept {}
bool FlowReceiver::is_open() const noexcept {
  return false;
}
void FlowReceiver::Apply(const FrameSlot&, const Translation&, const config::Snapshot&,
                         Nanos) noexcept {}
bool FlowReceiver::BuildAck(FrameSlot&, uint16_t, Nanos) noexcept {
  return false;
}
bool FlowReceiver::Tidy(const Translation*, const config::Snapshot&, unsigned) noexcept {
  return false;
}
bool FlowReceiver::in_sync() const noexcept {
  return false;
}
const ReceiverCounters& FlowReceiver::counters() const noexcept {
  return impl_->counters;
}

}  // namespace tandem::mirror
