// SPDX-License-Identifier: Apache-2.0
#include "dataplane/mirror/flow_sender.h"

#include "dataplane/mirror/flow_sender_impl.h"

namespace tandem::mirror {

using flow::FlowHot4;
using flow::FlowHot6;

FlowSender::FlowSender(config::TrafficGroupId group, unsigned worker, Tables tables,
                       FlowBatchWriter& writer)
    : impl_(std::make_unique<Impl>(group, worker, tables, writer)) {}
FlowSender::~FlowSender() = default;

// ---- noting -----------------------------------------------------------------------------------------

// (The slow ways are calls at the ends of functions, so that the usual one saves no registers.)
template <class Hot>
inline void FlowSender::Impl::MarkDirty(uint32_t slot) noexcept {
  if (!open) return;
  Family<Hot>& family = Of<Hot>();
  if (!family.IsDirty(slot)) {
    if (family.ranges.Take(slot)) [[unlikely]]
      return MarkFirstOfRange<Hot>(slot);
  } else if (family.IsLater(slot)) {
    family.later.TakeOut(family.table, slot);
  } else {
    return;
  }
  family.dirty.Add(family.table, slot, now);
}
template <class Hot>
void FlowSender::Impl::MarkFirstOfRange(uint32_t slot) noexcept {
  Family<Hot>& family = Of<Hot>();
  family.Hold(slot);
  family.dirty.Add(family.table, slot, now);
}

template <class Hot>
inline void FlowSender::Impl::MarkLater(uint32_t slot) noexcept {
  Family<Hot>& family = Of<Hot>();
  if (!open || family.IsDirty(slot)) return;
  if (family.later.is_full()) {
    MarkDirty<Hot>(slot);
    return;
  }
  family.later.Add(family.table, slot, now);
  family.Keep(slot);
}

// Of those that began at `until` or before. How late they are is reckoned from when their wait was over,
// which may be long ago if the worker stood still.
template <class Hot>
void FlowSender::Impl::EndWaits(Nanos until) noexcept {
  Family<Hot>& family = Of<Hot>();
  for (uint32_t i = 0; i < kWaitsEndedPerCall && family.later.IsDue(until); ++i) {
    const Nanos since = std::min(now, family.later.oldest_end());
    const uint32_t slot = family.later.Next(family.table, group);
    if (slot != flow::kNoSlot) family.dirty.Add(family.table, slot, since);
  }
}

// A flow that used up its versions becomes a new one to the peer, which it must be told in full.
template <class Hot>
inline void FlowSender::Impl::NewVersion(uint32_t slot) noexcept {
  flow::FlowTable<Hot>& table = Of<Hot>().table;
  flow::Register& value = table.register_of(slot);
  ++value;
  if (flow::VersionOf(value) != 0) [[likely]]
    return;
  value = flow::MakeRegister(table.NewBirth(), 0);
  uint16_t& flags = table.hot(slot).common.flags;
  flags = static_cast<uint16_t>(flags & ~flow::kMirrorKnown);
}

template <class Hot>
inline void FlowSender::Impl::SetMirrored(uint32_t slot) noexcept {
  uint16_t& flags = Of<Hot>().table.hot(slot).common.flags;
  flags = static_cast<uint16_t>((flags | flow::kMirrored) & ~flow::kMirrorKnown);
  NewVersion<Hot>(slot);
}

template <class Hot>
void FlowSender::Begin(uint32_t slot) noexcept {
  impl_->SetMirrored<Hot>(slot);
  impl_->MarkDirty<Hot>(slot);
}

template <class Hot>
void FlowSender::Begin(std::span<const uint32_t> slots) noexcept {
  for (const uint32_t slot : slots)
    impl_->SetMirrored<Hot>(slot);
  for (const uint32_t slot : slots)
    impl_->MarkDirty<Hot>(slot);
}

template <class Hot>
void FlowSender::Change(uint32_t slot) noexcept {
  impl_->NewVersion<Hot>(slot);
  impl_->MarkDirty<Hot>(slot);
}

template <class Hot>
void FlowSender::ChangeLater(uint32_t slot) noexcept {
  impl_->NewVersion<Hot>(slot);
  impl_->MarkLater<Hot>(slot);
}

template <class Hot>
void FlowSender::End(uint32_t slot) noexcept {
  impl_->NewVersion<Hot>(slot);
  uint16_t& flags = impl_->Of<Hot>().table.hot(slot).common.flags;
  flags = static_cast<uint16_t>(flags & ~(flow::kMirrored | flow::kMirrorKnown));
  impl_->MarkDirty<Hot>(slot);
}

template <class Hot>
void FlowSender::TellAgain(uint32_t slot) noexcept {
  uint16_t& flags = impl_->Of<Hot>().table.hot(slot).common.flags;
  flags = static_cast<uint16_t>(flags & ~flow::kMirrorKnown);
  impl_->MarkDirty<Hot>(slot);
}

template <class Hot>
void FlowSender::Touch(uint32_t slot) noexcept {
  Impl& impl = *impl_;
  if (!impl.open || impl.touches_count == Impl::kTouchesMax) return;
  if (impl.touches_count == 0) impl.touched_at = impl.now;
  impl.touches[impl.touches_count++] = {slot, Hot::kIsIpv6};
}

// ---- the session ------------------------------------------------------------------------------------

void FlowSender::Impl::AbandonInFlight() noexcept {
  const auto let_go = [this](std::span<const Note> gone) {
    for (const Note note : gone) {
      if ((note & kAuditNote) != 0) continue;
      if ((note & 1) != 0) {
        family6.LetGo(note >> 1);
      } else {
        family4.LetGo(note >> 1);
      }
    }
  };
  window.Abandon(let_go);
  old_bytes.Abandon(let_go);
}

// Slots that are dirty from an earlier session may stay so: they are told once more than need be.
void FlowSender::Open(const SessionTerms& terms, Nanos now) noexcept {
  Impl& impl = *impl_;
  // Only the path changed: numbering goes on, for a number names one frame of a session.
  if (impl.open && terms.session == impl.terms.session && terms.epoch == impl.terms.epoch) {
    impl.terms.body_max = static_cast<uint16_t>(std::clamp<size_t>(terms.body_max, 256, kBodyMax));
    return;
  }
  impl.AbandonInFlight();
  impl.window.Reset(now);
  impl.terms = terms;
  impl.terms.body_max = static_cast<uint16_t>(std::clamp<size_t>(terms.body_max, 256, kBodyMax));
  impl.open = true;
  impl.now = now;
  impl.touches_count = 0;
  impl.allowance.Reset(now);
  impl.family4.bulk_cursor = 0;
  impl.family6.bulk_cursor = 0;
  impl.bulk_end = 0;
  impl.state = StreamState::kSyncing;
  impl.announced = StreamState::kInSync;  // anything else: the first frame is due
  impl.sent_at = now;
  impl.renewed_count = 0;
  impl.unanswered_since = 0;
  for (RangeBook* const ranges : {&impl.family4.ranges, &impl.family6.ranges}) {
    ranges->ForgetAsked();
    ranges->BeginPass(0);
  }
  impl.counters.session.Set(terms.session);
  impl.counters.last_audit_pass.Set(0);
  impl.Look();
}

void FlowSender::Close() noexcept {
  Impl& impl = *impl_;
  if (!impl.open) return;
  impl.AbandonInFlight();
  impl.open = false;
  impl.touches_count = 0;
  impl.counters.session.Set(0);
  impl.Look();
}

template <class Hot>
void FlowSender::Impl::Drain(uint32_t budget) noexcept {
  Family<Hot>& family = Of<Hot>();
  EndWaits<Hot>(now);
  while (budget != 0) {
    auto slots = family.dirty.Front(family.table);
    if (slots.empty()) return;
    slots = slots.first(std::min<size_t>(slots.size(), budget));
    for (const uint32_t slot : slots) {
      family.dirty.MarkClean(family.table, slot);
      family.LetGo(slot);
    }
    budget -= static_cast<uint32_t>(slots.size());
    family.dirty.Pop(static_cast<uint32_t>(slots.size()));
  }
}

// ---- what became of frames --------------------------------------------------------------------------

template <class Hot>
void FlowSender::Impl::OnLostSlot(uint32_t slot, Nanos since) noexcept {
  Family<Hot>& family = Of<Hot>();
  if (Mutated(Mutation::kNoRedirty)) {
    family.LetGo(slot);
    return;
  }
  if (family.table.IsLive(slot) && !Mutated(Mutation::kLostIsKnown)) {
    uint16_t& flags = family.table.hot(slot).common.flags;
    flags = static_cast<uint16_t>(flags & ~flow::kMirrorKnown);
  }
  if (family.IsLater(slot)) {
    family.later.TakeOut(family.table, slot);
    family.LetGo(slot);
  } else if (family.IsDirty(slot)) {
    family.LetGo(slot);
    return;
  }
  family.dirty.AddFirst(family.table, slot, since);
}

void FlowSender::Impl::OnLost(std::span<const Note> gone) noexcept {
  if (Mutated(Mutation::kOldBytes)) return old_bytes.Lost(window.current());
  const Nanos since = since_of_frame[window.current() % since_of_frame.size()];
  for (const Note note : gone) {
    if ((note & kAuditNote) != 0) {
      const uint32_t range = (note & ~kAuditNote) >> 1;
      RangeBook& ranges = RangesOf((note & 1) != 0);
      if (ranges.IsAsked(range) && pass_asked != 0) --pass_asked;
      ranges.ClearAsked(range);
    } else if ((note & 1) != 0) {
      OnLostSlot<FlowHot6>(note >> 1, since);
    } else {
      OnLostSlot<FlowHot4>(note >> 1, since);
    }
  }
}

namespace {

// How many notes from the first on are of slots in its range, which mostly come one after the other.
size_t CountOfRange(std::span<const Note> notes) {
  constexpr Note kSlotInRange = 2 * kRangeSlots - 2;
  constexpr size_t kTogether = 4;
  const auto differs = [&notes](Note other) { return (other ^ notes[0]) & ~kSlotInRange; };
  size_t count = 1;
  while (notes.size() - count >= kTogether) {
    const Note* const note = &notes[count];
    if ((differs(note[0]) | differs(note[1]) | differs(note[2]) | differs(note[3])) != 0) break;
    count += kTogether;
  }
  while (count < notes.size() && differs(notes[count]) == 0)
    ++count;
  return count;
}

}  // namespace

// Slots of one range are let go of together.
void FlowSender::Impl::OnAcknowledged(std::span<const Note> gone) noexcept {
  for (size_t i = 0; i < gone.size();) {
    const Note note = gone[i];
    if ((note & kAuditNote) != 0) {
      const uint32_t range = (note & ~kAuditNote) >> 1;
      RangeBook& ranges = RangesOf((note & 1) != 0);
      ranges.ClearAsked(range);
      ranges.MarkProved(range);
      ++i;
      continue;
    }
    const size_t count = CountOfRange(gone.subspan(i));
    i += count;
    if ((note & 1) != 0) {
      family6.LetGo(note >> 1, static_cast<uint32_t>(count));
    } else {
      family4.LetGo(note >> 1, static_cast<uint32_t>(count));
    }
  }
}

void FlowSender::OnAck(const FrameHeader& ack, Nanos now) noexcept {
  Impl& impl = *impl_;
  if (!impl.open || ack.type != FrameType::kFlowsAck) return;
  if (ack.session != impl.terms.session && !Mutated(Mutation::kAckOfAnySession)) return;
  impl.now = now;
  bool is_answer = false;
  const bool is_possible = impl.window.OnAck(
      ack, now,
      [&](std::span<const Note> notes) {
        is_answer = true;
        impl.OnAcknowledged(notes);
      },
      [&impl](std::span<const Note> notes) { impl.OnLost(notes); });
  if (!is_possible) {
    impl.counters.bad_acks.Add(1);
    return;
  }
  if (is_answer) {
    impl.unanswered_since = impl.window.in_flight() == 0 ? 0 : std::max<Nanos>(now, 1);
  }
  if ((ack.flags & kAuditMismatch) != 0) impl.OnMismatch(ack.stamp);
  impl.Look();
}

void FlowSender::OnClock(Nanos now) noexcept {
  Impl& impl = *impl_;
  impl.now = now;
  if (impl.open) {
    impl.window.OnClock(now, [&impl](std::span<const Note> notes) { impl.OnLost(notes); });
    if (now - impl.looked_at >= Impl::kLookPause) impl.Look();
  } else if (impl.family4.dirty_size() + impl.family6.dirty_size() != 0) {
    impl.Drain<FlowHot4>(Impl::kDrainedPerCall);
    impl.Drain<FlowHot6>(Impl::kDrainedPerCall);
    impl.Look();
  }
}

// Brings state and levels up to date.
void FlowSender::Impl::Look() noexcept {
  looked_at = now;
  oldest = OldestUnacknowledged();
  if (open) UpdateState();
  counters.dirty.Set(family4.dirty_size() + family6.dirty_size());
  counters.in_flight.Set(window.in_flight());
  counters.lag_ns.Set(open && oldest < now ? now - oldest : 0);
  counters.lost_frames.Set(window.lost_frames());
  counters.state.Set(open ? static_cast<uint64_t>(state) : 0);
  const uint32_t end4 = family4.end();
  const uint32_t end6 = family6.end();
  counters.bulk_total.Set(end4 + end6);
  counters.bulk_done.Set(std::min(family4.bulk_cursor, end4) + std::min(family6.bulk_cursor, end6));
}

bool FlowSender::is_open() const noexcept {
  return impl_->open;
}
uint32_t FlowSender::session() const noexcept {
  return impl_->terms.session;
}
uint64_t FlowSender::next_frame() const noexcept {
  return impl_->window.next();
}
uint64_t FlowSender::first_in_flight() const noexcept {
  return impl_->window.floor();
}
uint64_t FlowSender::lost_frames() const noexcept {
  return impl_->window.lost_frames();
}
bool FlowSender::IsDrained() noexcept {
  Impl& impl = *impl_;
  if (!impl.open || impl.state == StreamState::kSyncing) return false;
  // What would wait for company has to go now.
  impl.EndWaits<FlowHot4>(kNever - 1);
  impl.EndWaits<FlowHot6>(kNever - 1);
  if (impl.family4.dirty_size() + impl.family6.dirty_size() != 0) return false;
  return !impl.window.AnyInFlight([](Note note) { return (note & Impl::kAuditNote) == 0; });
}
bool FlowSender::Build(FrameSlot& slot, const config::Snapshot& snapshot, Nanos now) noexcept {
  impl_->now = now;
  if (Mutated(Mutation::kOldBytes)) return impl_->BuildOld(slot, snapshot);
  return impl_->BuildNext(slot, snapshot);
}
StreamState FlowSender::state() const noexcept {
  return impl_->state;
}
const SenderCounters& FlowSender::counters() const noexcept {
  return impl_->counters;
}

template void FlowSender::Begin<FlowHot4>(uint32_t) noexcept;
template void FlowSender::Begin<FlowHot6>(uint32_t) noexcept;
template void FlowSender::Begin<FlowHot4>(std::span<const uint32_t>) noexcept;
template void FlowSender::Begin<FlowHot6>(std::span<const uint32_t>) noexcept;
template void FlowSender::Change<FlowHot4>(uint32_t) noexcept;
template void FlowSender::Change<FlowHot6>(uint32_t) noexcept;
template void FlowSender::ChangeLater<FlowHot4>(uint32_t) noexcept;
template void FlowSender::ChangeLater<FlowHot6>(uint32_t) noexcept;
template void FlowSender::End<FlowHot4>(uint32_t) noexcept;
template void FlowSender::End<FlowHot6>(uint32_t) noexcept;
template void FlowSender::TellAgain<FlowHot4>(uint32_t) noexcept;
template void FlowSender::TellAgain<FlowHot6>(uint32_t) noexcept;
template void FlowSender::Touch<FlowHot4>(uint32_t) noexcept;
template void FlowSender::Touch<FlowHot6>(uint32_t) noexcept;
template void FlowSender::Impl::MarkDirty<FlowHot4>(uint32_t) noexcept;
template void FlowSender::Impl::MarkDirty<FlowHot6>(uint32_t) noexcept;
template void FlowSender::Impl::EndWaits<FlowHot4>(Nanos) noexcept;
template void FlowSender::Impl::EndWaits<FlowHot6>(Nanos) noexcept;

}  // namespace tandem::mirror
