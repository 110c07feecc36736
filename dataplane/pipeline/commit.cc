// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/commit.h"

#include <rte_tcp.h>

#include "dataplane/mirror/worker.h"
#include "dataplane/pipeline/context.h"

namespace tandem::pipeline {
namespace {

using config::MirrorCommit;
using Entry = CommitQueue::Entry;

const config::Virtual* VirtualOf(const Context& context, const flow::FlowCommon& common) {
  return context.snapshot->FindVirtual(common.virtual_id);
}

// The stream that could acknowledge the flow; nullptr: there is nobody to wait for.
mirror::FlowSender* StreamOf(const Context& context, config::TrafficGroupId group) {
  if (context.mirror == nullptr || context.mirror->FindSender(group) == nullptr || group == 0) {
    return nullptr;
  }
  mirror::FlowSender& sender = context.mirror->sender(group);
  if (!sender.is_open() || sender.state() == mirror::StreamState::kLagging) return nullptr;
  return &sender;
}

// The session in which the peer has been told of all that is not dirty; 0: of none.
uint32_t SessionOf(const mirror::FlowSender* sender) {
  if (sender == nullptr || sender->state() == mirror::StreamState::kSyncing) return 0;
  return sender->session();
}

// Whether the peer has all that was told of the slot until now.
template <class Hot>
bool IsAcknowledged(Context& context, mirror::FlowSender& sender, Entry& entry) {
  if (entry.session != sender.session()) {
    sender.TellAgain<Hot>(entry.slot);
    entry.session = sender.session();
  }
  if (flow::IsMirrorDirty(context.flows<Hot>().table.cold(entry.slot).mirror_link)) {
    entry.frames_below = 0;
    return false;
  }
  // A lost frame's slots may have been dirty, and told again, since they were looked at last.
  const uint64_t lost_frames = sender.lost_frames();
  if (entry.frames_below == 0 || entry.lost_frames != lost_frames) {
    entry.frames_below = sender.next_frame();
    entry.lost_frames = lost_frames;
  }
  return sender.first_in_flight() >= entry.frames_below;
}

// A flow that goes on may have got a new birth (mirror/flow_sender.h).
template <class Hot>
bool IsOver(Context& context, const Entry& entry) {
  const auto& table = context.flows<Hot>().table;
  return !table.IsLive(entry.slot) ||
         (flow::BirthOf(table.register_of(entry.slot)) != entry.birth &&
          table.cold(entry.slot).created != entry.created);
}

bool IsOver(Context& context, const Entry& entry) {
  return entry.is_ipv6 ? IsOver<flow::FlowHot6>(context, entry)
                       : IsOver<flow::FlowHot4>(context, entry);
}

template <class Hot>
bool MayGo(Context& context, Entry& entry) {
  if (IsOver<Hot>(context, entry)) return true;
  auto& table = context.flows<Hot>().table;
  const flow::FlowCommon& common = table.hot(entry.slot).common;
  const config::Virtual* virtual_server = VirtualOf(context, common);
  if (virtual_server == nullptr || (common.flags & flow::kMirrored) == 0) return true;
  mirror::FlowSender* const sender = StreamOf(context, table.pages().GroupOf(entry.slot));
  if (sender == nullptr) {
    context.counters.commit_alone.Add(1);
    return true;
  }
  if (IsAcknowledged<Hot>(context, *sender, entry)) return true;
  if (virtual_server->mirror_commit == MirrorCommit::kStrict) return false;
  if (context.now - entry.since < virtual_server->commit_timeout) return false;
  context.counters.commit_timeouts.Add(1);
  return true;
}

// The server's first packet on a flow of a virtual with commit. A SYN-ACK that comes again is the first
// to a client that began anew from its port; and who acknowledged the flow may be another run than the
// peer now.
template <class Hot>
bool RevealsFlow(const Context& context, const Work& work, const flow::FlowCommon& common,
                 flow::FlowRef ref, config::TrafficGroupId group) {
  if (ref.side != flow::Side::kServer) return false;
  const bool is_again =
      common.state == flow::State::kSynAcked && (work.parsed.tcp_flags & RTE_TCP_SYN_FLAG) != 0;
  if (common.state != flow::State::kOpening && !is_again) return false;
  if ((common.flags & flow::kMirrored) == 0) return false;
  const config::Virtual* virtual_server = VirtualOf(context, common);
  return virtual_server != nullptr && virtual_server->mirror_commit != MirrorCommit::kAsync &&
         StreamOf(context, group) != nullptr;
}

}  // namespace

bool CommitQueue::Holds(uint32_t slot, bool is_ipv6) const noexcept {
  if (per_slot_[FilterOf(slot, is_ipv6)] == 0) return false;
  for (size_t i = 0; i < count_; ++i) {
    if (entries_[i].slot == slot && entries_[i].is_ipv6 == is_ipv6) return true;
  }
  return false;
}

void CommitQueue::Add(const Entry& entry) noexcept {
  entries_[count_++] = entry;
  ++per_slot_[FilterOf(entry.slot, entry.is_ipv6)];
}

template <class Hot>
bool HoldForCommit(Context& context, const Work& work, flow::FlowRef ref) noexcept {
  auto& table = context.flows<Hot>().table;
  const flow::FlowCommon& common = table.hot(ref.slot).common;
  const bool behind =
      ref.side == flow::Side::kServer && context.commit.Holds(ref.slot, Hot::kIsIpv6);
  if (!behind && !RevealsFlow<Hot>(context, work, common, ref, table.pages().GroupOf(ref.slot))) {
    return false;
  }
  if (!context.commit.HasRoom()) {
    const config::Virtual* virtual_server = VirtualOf(context, common);
    const bool strict =
        virtual_server != nullptr && virtual_server->mirror_commit == MirrorCommit::kStrict;
    if (!behind && !strict) {
      context.counters.commit_full.Add(1);
      return false;
    }
    Drop(context, work.packet, DropReason::kCommitFull);
    return true;
  }
  context.commit.Add({.packet = work.packet,
                      .slot = ref.slot,
                      .is_ipv6 = Hot::kIsIpv6,
                      .birth = flow::BirthOf(table.register_of(ref.slot)),
                      .created = table.cold(ref.slot).created,
                      .since = context.now,
                      .session = SessionOf(StreamOf(context, table.pages().GroupOf(ref.slot)))});
  context.counters.held.Add(1);
  context.counters.commit_held.Add(1);
  return true;
}

void ReleaseCommitted(Context& context, Released& released) noexcept {
  released.committed_count = released.orphaned_count = 0;
  context.commit.Settle(
      kBurstMax,
      [&](Entry& entry) {
        return entry.is_ipv6 ? MayGo<flow::FlowHot6>(context, entry)
                             : MayGo<flow::FlowHot4>(context, entry);
      },
      [&](const Entry& entry) {
        if (IsOver(context, entry)) {
          released.orphaned[released.orphaned_count++] = entry.packet;
        } else {
          released.committed[released.committed_count++] = entry.packet;
        }
      });
}

template bool HoldForCommit<flow::FlowHot4>(Context&, const Work&, flow::FlowRef) noexcept;
template bool HoldForCommit<flow::FlowHot6>(Context&, const Work&, flow::FlowRef) noexcept;

}  // namespace tandem::pipeline
