// SPDX-License-Identifier: Apache-2.0
//
// Holds the place of the writing end: there is never a session, so noting changes is marking flows.
#include "dataplane/mirror/flow_sender.h"

namespace tandem::mirror {

using flow::FlowHot4;
using flow::FlowHot6;

struct FlowSender::Impl {
  Tables tables;
  SenderCounters counters;
};

FlowSender::FlowSender(config::TrafficGroupId, unsigned, Tables tables)
    : impl_(new Impl{tables, {}}) {}
FlowSender::~FlowSender() = default;

template <class Hot>
void FlowSender::Begin(uint32_t slot) noexcept {
  impl_->tables.Of<Hot>().hot(slot).common.flags |= flow::kMirrored;
}
template <class Hot>
void FlowSender::Change(uint32_t) noexcept {}
template <class Hot>
void FlowSender::End(uint32_t slot) noexcept {
  uint16_t& flags = impl_->tables.Of<Hot>().hot(slot).common.flags;
  flags = static_cast<uint16_t>(flags & ~flow::kMirrored);
}
template <class Hot>
void FlowSender::Touch(uint32_t) noexcept {}

void FlowSender::Open(const SessionTerms&, Nanos) noexcept {}
void FlowSender::Close() noexcept {}
bool FlowSender::is_open() const noexcept {
  return false;
}
bool FlowSender::Build(FrameSlot&, const config::Snapshot&, Nanos) noexcept {
  return false;
}
void FlowSender::OnAck(const FrameHeader&, Nanos) noexcept {}
void FlowSender::OnClock(Nanos) noexcept {}
StreamState FlowSender::state() const noexcept {
  return StreamState::kSyncing;
}
const SenderCounters& FlowSender::counters() const noexcept {
  return impl_->counters;
}

template void FlowSender::Begin<FlowHot4>(uint32_t) noexcept;
template void FlowSender::Begin<FlowHot6>(uint32_t) noexcept;
template void FlowSender::Change<FlowHot4>(uint32_t) noexcept;
template void FlowSender::Change<FlowHot6>(uint32_t) noexcept;
template void FlowSender::End<FlowHot4>(uint32_t) noexcept;
template void FlowSender::End<FlowHot6>(uint32_t) noexcept;
template void FlowSender::Touch<FlowHot4>(uint32_t) noexcept;
template void FlowSender::Touch<FlowHot6>(uint32_t) noexcept;

}  // namespace tandem::mirror
