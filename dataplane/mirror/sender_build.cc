// SPDX-License-Identifier: Apache-2.0
//
// FlowSender's frames. Each is of one kind: live changes with touches, a piece of the first pass (bulk),
// digests, or nothing but its header, which tells the state and that the writer is there. So a slot is
// in a frame once at most, and a frame of digests that is not acknowledged drags no changes with it.
#include <algorithm>
#include <array>
#include <span>

#include "dataplane/mirror/flow_batch_impl.h"
#include "dataplane/mirror/flow_sender_impl.h"

namespace tandem::mirror {

using flow::FlowHot4;
using flow::FlowHot6;

namespace {

// One frame in so many is offered to the first pass and to digests before live changes, which
// otherwise could keep them waiting for ever.
constexpr uint32_t kBackgroundShare = 4;

// The slot's lines, or the first of many, which the mirror lcore has had. They come while rows are gathered.
[[gnu::always_inline]] inline void FetchToWrite(FrameSlot& slot, size_t body_size) noexcept {
  constexpr size_t kLine = 64;
  constexpr size_t kMost = 2048;
  __builtin_prefetch(&slot, 1);
  for (size_t at = 0; at < std::min(body_size, kMost); at += kLine)
    __builtin_prefetch(&slot.body[at], 1);
}

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

// What slots hold now, row by row (flow_batch_impl.h). Rows are of the first one's page, up to one that is
// not.
template <class Hot>
class SlotRows {
 public:
  // `logical_begin`: of the first slot's page. All outlive this.
  SlotRows(flow::FlowTable<Hot>& table, const uint32_t* slots, uint32_t logical_begin, Tick now)
      : flows_(&table.hot(0)),
        colds_(&table.cold(0)),
        values_(&table.register_of(0)),
        slots_(slots),
        page_(slots[0] / kFlowsPerPage),
        logical_begin_(logical_begin),
        now_(now) {}

  bool has(size_t i) const noexcept { return slots_[i] / kFlowsPerPage == page_; }
  const Hot& flow(size_t i) const noexcept { return flows_[slots_[i]]; }
  flow::Register value(size_t i) const noexcept { return values_[slots_[i]]; }
  uint32_t slot(size_t i) const noexcept { return logical_begin_ + slots_[i] % kFlowsPerPage; }
  uint32_t age_ticks(size_t i) const noexcept { return now_ - colds_[slots_[i]].created; }
  FlowName name(size_t i) const noexcept { return {slot(i), value(i), age_ticks(i)}; }

 private:
  const Hot* flows_;
  const flow::FlowCold* colds_;
  const flow::Register* values_;
  const uint32_t* slots_;
  size_t page_;
  uint32_t logical_begin_;
  Tick now_;
};

// A flow that the peer knows needs an update only; beyond the cursor kMirrorKnown may be of another session.
// Numbers that another device gave are of no use to the peer.
template <class Hot>
bool FlowSender::Impl::AddKnownOrUnbound(const Hot& hot, const FlowName& name) noexcept {
  const flow::FlowCommon& common = hot.common;
  if ((common.flags & flow::kMirrorKnown) != 0 && name.slot < Of<Hot>().bulk_cursor) {
    const auto flags = static_cast<uint16_t>(common.flags & kMirroredFlags);
    return writer.AddUpdate(Hot::kIsIpv6, {name.slot, name.value, common.state, flags});
  }
  Hot flow = hot;
  if ((common.flags & flow::kUnbound) != 0) {
    flow.common.virtual_id = 0;
    flow.common.member_id = 0;
    flow.common.client_interface = 0;
  }
  flow.common.flags = static_cast<uint16_t>(common.flags & ~(flow::kMirrorKnown | flow::kUnbound));
  return writer.AddCreate(flow, name);
}

// Rows of free slots, from the front, one at least if there is room; returns how many.
template <class Hot>
size_t FlowSender::Impl::AddCloses(const SlotRows<Hot>& rows, size_t count) noexcept {
  const size_t added = batch.template AddUsualCloses<Hot>(rows, count);
  if (added != 0) return added;
  if (batch.IsAsGoodAsFull(batch::CloseRows::kRowMax)) return 0;
  return writer.AddClose(Hot::kIsIpv6, {rows.slot(0), rows.value(0)}) ? 1 : 0;
}

// The same of slots with flows.
template <class Hot>
size_t FlowSender::Impl::AddFlows(const SlotRows<Hot>& rows, size_t count) noexcept {
  constexpr uint16_t kUnusual = flow::kMirrorKnown | flow::kUnbound;
  const size_t added = batch.template AddUsualCreates<Hot>(rows, count);
  if (added != 0) return added;
  if (batch.IsAsGoodAsFull(batch.template Creates<Hot>().row_max)) return 0;
  const Hot& hot = rows.flow(0);
  const bool is_usual = (hot.common.flags & kUnusual) == 0;
  return is_usual ? batch.AddAnyCreate(hot, rows.name(0)) : AddKnownOrUnbound(hot, rows.name(0));
}

// Rows, and a note of each, as many from the front as there is room for; returns how many. (A batch has no
// more rows than there is room for notes.) The slots are in no list then.
template <class Hot>
size_t FlowSender::Impl::AddSlots(std::span<const uint32_t> slots) noexcept {
  Family<Hot>& family = Of<Hot>();
  flow::FlowTable<Hot>& table = family.table;
  size_t done = 0;
  while (done < slots.size()) {
    // What follows is mostly of the same page.
    const uint32_t page = slots[done] / kFlowsPerPage;
    const SlotRows<Hot> rows(table, &slots[done], family.Logical(page * kFlowsPerPage),
                             TickOf(now));
    const bool is_told = family.IsTold(slots[done]);
    size_t count = 1;
    if (is_told) {
      count = AddFlows(rows, slots.size() - done);
    } else {
      while (done + count < slots.size() && !family.IsTold(slots[done + count]))
        ++count;
      count = AddCloses(rows, count);
    }
    if (count == 0) break;
    const auto known = static_cast<uint16_t>(is_told ? flow::kMirrorKnown : 0);
    Note* note = &notes[notes_count];
    for (const uint32_t slot : slots.subspan(done, count)) {
      table.hot(slot).common.flags |= known;
      DirtyList<Hot>::MarkClean(table, slot);
      *note++ = slot << 1 | Note{Hot::kIsIpv6};
    }
    notes_count += static_cast<uint32_t>(count);
    done += count;
  }
  return done;
}

// False: the frame is full.
template <class Hot>
bool FlowSender::Impl::AddDirty() noexcept {
  Family<Hot>& family = Of<Hot>();
  const Nanos since = family.dirty.oldest();
  while (true) {
    auto slots = family.dirty.Front(family.table);
    if (slots.empty()) return true;
    slots = slots.first(std::min<size_t>(slots.size(), kTogether));
    const size_t done = AddSlots<Hot>(slots);
    family.dirty.Pop(static_cast<uint32_t>(done));
    if (done != 0) frame_since = std::min(frame_since, since);
    if (done < slots.size()) return false;
  }
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
  FetchToWrite(out, terms.body_max);
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
  Family<Hot>& family = Of<Hot>();
  flow::FlowTable<Hot>& table = family.table;
  uint32_t& cursor = family.bulk_cursor;
  const uint32_t end = family.end();
  while (cursor < end) {
    if (budget == 0) return false;
    const uint32_t first = table.pages().SlotAt(group, cursor);
    if (first >= table.capacity()) {  // or kNoSlot
      --budget;
      cursor = NextPage(cursor);
      continue;
    }
    const auto in_page = static_cast<uint32_t>(cursor % kFlowsPerPage);
    const uint32_t count = std::min({kTogether, budget, uint32_t{kFlowsPerPage} - in_page,
                                     table.capacity() - first, end - cursor});
    budget -= count;
    std::array<uint32_t, kTogether> room;
    const auto slots = std::span(room).first(ViewBulk<Hot>(first, count, room));
    const size_t done = AddSlots<Hot>(slots);
    for (const uint32_t slot : slots.first(done))
      family.Keep(slot);
    if (done != 0) frame_since = now;
    if (done < slots.size()) {
      cursor += slots[done] - first;
      if (Mutated(Mutation::kCursorOffByOne)) ++cursor;
      return false;
    }
    cursor += count;
  }
  cursor = UINT32_MAX;
  return true;
}

// Which of the slots the first pass has to tell of; returns how many. What another session told of them does
// not count.
template <class Hot>
uint32_t FlowSender::Impl::ViewBulk(uint32_t first, uint32_t count,
                                    std::span<uint32_t, kTogether> slots) noexcept {
  Family<Hot>& family = Of<Hot>();
  flow::FlowTable<Hot>& table = family.table;
  for (uint32_t ahead = first + count; ahead < std::min(first + 2 * count, table.capacity());
       ++ahead)
    table.PrefetchSlot(ahead);
  uint32_t told = 0;
  for (uint32_t slot = first; slot < first + count; ++slot) {
    if (!family.IsTold(slot)) continue;
    uint16_t& flags = table.hot(slot).common.flags;
    flags = static_cast<uint16_t>(flags & ~flow::kMirrorKnown);
    // Those that are dirty have their turn, and are told in full.
    if (!family.IsDirty(slot)) slots[told++] = slot;
  }
  return told;
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
