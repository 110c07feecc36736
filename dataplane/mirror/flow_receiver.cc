// SPDX-License-Identifier: Apache-2.0
#include "dataplane/mirror/flow_receiver.h"

#include "dataplane/mirror/digest.h"
#include "dataplane/mirror/flow_receiver_impl.h"

namespace tandem::mirror {

using flow::FlowHot4;
using flow::FlowHot6;
using flow::kNoSlot;

FlowReceiver::FlowReceiver(config::TrafficGroupId group, unsigned worker, Tables tables,
                           config::LiveCounts& live, ReceiverShare& share)
    : impl_(std::make_unique<Impl>(group, worker, tables, live, share)) {}
FlowReceiver::~FlowReceiver() = default;

void FlowReceiver::Open(const SessionTerms& terms, Nanos now) noexcept {
  Impl& impl = *impl_;
  impl.terms = terms;
  impl.open = true;
  impl.now = now;
  impl.window.Reset();
  impl.newest = 0;
  impl.writer_state = StreamState::kSyncing;
  impl.complete_at = now;
  impl.acks_sent = 0;
  impl.unanswered = 0;
  impl.acked_at = now;
  impl.stamp = 0;
  impl.mismatch_count = 0;
  impl.share.marks[impl.group] = impl.mark();
  impl.keeps_earlier = true;
  impl.lacks_room = false;
  impl.discarding = false;
  impl.walk_generation = 0;  // the first translation is news
  for (uint32_t page = 0; page < impl.family4.page_count; ++page)
    impl.family4.notes[page].touched = impl.family4.notes[page].closed = 0;
  for (uint32_t page = 0; page < impl.family6.page_count; ++page)
    impl.family6.notes[page].touched = impl.family6.notes[page].closed = 0;
  impl.BeginWalk();
  impl.counters.session.Set(terms.session);
  impl.counters.flows.Set(0);
  impl.counters.unbound.Set(0);
  impl.counters.writer_state.Set(0);
}

void FlowReceiver::Close(bool discard) noexcept {
  Impl& impl = *impl_;
  impl.open = false;
  impl.share.marks[impl.group] = 0;
  impl.keeps_earlier = false;
  impl.walking = false;
  impl.discarding = discard;
  if (discard) impl.BeginWalk();
  impl.counters.session.Set(0);
  impl.counters.writer_state.Set(0);
}

bool FlowReceiver::is_open() const noexcept {
  return impl_->open;
}

// ---- frames -----------------------------------------------------------------------------------------

namespace {

// Applies rows in order; each was seen by `far` 16 rows and by `near` 8 rows before, which ask for the
// memory that it will need.
template <class Row, class Far, class Near, class Use>
void InStages(std::span<const Row> rows, const Far& far, const Near& near, const Use& use) {
  constexpr size_t kFar = 16;
  constexpr size_t kBetween = 8;
  for (size_t i = 0; i < rows.size() + kFar; ++i) {
    if (i < rows.size()) far(rows[i]);
    if (i >= kBetween && i - kBetween < rows.size()) near(rows[i - kBetween]);
    if (i >= kFar) use(rows[i - kFar]);
  }
}

}  // namespace

template <class Hot>
bool FlowReceiver::Impl::ApplyChanges(const Frame& frame) noexcept {
  bool settled = true;
  const auto note = [&settled](Outcome outcome) { settled &= outcome == Outcome::kSettled; };
  const auto is_sane = [this](flow::Register value) {
    if (flow::BirthOf(value) <= kBirthLimit) return true;
    counters.malformed[static_cast<size_t>(BatchError::kValue)].Add(1);
    return false;
  };
  const auto fetch_slot = [this](const auto& row) { this->template PrefetchSlotOf<Hot>(row.slot); };
  const auto nothing = [](const auto&) {};
  InStages(
      reader.closes(Hot::kIsIpv6), fetch_slot,
      [this](const CloseRow& row) { this->template PrefetchKeysOf<Hot>(row.slot); },
      [&](const CloseRow& row) {
        note(is_sane(row.value) ? ApplyClose<Hot>(row, frame) : Outcome::kLater);
      });
  InStages(
      reader.creates<Hot>(), [this](const CreateRow<Hot>& row) { this->PrefetchCreate(row); },
      nothing,
      [&](const CreateRow<Hot>& row) {
        note(is_sane(row.value) ? ApplyCreate(row, frame) : Outcome::kLater);
      });
  InStages(reader.updates(Hot::kIsIpv6), fetch_slot, nothing, [&](const UpdateRow& row) {
    note(is_sane(row.value) ? ApplyUpdate<Hot>(row, frame) : Outcome::kLater);
  });
  for (const uint32_t logical : reader.touches(Hot::kIsIpv6))
    ApplyTouch<Hot>(logical, frame);
  return settled;
}

template <class Hot>
uint64_t FlowReceiver::Impl::Digest(uint32_t range, const Frame& frame) noexcept {
  Family<Hot>& family = Of<Hot>();
  const uint32_t logical = range * kRangeSlots;
  const uint32_t begin = family.SlotAt(logical);
  if (begin == kNoSlot) return 0;
  const uint32_t count = std::min(kRangeSlots, family.table.capacity() - begin);
  uint64_t sum = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t slot = begin + i;
    if (!family.table.IsLive(slot)) continue;
    const Hot& hot = family.table.hot(slot);
    const bool is_unbound = (hot.common.flags & flow::kUnbound) != 0;
    const config::Dictionary* dictionary =
        is_unbound ? frame.translation.peer.get() : frame.snapshot.dictionary.get();
    // Nobody's numbers are none of the peer's either.
    if (is_unbound && hot.common.virtual_id == 0) dictionary = nullptr;
    sum += DigestOf(logical + i, ValueOf<Hot>(slot), hot, dictionary);
  }
  return sum;
}

// True: all of them were compared and are equal.
template <class Hot>
bool FlowReceiver::Impl::ApplyAudits(const Frame& frame) noexcept {
  Family<Hot>& family = Of<Hot>();
  bool equal = true;
  uint32_t compared = 0;
  for (const AuditRow& row : reader.audits(Hot::kIsIpv6)) {
    const uint32_t page = row.range / (kFlowsPerPage / kRangeSlots);
    if (!has_swept() || compared == kRangesPerFrame || page >= family.page_count ||
        family.notes[page].touched > frame.sequence) {
      counters.audits_skipped.Add(1);
      equal = false;
      continue;
    }
    ++compared;
    if (Digest<Hot>(row.range, frame) == row.digest) {
      counters.audits_equal.Add(1);
      continue;
    }
    equal = false;
    counters.audit_mismatches.Add(1);
    if (mismatch_count < mismatches.size()) {
      mismatches[mismatch_count++] = row.range << 1 | uint32_t{Hot::kIsIpv6};
    }
  }
  return equal;
}

// True: the frame is settled.
bool FlowReceiver::Impl::ApplyFrame(const FrameSlot& slot, const Frame& frame) noexcept {
  const bool is_current = frame.translation.peer != nullptr &&
                          frame.translation.version == slot.header.dictionary &&
                          frame.translation.IsOf(terms.incarnation, frame.snapshot);
  if (!is_current) {
    counters.not_translatable.Add(1);
    return false;
  }
  const size_t size = std::min<size_t>(slot.body_size, slot.body.size());
  if (size == 0) return true;
  const BatchError error =
      reader.Read({slot.body.data(), size}, *frame.translation.peer,
                  family4.table.pages().LogicalMax(), family6.table.pages().LogicalMax());
  if (error != BatchError::kNone) {
    counters.malformed[static_cast<size_t>(error)].Add(1);
    return false;
  }
  const bool settled4 = ApplyChanges<FlowHot4>(frame);
  const bool settled6 = ApplyChanges<FlowHot6>(frame);
  const bool equal4 = ApplyAudits<FlowHot4>(frame);
  const bool equal6 = ApplyAudits<FlowHot6>(frame);
  return settled4 && settled6 && equal4 && equal6;
}

void FlowReceiver::Apply(const FrameSlot& slot, const Translation& translation,
                         const config::Snapshot& snapshot, Nanos now) noexcept {
  Impl& impl = *impl_;
  const FrameHeader& header = slot.header;
  if (!impl.open || header.type != FrameType::kFlows) return;
  if ((header.session != impl.terms.session || header.epoch != impl.terms.epoch) &&
      !Mutated(Mutation::kAnyEpoch)) {
    return;
  }
  impl.now = now;
  ReceiverCounters& counters = impl.counters;
  counters.frames.Add(1);
  counters.last_frame.Set(now);
  if (impl.unanswered++ == 0) impl.unanswered_since = now;
  if (header.floor > header.sequence) {
    counters.malformed[static_cast<size_t>(BatchError::kValue)].Add(1);
    return;
  }
  impl.window.Advance(header.floor);
  if (!impl.window.IsNew(header.sequence)) {
    counters.duplicate_frames.Add(1);
    return;
  }
  if (header.sequence > impl.newest) {
    impl.newest = header.sequence;
    impl.stamp = header.stamp;
    impl.writer_state = static_cast<StreamState>(header.flags & kStateMask);
    counters.writer_state.Set(header.flags & kStateMask);
  }
  if (impl.ApplyFrame(slot, {translation, snapshot, header.sequence, now})) {
    impl.window.Accept(header.sequence);
  }
}

// ---- acknowledgements -------------------------------------------------------------------------------

bool FlowReceiver::BuildAck(FrameSlot& slot, uint16_t credit, Nanos now) noexcept {
  Impl& impl = *impl_;
  if (!impl.open) return false;
  impl.now = now;
  if (impl.is_complete()) impl.complete_at = now;
  const bool has_mismatch = impl.mismatch_count != 0;
  const bool is_due = impl.unanswered >= Impl::kAckFrames ||
                      (impl.unanswered != 0 && now - impl.unanswered_since >= Impl::kAckDelay) ||
                      now - impl.acked_at >= Impl::kAckSilence;
  if (!is_due && !has_mismatch) return false;
  slot.cargo = Cargo::kFrame;
  slot.group = impl.group;
  slot.body_size = 0;
  FrameHeader& header = slot.header;
  header = {};
  header.type = FrameType::kFlowsAck;
  header.group = impl.terms.wire_group;
  header.worker = static_cast<uint8_t>(impl.worker);
  header.epoch = impl.terms.epoch;
  header.session = impl.terms.session;
  header.sequence = ++impl.acks_sent;
  header.floor = impl.window.floor();
  header.credit = credit;
  if (has_mismatch) {
    header.flags = kAuditMismatch;
    header.stamp = impl.mismatches[--impl.mismatch_count];
    return true;
  }
  header.sack = impl.window.sack();
  header.stamp = impl.stamp;
  impl.unanswered = 0;
  impl.acked_at = now;
  return true;
}

bool FlowReceiver::in_sync() const noexcept {
  const Impl& impl = *impl_;
  if (!impl.open || !impl.has_swept() || impl.writer_state != StreamState::kInSync) return false;
  return impl.is_complete() || impl.now - impl.complete_at < Impl::kGapMax;
}

bool FlowReceiver::is_settled(uint64_t generation) const noexcept {
  return impl_->has_swept() && impl_->walk_generation == generation;
}

bool FlowReceiver::is_bound(uint64_t generation) const noexcept {
  return is_settled(generation) && impl_->counters.unbound.Get() == 0;
}

const ReceiverCounters& FlowReceiver::counters() const noexcept {
  return impl_->counters;
}

}  // namespace tandem::mirror
