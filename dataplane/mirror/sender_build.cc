// SPDX-License-Identifier: Apache-2.0
//
// FlowSender's frames. Each is of one kind: live changes with touches, a piece of the first pass (bulk),
// digests, or nothing but its header, which tells the state and that the writer is there. So a slot is
// in a frame once at most, and a frame of digests that is not acknowledged drags no changes with it.
#include "dataplane/mirror/flow_batch_impl.h"
#include "dataplane/mirror/flow_sender_impl.h"

namespace tandem::mirror {

using flow::FlowHot4;
using flow::FlowHot6;

namespace {

// One frame in so many is offered to the first pass and to digests before live changes, which
// otherwise could keep them waiting for ever.
constexpr uint32_t kBackgroundShare = 4;

}  // namespace

// Frames are to be full, as long as nothing waits for `flush`: each costs about as much as ten rows.
bool FlowSender::Impl::IsLiveDue(Nanos flush) const noexcept {
  const uint32_t waiting = family4.dirty.size() + family6.dirty.size();
  if (waiting == 0) return false;
  if (waiting >= kRowsWaitingMax || waiting * row_bytes >= terms.body_max) return true;
  const Nanos since = std::min(family4.dirty.oldest(), family6.dirty.oldest());
  return now >= since && now - since >= flush;
}

bool FlowSender::Impl::AreTouchesDue() const noexcept {
  if (touches_count == 0) return false;
  return touches_count >= kTouchesMax / 2 || now - touched_at >= kTouchDelay;
}

bool FlowSender::Impl::BuildNext(FrameSlot& out, const config::Snapshot& snapshot) noexcept {
  if (!open || snapshot.dictionary == nullptr || !window.CanSend(kRowsMax)) return false;
  EndWaits<FlowHot4>(now - LaterList<FlowHot4>::kDelay);
  EndWaits<FlowHot6>(now - LaterList<FlowHot6>::kDelay);
  allowance.Refill(snapshot.mirroring.bulk_rate, now);
  const bool background_first = frames_built % kBackgroundShare == 0;
  if (background_first && BuildBackground(out, snapshot)) return true;
  if (IsLiveDue(snapshot.mirroring.flush) || AreTouchesDue()) return BuildLive(out, snapshot);
  if (!background_first && BuildBackground(out, snapshot)) return true;
  if (state == announced && now - sent_at < kSilenceMax) return false;
  BeginFrame(snapshot);
  FinishFrame(out, snapshot);
  return true;
}

// Of the mistake kOldBytes: what was lost comes first.
bool FlowSender::Impl::BuildOld(FrameSlot& out, const config::Snapshot& snapshot) noexcept {
  BeginFrame(snapshot);
  if (open && window.CanSend(kRowsMax)) notes_count = old_bytes.Repeat(out, notes);
  if (notes_count != 0) {
    const uint16_t size = out.body_size;
    FinishFrame(out, snapshot);
    out.body_size = size;
  } else if (!BuildNext(out, snapshot)) {
    return false;
  }
  old_bytes.Keep(out.header.sequence, {out.body.data(), out.body_size},
                 {notes.data(), notes_count});
  return true;
}

bool FlowSender::Impl::BuildBackground(FrameSlot& out, const config::Snapshot& snapshot) noexcept {
  if (!allowance.has_any()) return false;
  return is_bulk_running() ? BuildBulk(out, snapshot) : BuildAudit(out, snapshot);
}

void FlowSender::Impl::BeginFrame(const config::Snapshot& snapshot) noexcept {
  writer.Begin(terms.body_max, *snapshot.dictionary);
  notes_count = 0;
  frame_since = kNever;
}

void FlowSender::Impl::FinishFrame(FrameSlot& out, const config::Snapshot& snapshot) noexcept {
  const size_t size = writer.empty() ? 0 : writer.Finish(out.body.data());
  out.cargo = Cargo::kFrame;
  out.group = group;
  out.body_size = static_cast<uint16_t>(size);
  if (Mutated(Mutation::kShortLength)) out.body_size &= 0xff;
  const uint64_t sequence = window.Send({notes.data(), notes_count}, now);
  since_of_frame[sequence % since_of_frame.size()] = frame_since;
  out.header = {};
  out.header.type = FrameType::kFlows;
  out.header.group = terms.wire_group;
  out.header.worker = static_cast<uint8_t>(worker);
  out.header.flags = static_cast<uint16_t>(state);
  out.header.epoch = terms.epoch;
  out.header.session = terms.session;
  out.header.sequence = sequence;
  out.header.floor = window.floor();
  out.header.dictionary = static_cast<uint16_t>(snapshot.generation);
  out.header.stamp = static_cast<uint32_t>(now / 1000);
  announced = state;
  sent_at = now;
  if (unanswered_since == 0) unanswered_since = std::max<Nanos>(now, 1);
  ++frames_built;
  CountFrame(size);
}

void FlowSender::Impl::CountFrame(size_t size) noexcept {
  const RowCounts rows = writer.counts();
  counters.frames.Add(1);
  counters.bytes.Add(size);
  counters.creates.Add(rows.creates);
  counters.updates.Add(rows.updates);
  counters.closes.Add(rows.closes);
  counters.touches.Add(rows.touches);
}

template <class Hot>
[[gnu::always_inline]] inline FlowName FlowSender::Impl::NameOf(uint32_t slot,
                                                                uint32_t logical) noexcept {
  const flow::FlowTable<Hot>& table = Of<Hot>().table;
  return {logical, table.register_of(slot), TickOf(now) - table.cold(slot).created};
}

// A flow that the peer knows needs an update only; beyond the cursor kMirrorKnown may be of another session.
// Numbers that another device gave are of no use to the peer.
template <class Hot>
bool FlowSender::Impl::AddKnownOrUnbound(uint32_t slot, uint32_t logical) noexcept {
  Family<Hot>& family = Of<Hot>();
  const Hot& hot = family.table.hot(slot);
  const flow::FlowCommon& common = hot.common;
  const FlowName name = NameOf<Hot>(slot, logical);
  if ((common.flags & flow::kMirrorKnown) != 0 && logical < family.bulk_cursor) {
    const auto flags = static_cast<uint16_t>(common.flags & kMirroredFlags);
    return writer.AddUpdate(Hot::kIsIpv6, {name.slot, name.value, common.state, flags});
  }
  Hot flow = hot;
  if ((common.flags & flow::kUnbound) != 0) {
    flow.common.virtual_id = 0;
    flow.common.member_id = 0;
    flow.common.client_interface = 0;
  }
  return writer.AddCreate(flow, name);
}

// What the slot holds now.
template <class Hot>
[[gnu::always_inline]] inline bool FlowSender::Impl::AddImage(uint32_t slot,
                                                              uint32_t logical) noexcept {
  Family<Hot>& family = Of<Hot>();
  if (!family.IsTold(slot)) return batch.AddClose<Hot>({logical, family.table.register_of(slot)});
  Hot& hot = family.table.hot(slot);
  uint16_t& flags = hot.common.flags;
  const bool is_usual = (flags & (flow::kMirrorKnown | flow::kUnbound)) == 0;
  if (is_usual ? !batch.AddCreate(hot, NameOf<Hot>(slot, logical))
               : !AddKnownOrUnbound<Hot>(slot, logical)) {
    return false;
  }
  flags |= flow::kMirrorKnown;
  return true;
}

// False: the frame is full. A note goes with each row, and a batch has no more than there is room for.
template <class Hot>
bool FlowSender::Impl::AddDirty() noexcept {
  Family<Hot>& family = Of<Hot>();
  flow::FlowTable<Hot>& table = family.table;
  const Nanos since = family.dirty.oldest();
  const uint32_t notes_before = notes_count;
  bool has_room = true;
  // Slots that follow each other are mostly of one page.
  uint32_t page = UINT32_MAX;
  uint32_t logical_begin = 0;
  while (has_room) {
    const auto slots = family.dirty.Front(table);
    if (slots.empty()) break;
    Note* const first = &notes[notes_count];
    Note* note = first;
    for (const uint32_t slot : slots) {
      if (slot / kFlowsPerPage != page) {
        page = slot / kFlowsPerPage;
        logical_begin = family.Logical(page * kFlowsPerPage);
      }
      has_room = AddImage<Hot>(slot, logical_begin + slot % kFlowsPerPage);
      if (!has_room) break;
      family.dirty.MarkClean(table, slot);
      *note++ = slot << 1 | Note{Hot::kIsIpv6};
    }
    const auto done = static_cast<uint32_t>(note - first);
    notes_count += done;
    family.dirty.Pop(done);
  }
  if (notes_count != notes_before) frame_since = std::min(frame_since, since);
  return has_room;
}

template <class Hot>
bool FlowSender::Impl::AddTouch(uint32_t slot) noexcept {
  Family<Hot>& family = Of<Hot>();
  if (!family.IsTold(slot) || family.table.pages().GroupOf(slot) != group) return true;
  if (family.IsDirty(slot)) return true;
  return writer.AddTouch(Hot::kIsIpv6, family.Logical(slot));
}

void FlowSender::Impl::AddTouches() noexcept {
  uint32_t done = 0;
  while (done < touches_count) {
    const TouchNote touch = touches[done];
    if (!(touch.is_ipv6 ? AddTouch<FlowHot6>(touch.slot) : AddTouch<FlowHot4>(touch.slot))) break;
    ++done;
  }
  std::copy(touches.begin() + done, touches.begin() + touches_count, touches.begin());
  touches_count -= done;
  touched_at = now;
}

// The families take turns to be first, for under load the second finds no room.
bool FlowSender::Impl::BuildLive(FrameSlot& out, const config::Snapshot& snapshot) noexcept {
  BeginFrame(snapshot);
  const bool has_room = (frames_built & 1) == 0 ? AddDirty<FlowHot4>() && AddDirty<FlowHot6>()
                                                : AddDirty<FlowHot6>() && AddDirty<FlowHot4>();
  if (has_room) AddTouches();
  if (writer.empty() && notes_count == 0) return false;
  FinishFrame(out, snapshot);
  if (notes_count != 0)
    row_bytes = std::min((3 * row_bytes + out.body_size / notes_count + 3) / 4, kRowBytesMax);
  return true;
}

// Goes on with the first pass; false when the frame is full or enough was looked at.
template <class Hot>
bool FlowSender::Impl::AddBulk(uint32_t& budget) noexcept {
  constexpr uint32_t kAhead = 8;
  Family<Hot>& family = Of<Hot>();
  flow::FlowTable<Hot>& table = family.table;
  uint32_t& cursor = family.bulk_cursor;
  const uint32_t end = family.end();
  for (uint32_t slot = flow::kNoSlot; cursor < end;) {
    if (budget == 0) return false;
    --budget;
    const bool is_next = slot != flow::kNoSlot && cursor % kFlowsPerPage != 0;
    slot = is_next ? slot + 1 : table.pages().SlotAt(group, cursor);
    if (slot >= table.capacity()) {  // or kNoSlot
      slot = flow::kNoSlot;
      cursor = NextPage(cursor);
      continue;
    }
    if (slot + kAhead < table.capacity()) table.PrefetchSlot(slot + kAhead);
    if (family.IsTold(slot)) {
      if (family.IsDirty(slot)) {
        // It will be told in its turn, and in full: what another session sent of it does not count.
        uint16_t& flags = table.hot(slot).common.flags;
        flags = static_cast<uint16_t>(flags & ~flow::kMirrorKnown);
      } else {
        if (notes_count == notes.size() || !AddImage<Hot>(slot, cursor)) {
          if (Mutated(Mutation::kCursorOffByOne)) ++cursor;
          return false;
        }
        family.Keep(slot);
        notes[notes_count++] = slot << 1 | Note{Hot::kIsIpv6};
        frame_since = now;
      }
    }
    ++cursor;
  }
  cursor = UINT32_MAX;
  return true;
}

bool FlowSender::Impl::BuildBulk(FrameSlot& out, const config::Snapshot& snapshot) noexcept {
  BeginFrame(snapshot);
  uint32_t budget = kBulkSlotsPerFrame;
  if (AddBulk<FlowHot4>(budget) && AddBulk<FlowHot6>(budget)) {
    bulk_end = std::max<Nanos>(now, 1);
    Look();
  }
  if (writer.empty()) return false;
  FinishFrame(out, snapshot);
  allowance.Spend(out.body_size);
  return true;
}

}  // namespace tandem::mirror
