// SPDX-License-Identifier: Apache-2.0
//
// FlowSender's proof that the copies are equal, and what follows from it: the stream's state.
//
// A pass sends the digest of every range that nobody speaks of at the moment; a frame of digests is
// acknowledged only when they all were compared and equal. A range that differs is renewed: every slot
// of it gets a new birth and is told again, so that whatever the peer has there is older. So is one
// that is never quiet long enough to be asked for.
#include "dataplane/mirror/digest.h"
#include "dataplane/mirror/flow_sender_impl.h"

namespace tandem::mirror {

using flow::FlowHot4;
using flow::FlowHot6;

void FlowSender::Impl::BeginPass() noexcept {
  const uint32_t end4 = family4.end() / kRangeSlots;
  const uint32_t end6 = family6.end() / kRangeSlots;
  family4.ranges.BeginPass(end4);
  family6.ranges.BeginPass(end6);
  pass_ranges = end4 + end6;
  pass_asked = 0;
  pass_began = now;
  renewed_count = 0;
}

// How many ranges may be asked for now. Until the first proof, as fast as it goes.
uint32_t FlowSender::Impl::RangesDue() const noexcept {
  if (unproved() == 0) return 0;
  if (state == StreamState::kAuditing) return kRangesPerFrame;
  const Nanos passed = std::min(now - pass_began, kAuditRound);
  const auto due =
      static_cast<uint32_t>(uint64_t{pass_ranges} * (passed / 1000) / (kAuditRound / 1000));
  return due <= pass_asked ? 0 : std::min(due - pass_asked, kRangesPerFrame);
}

template <class Hot>
uint64_t FlowSender::Impl::Digest(uint32_t range, const config::Dictionary& dictionary) noexcept {
  Family<Hot>& family = Of<Hot>();
  flow::FlowTable<Hot>& table = family.table;
  const uint32_t logical = range * kRangeSlots;
  const uint32_t begin = table.pages().SlotAt(group, logical);
  if (begin == flow::kNoSlot) return 0;
  const uint32_t count = std::min(kRangeSlots, table.capacity() - begin);
  uint64_t sum = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t slot = begin + i;
    if (!family.IsTold(slot)) continue;
    const Hot& hot = table.hot(slot);
    const bool is_bound = (hot.common.flags & flow::kUnbound) == 0;
    sum += DigestOf(logical + i, table.register_of(slot), hot, is_bound ? &dictionary : nullptr);
  }
  return sum;
}

template <class Hot>
uint32_t FlowSender::Impl::AddAudits(uint32_t most, const config::Dictionary& dictionary) noexcept {
  Family<Hot>& family = Of<Hot>();
  const bool may_renew = now - pass_began >= kBusyMax && (renewed_count == 0 || renewed_at == now);
  uint32_t added = 0;
  for (uint32_t tried = 0; tried < kRangesTriedPerFrame && added < most; ++tried) {
    const uint32_t range = family.ranges.NextToAsk();
    if (range == RangeBook::kNone) break;
    const uint32_t begin = family.table.pages().SlotAt(group, range * kRangeSlots);
    if (begin != flow::kNoSlot && family.ranges.IsBusy(begin)) {
      if (!may_renew || renewed_count == renewed.size() || !Renew<Hot>(range)) continue;
      family.ranges.MarkAsked(range);
      renewed[renewed_count++] = range << 1 | Note{Hot::kIsIpv6};
      renewed_at = now;
      ++pass_asked;
      return added;  // so much for one frame
    }
    if (!writer.AddAudit(Hot::kIsIpv6, {range, Digest<Hot>(range, dictionary)})) break;
    family.ranges.MarkAsked(range);
    notes[notes_count++] = kAuditNote | range << 1 | Note{Hot::kIsIpv6};
    ++added;
  }
  return added;
}

bool FlowSender::Impl::BuildAudit(FrameSlot& out, const config::Snapshot& snapshot) noexcept {
  const uint32_t due = RangesDue();
  if (due == 0) return false;
  BeginFrame(snapshot);
  uint32_t added = AddAudits<FlowHot4>(due, *snapshot.dictionary);
  if (added < due) added += AddAudits<FlowHot6>(due - added, *snapshot.dictionary);
  if (added == 0) return false;
  pass_asked += added;
  counters.audits.Add(added);
  allowance.Spend(uint64_t{added} * kRangeCost);
  FinishFrame(out, snapshot);
  return true;
}

// A page that holds nothing has no slots; it gets them for as long as its closes are on the way.
template <class Hot>
bool FlowSender::Impl::BeginPageOf(uint32_t logical) noexcept {
  flow::SlotPages& pages = Of<Hot>().table.pages();
  const uint32_t slot = pages.AllocateAt(group, logical);
  if (slot == flow::kNoSlot) return false;
  pages.Hold(slot);
  pages.Free(slot);
  return true;
}

// False: there is no page for it now.
template <class Hot>
bool FlowSender::Impl::Renew(uint32_t range) noexcept {
  Family<Hot>& family = Of<Hot>();
  flow::FlowTable<Hot>& table = family.table;
  const uint32_t logical = range * kRangeSlots;
  const bool is_begun = table.pages().SlotAt(group, logical) != flow::kNoSlot;
  if (!is_begun && !BeginPageOf<Hot>(logical)) return false;
  const uint32_t begin = table.pages().SlotAt(group, logical);
  const uint32_t count = std::min(kRangeSlots, table.capacity() - begin);
  for (uint32_t slot = begin; slot < begin + count; ++slot) {
    table.register_of(slot) = flow::MakeRegister(table.NewBirth(), 0);
    if (table.IsLive(slot)) {
      uint16_t& flags = table.hot(slot).common.flags;
      flags = static_cast<uint16_t>(flags & ~flow::kMirrorKnown);
    }
    MarkDirty<Hot>(slot);
  }
  if (!is_begun) table.pages().Unhold(begin);
  return true;
}

// Only of a range that was asked for, and not more often than the table can bear.
void FlowSender::Impl::OnMismatch(uint32_t stamp) noexcept {
  const uint32_t range = stamp >> 1;
  const bool is_ipv6 = (stamp & 1) != 0;
  RangeBook& ranges = RangesOf(is_ipv6);
  if (range >= ranges.size() || !ranges.IsAsked(range)) return;
  counters.audit_mismatches.Add(1);
  if (pass_asked != 0) --pass_asked;
  ranges.ClearAsked(range);
  ranges.MarkUnproved(range);
  if (state == StreamState::kInSync || state == StreamState::kLagging) {
    state = StreamState::kAuditing;
  }
  if (now - repaired_at < kRepairPause) return;
  repaired_at = now;
  // Without a page it is asked for, and found to differ, again.
  static_cast<void>(is_ipv6 ? Renew<FlowHot6>(range) : Renew<FlowHot4>(range));
}

Nanos FlowSender::Impl::OldestUnacknowledged() const noexcept {
  Nanos result = std::min({family4.dirty.oldest(), family6.dirty.oldest(),
                           family4.later.oldest_end(), family6.later.oldest_end()});
  for (uint64_t sequence = window.floor(); sequence < window.next(); ++sequence) {
    if (!window.IsInFlight(sequence)) continue;
    result = std::min(result, since_of_frame[sequence % since_of_frame.size()]);
  }
  return result;
}

// REQUIRES: `oldest` is of now.
void FlowSender::Impl::UpdateState() noexcept {
  if (renewed_count != 0 && oldest > renewed_at) {
    for (uint32_t i = 0; i < renewed_count; ++i) {
      RangeBook& ranges = RangesOf((renewed[i] & 1) != 0);
      ranges.ClearAsked(renewed[i] >> 1);
      ranges.MarkProved(renewed[i] >> 1);
    }
    renewed_count = 0;
  }
  // A peer that acknowledges nothing does not hear us, though no change may be waiting for it.
  const Nanos since = unanswered_since == 0 ? oldest : std::min(oldest, unanswered_since);
  const Nanos lag = since < now ? now - since : 0;
  if (lag >= kLagGood) lag_bad_at = now;
  switch (state) {
    case StreamState::kSyncing:
      if (is_bulk_running()) break;
      if (oldest <= bulk_end && !Mutated(Mutation::kEarlyInSync)) break;
      BeginPass();
      state = Mutated(Mutation::kEarlyInSync) ? StreamState::kInSync : StreamState::kAuditing;
      break;
    case StreamState::kAuditing:
      // What changed since its range was proved may be too old by now.
      if (unproved() != 0 || lag > kLagMax) break;
      state = StreamState::kInSync;
      counters.last_audit_pass.Set(now);
      break;
    case StreamState::kInSync:
      if (lag > kLagMax) state = StreamState::kLagging;
      break;
    case StreamState::kLagging:
      if (now - lag_bad_at >= kLagGoodFor) state = StreamState::kInSync;
      break;
  }
  const bool is_proved = state == StreamState::kInSync || state == StreamState::kLagging;
  if (!is_proved || unproved() != 0) return;
  if (pass_asked != 0) counters.last_audit_pass.Set(now);
  pass_asked = 0;
  if (now - pass_began >= kAuditRound) BeginPass();
}

}  // namespace tandem::mirror
