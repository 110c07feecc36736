// SPDX-License-Identifier: Apache-2.0
//
// What a row of a frame does to the shadow.
#include "dataplane/mirror/binding.h"
#include "dataplane/mirror/flow_receiver_impl.h"

namespace tandem::mirror {

using flow::FlowHot4;
using flow::FlowHot6;
using flow::InsertStatus;
using flow::kNoSlot;
using flow::Register;

template <class Hot>
void FlowReceiver::Impl::SetValue(uint32_t slot, Register value) noexcept {
  flow::FlowTable<Hot>& table = Of<Hot>().table;
  table.register_of(slot) = value;
  table.cold(slot).mirror_link = mark();
  if (!Mutated(Mutation::kBirthRestarts)) table.RaiseBirth(flow::BirthOf(value));
}

// Whatever the page says of its slots must outlive every frame that may still say something older.
// REQUIRES: the page is begun.
template <class Hot>
void FlowReceiver::Impl::HoldPage(uint32_t logical, const Frame& frame) noexcept {
  Family<Hot>& family = Of<Hot>();
  PageNote& note = family.notes[logical / kFlowsPerPage];
  if (!note.held) {
    family.table.pages().Hold(family.SlotAt(logical));
    ++family.pages_held;
  }
  note.touched = std::max(newest, frame.sequence);
  note.touched_at = frame.now;
  note.held = true;
}

// The slot, its page begun and held; kNoSlot: there is no page for it.
template <class Hot>
uint32_t FlowReceiver::Impl::BeginPageOf(uint32_t logical, const Frame& frame) noexcept {
  flow::SlotPages& pages = Of<Hot>().table.pages();
  const uint32_t slot = pages.AllocateAt(group, logical);
  if (slot == kNoSlot) return kNoSlot;
  HoldPage<Hot>(logical, frame);
  pages.Free(slot);
  return slot;
}

// The slot is one that this device itself still has to speak about, or has not given up yet.
template <class Hot>
bool FlowReceiver::Impl::IsBlocked(uint32_t slot) noexcept {
  Family<Hot>& family = Of<Hot>();
  const bool is_ours = family.table.IsLive(slot) && !family.IsShadow(slot);
  if (!is_ours && !flow::IsMirrorDirty(family.table.cold(slot).mirror_link)) return false;
  counters.blocked.Add(1);
  return true;
}

// The frame is older than a close that left no trace in the slot.
template <class Hot>
bool FlowReceiver::Impl::IsOvertaken(uint32_t logical, uint32_t slot, const Frame& frame) noexcept {
  if (frame.sequence >= Of<Hot>().notes[logical / kFlowsPerPage].closed) return false;
  return slot == kNoSlot || ValueOf<Hot>(slot) == 0;
}

// A walk that has passed the slot has counted it already.
template <class Hot>
void FlowReceiver::Impl::CountUnbound(uint32_t logical, bool more) noexcept {
  const bool is_walked = walking && logical < Of<Hot>().walk_cursor;
  if (more) {
    counters.unbound.Add(1);
    if (is_walked) ++walk_unbound;
  } else {
    if (counters.unbound.Get() != 0) counters.unbound.Subtract(1);
    if (is_walked && walk_unbound != 0) --walk_unbound;
  }
}

template <class Hot>
void FlowReceiver::Impl::EraseShadow(uint32_t slot) noexcept {
  flow::FlowTable<Hot>& table = Of<Hot>().table;
  const flow::FlowCommon& common = table.hot(slot).common;
  const bool is_unbound = (common.flags & flow::kUnbound) != 0;
  if (!is_unbound) {
    live.ReleaseVirtual(common.virtual_id);
    if (common.member_id != 0) live.ReleaseMember(common.member_id);
  }
  // Numbers of other groups' sessions are no different from this one's.
  if (table.pages().GroupOf(slot) == group && table.cold(slot).mirror_link == mark()) {
    if (counters.flows.Get() != 0) counters.flows.Subtract(1);
    if (is_unbound) CountUnbound<Hot>(table.pages().LogicalSlot(slot), false);
  }
  table.Erase(slot);
}

// Of this group's, or of another's that has a session: then its writer is about to say what is left of
// the flow, and says nothing of this one.
template <class Hot>
bool FlowReceiver::Impl::IsOfEarlierSession(uint32_t slot) noexcept {
  const flow::FlowTable<Hot>& table = Of<Hot>().table;
  const uint32_t current = share.marks[table.pages().GroupOf(slot)];
  return current != 0 && table.cold(slot).mirror_link != current;
}

// What to do about the flow that has one of the row's keys.
template <class Hot>
FlowReceiver::Impl::Conflict FlowReceiver::Impl::ResolveConflict(uint32_t holder,
                                                                 Register value) noexcept {
  Family<Hot>& family = Of<Hot>();
  if (holder == kNoSlot) {
    counters.refused.Add(1);
    return Conflict::kRefused;
  }
  const bool is_shadow = family.IsShadow(holder);
  if (is_shadow && IsOfEarlierSession<Hot>(holder)) {
    EraseShadow<Hot>(holder);
    return Conflict::kGone;
  }
  if (family.table.pages().GroupOf(holder) != group) {
    // The peer has one flow a key, whatever its group: one of the two is over, and another stream is
    // about to say which.
    if (is_shadow) {
      counters.blocked.Add(1);
      return Conflict::kLater;
    }
    counters.refused.Add(1);
    return Conflict::kRefused;
  }
  if (!is_shadow) {
    counters.blocked.Add(1);
    return Conflict::kLater;
  }
  const Register held = ValueOf<Hot>(holder);
  counters.displaced.Add(1);
  if (flow::BirthOf(held) >= flow::BirthOf(value) || Mutated(Mutation::kNoBirthRule)) {
    return Conflict::kRowLoses;
  }
  EraseShadow<Hot>(holder);
  return Conflict::kGone;
}

bool FlowReceiver::Impl::Bind(flow::FlowCommon& common, const Translation& translation) noexcept {
  const config::VirtualId virtual_id = translation.VirtualOf(common.virtual_id);
  const config::MemberId member = translation.MemberOf(common.member_id);
  const config::InterfaceId interface = translation.InterfaceOf(common.client_interface);
  if (virtual_id == 0 || (member == 0 && common.member_id != 0) ||
      (interface == 0 && common.client_interface != 0)) {
    common.flags |= flow::kUnbound;
    return false;
  }
  common.virtual_id = virtual_id;
  common.member_id = member;
  common.client_interface = interface;
  common.flags = static_cast<uint16_t>(common.flags & ~flow::kUnbound);
  static_cast<void>(live.TakeVirtual(virtual_id, 0));
  if (member != 0) static_cast<void>(live.TakeMember(member, 0));
  return true;
}

template <class Hot>
void FlowReceiver::Impl::Fill(uint32_t slot, const CreateRow<Hot>& row,
                              const Frame& frame) noexcept {
  flow::FlowTable<Hot>& table = Of<Hot>().table;
  flow::FlowCommon& common = table.hot(slot).common;
  common.state = row.state;
  // Mirrored: after a takeover this device tells of it as its writer did.
  common.flags =
      static_cast<uint16_t>((row.flags & kMirroredFlags) | flow::kShadow | flow::kMirrored);
  common.virtual_id = row.virtual_id;
  common.member_id = row.member_id;
  common.client_interface = row.interface_id;
  common.client_mac = row.client_mac;
  common.last_seen = TickOf(frame.now);
  flow::FlowCold& cold = table.cold(slot);
  cold.created = TickOf(frame.now) - row.age_ticks;
  SetWriterNumbers(cold, {row.virtual_id, row.member_id, row.interface_id});
  if (!Bind(common, frame.translation)) CountUnbound<Hot>(row.slot, true);
  counters.flows.Add(1);
}

template <class Hot>
FlowReceiver::Impl::Outcome FlowReceiver::Impl::Insert(const CreateRow<Hot>& row,
                                                       const Frame& frame) noexcept {
  Family<Hot>& family = Of<Hot>();
  const bool one_legged = (row.flags & flow::kOneLegged) != 0;
  // Each key may be another flow's; both cleared away, the third attempt succeeds.
  for (int attempt = 0; attempt < 3; ++attempt) {
    const flow::InsertResult result =
        family.table.InsertAt(group, row.slot, row.client, row.server, row.protocol, one_legged);
    if (result.status == InsertStatus::kInserted) {
      HoldPage<Hot>(row.slot, frame);
      Fill<Hot>(result.slot, row, frame);
      SetValue<Hot>(result.slot, row.value);
      return Outcome::kSettled;
    }
    if (result.status == InsertStatus::kFull) break;
    switch (ResolveConflict<Hot>(result.slot, row.value)) {
      case Conflict::kGone:
        continue;
      case Conflict::kLater:
        return Outcome::kLater;
      case Conflict::kRefused:
        return Outcome::kSettled;
      case Conflict::kRowLoses:
        break;
    }
    // The flow is over; its slot remembers it, so that nothing older brings it back.
    uint32_t slot = family.SlotAt(row.slot);
    if (slot == kNoSlot) slot = BeginPageOf<Hot>(row.slot, frame);
    if (slot == kNoSlot) break;
    HoldPage<Hot>(row.slot, frame);
    SetValue<Hot>(slot, row.value);
    return Outcome::kSettled;
  }
  lacks_room = true;
  counters.no_room.Add(1);
  return Outcome::kLater;
}

template <class Hot>
FlowReceiver::Impl::Outcome FlowReceiver::Impl::ApplyCreate(const CreateRow<Hot>& row,
                                                            const Frame& frame) noexcept {
  Family<Hot>& family = Of<Hot>();
  const uint32_t slot = family.SlotAt(row.slot);
  if (IsOvertaken<Hot>(row.slot, slot, frame)) return Outcome::kLater;
  if (slot != kNoSlot) {
    if (IsBlocked<Hot>(slot)) return Outcome::kLater;
    const Register held = ValueOf<Hot>(slot);
    if (row.value < held && !Mutated(Mutation::kNoVersionCheck)) {
      counters.stale_rows.Add(1);
      return Outcome::kSettled;
    }
    if (row.value == held) return Outcome::kSettled;
    HoldPage<Hot>(row.slot, frame);
    if (family.table.IsLive(slot)) EraseShadow<Hot>(slot);
  }
  counters.creates.Add(1);
  return Insert(row, frame);
}

template <class Hot>
FlowReceiver::Impl::Outcome FlowReceiver::Impl::ApplyUpdate(const UpdateRow& row,
                                                            const Frame& frame) noexcept {
  Family<Hot>& family = Of<Hot>();
  const uint32_t slot = family.SlotAt(row.slot);
  const Register held = slot == kNoSlot ? 0 : ValueOf<Hot>(slot);
  if (row.value < held && !Mutated(Mutation::kNoVersionCheck)) {
    counters.stale_rows.Add(1);
    return Outcome::kSettled;
  }
  if (row.value == held) return Outcome::kSettled;
  if (held == 0 || flow::BirthOf(held) != flow::BirthOf(row.value) || !family.table.IsLive(slot) ||
      !family.IsShadow(slot)) {
    if (Mutated(Mutation::kEarlyUpdate)) return Outcome::kSettled;
    counters.early_updates.Add(1);
    return Outcome::kLater;
  }
  HoldPage<Hot>(row.slot, frame);
  flow::FlowCommon& common = family.table.hot(slot).common;
  common.state = row.state;
  common.flags = static_cast<uint16_t>((common.flags & ~kMirroredFlags) |
                                       (row.flags & kMirroredFlags & ~flow::kOneLegged) |
                                       (common.flags & flow::kOneLegged));
  common.last_seen = TickOf(frame.now);
  SetValue<Hot>(slot, row.value);
  counters.updates.Add(1);
  return Outcome::kSettled;
}

template <class Hot>
FlowReceiver::Impl::Outcome FlowReceiver::Impl::ApplyClose(const CloseRow& row,
                                                           const Frame& frame) noexcept {
  Family<Hot>& family = Of<Hot>();
  uint32_t slot = family.SlotAt(row.slot);
  if (slot == kNoSlot) {
    slot = BeginPageOf<Hot>(row.slot, frame);
    // The slot is free as it is. To wait for room would have both devices wait for each other, when
    // each has its last page held by closes that the other has no page for.
    if (slot == kNoSlot) {
      uint64_t& closed = family.notes[row.slot / kFlowsPerPage].closed;
      closed = std::max(closed, frame.sequence);
      counters.closes.Add(1);
      return Outcome::kSettled;
    }
  }
  if (IsBlocked<Hot>(slot)) return Outcome::kLater;
  const Register held = ValueOf<Hot>(slot);
  if (row.value < held && !Mutated(Mutation::kNoVersionCheck)) {
    counters.stale_rows.Add(1);
    return Outcome::kSettled;
  }
  if (row.value == held) return Outcome::kSettled;
  HoldPage<Hot>(row.slot, frame);
  if (family.table.IsLive(slot)) EraseShadow<Hot>(slot);
  SetValue<Hot>(slot, row.value);
  counters.closes.Add(1);
  return Outcome::kSettled;
}

template <class Hot>
void FlowReceiver::Impl::ApplyTouch(uint32_t logical, const Frame& frame) noexcept {
  Family<Hot>& family = Of<Hot>();
  const uint32_t slot = family.SlotAt(logical);
  if (slot == kNoSlot || !family.table.IsLive(slot) || ValueOf<Hot>(slot) == 0) return;
  if (!family.IsShadow(slot)) return;
  family.table.hot(slot).common.last_seen = TickOf(frame.now);
  counters.touches.Add(1);
}

template <class Hot>
void FlowReceiver::Impl::PrefetchSlotOf(uint32_t logical) noexcept {
  Family<Hot>& family = Of<Hot>();
  const uint32_t slot = family.SlotAt(logical);
  if (slot != kNoSlot) family.table.PrefetchSlot(slot);
}

// What erasing the flow will touch.
template <class Hot>
void FlowReceiver::Impl::PrefetchKeysOf(uint32_t logical) noexcept {
  Family<Hot>& family = Of<Hot>();
  const uint32_t slot = family.SlotAt(logical);
  if (slot == kNoSlot || !family.table.IsLive(slot)) return;
  const Hot& hot = family.table.hot(slot);
  family.table.PrefetchIndex(family.table.Hash(hot.client, hot.common.protocol));
  family.table.PrefetchIndex(family.table.Hash(hot.server, hot.common.protocol));
}

template <class Hot>
void FlowReceiver::Impl::PrefetchCreate(const CreateRow<Hot>& row) noexcept {
  Family<Hot>& family = Of<Hot>();
  family.table.PrefetchIndex(family.table.Hash(row.client, row.protocol));
  family.table.PrefetchIndex(family.table.Hash(row.server, row.protocol));
  PrefetchSlotOf<Hot>(row.slot);
}

#define TANDEM_FAMILY(Hot)                                                                         \
  template FlowReceiver::Impl::Outcome FlowReceiver::Impl::ApplyCreate<Hot>(                       \
      const CreateRow<Hot>&, const Frame&) noexcept;                                               \
  template FlowReceiver::Impl::Outcome FlowReceiver::Impl::ApplyUpdate<Hot>(                       \
      const UpdateRow&, const Frame&) noexcept;                                                    \
  template FlowReceiver::Impl::Outcome FlowReceiver::Impl::ApplyClose<Hot>(const CloseRow&,        \
                                                                           const Frame&) noexcept; \
  template void FlowReceiver::Impl::ApplyTouch<Hot>(uint32_t, const Frame&) noexcept;              \
  template void FlowReceiver::Impl::PrefetchSlotOf<Hot>(uint32_t) noexcept;                        \
  template void FlowReceiver::Impl::PrefetchKeysOf<Hot>(uint32_t) noexcept;                        \
  template void FlowReceiver::Impl::PrefetchCreate<Hot>(const CreateRow<Hot>&) noexcept;           \
  template void FlowReceiver::Impl::EraseShadow<Hot>(uint32_t) noexcept
TANDEM_FAMILY(FlowHot4);
TANDEM_FAMILY(FlowHot6);
#undef TANDEM_FAMILY

}  // namespace tandem::mirror
