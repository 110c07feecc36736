// SPDX-License-Identifier: Apache-2.0
//
// What FlowReceiver does without a frame: sweeps out earlier sessions' flows, binds flows to what
// the configuration has now, and gives back pages that hold nothing.
#include "dataplane/mirror/binding.h"
#include "dataplane/mirror/flow_receiver_impl.h"

namespace tandem::mirror {

using flow::FlowHot4;
using flow::FlowHot6;
using flow::kNoSlot;

namespace {

constexpr unsigned kPagesPerCall = 16;      // looked at
constexpr unsigned kSlotsPerPageLook = 64;  // what such a look costs of a walk's budget, at most

bool HasInterface(const config::Snapshot& snapshot, config::InterfaceId id) {
  return id < snapshot.interfaces.size() && snapshot.interfaces[id].id != 0;
}

// Whether all that the flow names exists here.
bool IsConfigured(const flow::FlowCommon& common, const config::Snapshot& snapshot) {
  if (snapshot.FindVirtual(common.virtual_id) == nullptr) return false;
  if (common.member_id != 0 && snapshot.FindMember(common.member_id) == nullptr) return false;
  return common.client_interface == 0 || HasInterface(snapshot, common.client_interface);
}

}  // namespace

void FlowReceiver::Impl::BeginWalk() noexcept {
  walking = true;
  family4.walk_cursor = 0;
  family6.walk_cursor = 0;
  walk_unbound = 0;
}

// Goes on with the walk; true at the end.
template <class Hot>
bool FlowReceiver::Impl::Walk(const Translation* translation, const config::Snapshot& snapshot,
                              unsigned& budget) noexcept {
  constexpr uint32_t kAhead = 8;
  Family<Hot>& family = Of<Hot>();
  flow::FlowTable<Hot>& table = family.table;
  uint32_t& cursor = family.walk_cursor;
  const uint32_t end = family.end();
  for (; cursor < end && budget != 0; --budget) {
    const uint32_t slot = family.SlotAt(cursor);
    if (slot == kNoSlot) {
      cursor = NextPage(cursor);
      continue;
    }
    ++cursor;
    if (slot + kAhead < table.capacity()) table.PrefetchSlot(slot + kAhead);
    if (!table.IsLive(slot) || !family.IsShadow(slot)) continue;
    flow::FlowCommon& common = table.hot(slot).common;
    const bool is_bound = (common.flags & flow::kUnbound) == 0 && IsConfigured(common, snapshot);
    const bool is_earlier = table.cold(slot).mirror_link != mark();
    if (discarding || (is_earlier && !(keeps_earlier && is_bound))) {
      if (Mutated(Mutation::kNoSweep)) continue;
      EraseShadow<Hot>(slot);
      counters.swept.Add(1);
      continue;
    }
    if (is_bound) continue;
    if ((common.flags & flow::kUnbound) == 0) Unbind(common, table.cold(slot), live);
    // Also of an object that was deleted and is back under another id.
    if (translation == nullptr || !Bind(common, *translation)) ++walk_unbound;
  }
  return cursor >= end;
}

// A page goes back once nothing that is still on the way can speak of it, and not in haste: the next
// flow would want it again.
template <class Hot>
void FlowReceiver::Impl::TidyPages(unsigned pages) noexcept {
  Family<Hot>& family = Of<Hot>();
  if (family.pages_held == 0) return;
  flow::FlowTable<Hot>& table = family.table;
  for (; pages != 0; --pages) {
    const uint32_t page = family.page_cursor;
    family.page_cursor = page + 1 < family.page_count ? page + 1 : 0;
    PageNote& note = family.notes[page];
    if (!note.held) continue;
    const auto first = static_cast<uint32_t>(page * kFlowsPerPage);
    const uint32_t slot = family.SlotAt(first);
    if (table.pages().UsedOfPage(slot) != 0) continue;
    if (open && window.floor() <= note.touched) continue;
    if (open && newest - note.touched < kPageRestFrames && now - note.touched_at < kPageRest) {
      continue;
    }
    const uint32_t end = std::min<uint32_t>(slot + kFlowsPerPage, table.capacity());
    for (uint32_t i = slot; i < end; ++i) {
      uint32_t& link = table.cold(i).mirror_link;
      if (link >= flow::kMirrorSession) link = 0;
    }
    note = {.closed = note.closed};
    --family.pages_held;
    table.pages().Unhold(slot);
    return;  // so much for one call
  }
}

bool FlowReceiver::Tidy(const Translation* translation, const config::Snapshot& snapshot,
                        unsigned budget) noexcept {
  Impl& impl = *impl_;
  const unsigned pages = std::clamp(budget / kSlotsPerPageLook, 1U, kPagesPerCall);
  impl.TidyPages<FlowHot4>(std::min(pages, impl.family4.page_count));
  impl.TidyPages<FlowHot6>(std::min(pages, impl.family6.page_count));
  if (translation != nullptr && !translation->IsOf(impl.terms.incarnation, snapshot)) {
    translation = nullptr;  // a better one is being made
  }
  if (impl.open && translation != nullptr &&
      (translation->snapshot_generation != impl.walk_generation ||
       translation->version != impl.walk_version)) {
    impl.walk_generation = translation->snapshot_generation;
    impl.walk_version = translation->version;
    impl.BeginWalk();
  }
  if (impl.keeps_earlier && (impl.lacks_room || impl.writer_state != StreamState::kSyncing)) {
    impl.keeps_earlier = false;
    impl.BeginWalk();
  }
  if (!impl.walking) return false;
  if (!impl.Walk<FlowHot4>(translation, snapshot, budget)) return true;
  if (!impl.Walk<FlowHot6>(translation, snapshot, budget)) return true;
  impl.walking = false;
  impl.discarding = false;
  impl.counters.unbound.Set(impl.walk_unbound);
  return false;
}

}  // namespace tandem::mirror
