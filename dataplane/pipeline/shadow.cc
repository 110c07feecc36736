// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/shadow.h"

#include <netinet/in.h>

#include <algorithm>
#include <utility>

#include "dataplane/base/mutation.h"
#include "dataplane/flow/tcp_state.h"
#include "dataplane/mirror/binding.h"
#include "dataplane/mirror/worker.h"
#include "dataplane/pipeline/lifecycle.h"
#include "dataplane/pipeline/notes.h"

namespace tandem::pipeline {
namespace {

using flow::FlowHot4;
using flow::FlowHot6;

constexpr uint32_t kSlotsPerStep = 1024;
constexpr uint32_t kChangesPerStep = 128;
constexpr int32_t kMutatedAge = TicksIn(5 * kSecond);

void Clear(flow::FlowCommon& common, unsigned flags) {
  common.flags = static_cast<uint16_t>(common.flags & ~flags);
}

template <class Hot>
Standing Adopt(Context& context, uint32_t slot) {
  FlowSet<Hot>& flows = context.flows<Hot>();
  flow::FlowCommon& common = flows.table.hot(slot).common;
  flow::FlowCold& cold = flows.table.cold(slot);
  mirror::ForgetWriter(common, cold);
  if ((common.flags & flow::kUnbound) != 0) {
    EndFlow<Hot>(context, slot, EndReason::kUnbound);
    return Standing::kEnded;
  }
  Clear(common, flow::kShadow);
  common.last_seen = context.tick;
  common.server_neighbour = {};
  common.route_generation = 0;
  if (common.protocol == IPPROTO_TCP) flow::TakeOverTcp(common);
  ResumeFlow<Hot>(context, slot);
  return Standing::kOurs;
}

// The group is another device's from now on: what it says of the flow counts.
template <class Hot>
void Surrender(Context& context, uint32_t slot) {
  FlowSet<Hot>& flows = context.flows<Hot>();
  flow::FlowCommon& common = flows.table.hot(slot).common;
  flow::FlowCold& cold = flows.table.cold(slot);
  // Left by the slot's last flow: this one is no peer's.
  if (cold.mirror_link >= flow::kMirrorSession) cold.mirror_link = 0;
  flows.timers.Disarm(slot);
  flows.timers.RemoveEmbryonic(slot);
  Clear(common, flow::kMirrored | flow::kMirrorKnown);
  common.flags |= flow::kShadow;
}

// Returns true when the flow had to change.
template <class Hot>
bool ReconcileOne(Context& context, uint32_t slot) {
  const flow::FlowTable<Hot>& table = context.flows<Hot>().table;
  const flow::FlowCommon& common = table.hot(slot).common;
  const uint16_t before = common.flags;
  if (Settle<Hot>(context, slot) == Standing::kOurs) {
    ReviewMirroring<Hot>(context, slot);
  } else if (Mutated(Mutation::kAgeShadow) && table.IsLive(slot) &&
             TicksBetween(common.last_seen, context.tick) > kMutatedAge) {
    EndFlow<Hot>(context, slot, EndReason::kIdle);
  }
  return !table.IsLive(slot) || table.hot(slot).common.flags != before;
}

void ReportTaken(Context& context) {
  context.shared.roles_taken[context.worker].store(context.roles_changes,
                                                   std::memory_order_release);
}

// Takes demotions and pauses over, and notes what begins to act or goes on. Whether flows are to be looked
// at for it.
bool CompareRoles(Context& context) {
  Promotion& promotion = context.promotion;
  bool has_changed = false;
  for (config::TrafficGroupId group = 1; group <= kTrafficGroupsMax; ++group) {
    // First: who ends the frost of a group that is given up has made it silent before.
    const bool is_frozen = context.shared.roles.IsFrozen(group);
    const bool is_active = context.shared.roles.IsActive(group);
    const bool is_paused = context.shared.roles.IsPaused(group);
    if (is_frozen && !context.roles.IsFrozen(group)) NoteHandshakes(context, group);
    context.roles.SetFrozen(group, is_frozen);
    context.roles.SetMirrorTo(group, context.shared.roles.MirrorTo(group));
    if (!is_active && context.roles.IsActive(group)) {
      context.reconcile.surrenders = has_changed = true;
      context.roles.Set(group, config::Role::kStandby);
    }
    if (is_paused || !is_active) context.roles.SetPaused(group, is_paused);
    const bool is_promoted = is_active && !is_paused && context.roles.IsSilent(group);
    if (is_promoted && !promotion.groups.test(group)) {
      promotion.is_new = true;
      promotion.turns_left = context.backlog_turns;
    }
    has_changed |= promotion.groups.test(group) != is_promoted && !context.roles.IsActive(group);
    promotion.groups.set(group, is_promoted);
  }
  if (promotion.groups.none()) ReportTaken(context);
  return has_changed;
}

void StartWalk(Context& context, bool roles_changed) {
  if (roles_changed && context.mirror != nullptr) context.mirror->RolesChanged();
  ReconcileWalk& walk = context.reconcile;
  walk.mirror_generation = context.snapshot->mirror_generation;
  walk.is_active = true;
  walk.is_ipv6 = false;
  walk.next_slot = 0;
}

// True: the family is done.
template <class Hot>
bool ReconcileFamily(Context& context) {
  const flow::FlowTable<Hot>& table = context.flows<Hot>().table;
  uint32_t& slot = context.reconcile.next_slot;
  const uint32_t used_end = table.pages().SlotsTouched();
  const uint32_t end = std::min(used_end, slot + kSlotsPerStep);
  uint32_t changed = 0;
  for (; slot < end && changed < kChangesPerStep; ++slot) {
    if (table.IsLive(slot) && ReconcileOne<Hot>(context, slot)) ++changed;
  }
  return slot >= used_end;
}

}  // namespace

template <class Hot>
Standing Settle(Context& context, uint32_t slot) noexcept {
  const flow::FlowTable<Hot>& table = context.flows<Hot>().table;
  const bool is_shadow = (table.hot(slot).common.flags & flow::kShadow) != 0;
  const config::TrafficGroupId group = table.pages().GroupOf(slot);
  if (IsStandby(context, group)) {
    if (!is_shadow) Surrender<Hot>(context, slot);
    return Standing::kSilent;
  }
  if (context.roles.IsPaused(group)) return Standing::kSilent;
  return is_shadow ? Adopt<Hot>(context, slot) : Standing::kOurs;
}

template <class Hot>
void Unbind(Context& context, uint32_t slot) noexcept {
  flow::FlowTable<Hot>& table = context.flows<Hot>().table;
  mirror::Unbind(table.hot(slot).common, table.cold(slot), context.live);
}

void TakeRoles(Context& context) noexcept {
  const uint32_t changes = context.shared.roles.changes();
  bool has_changed = false;
  if (changes != context.roles_changes) {
    context.roles_changes = changes;
    context.roles_changed = context.now;
    has_changed = CompareRoles(context);
  }
  if (!has_changed && context.snapshot->mirror_generation == context.reconcile.mirror_generation &&
      !(Mutated(Mutation::kAgeShadow) && !context.reconcile.is_active)) {
    return;
  }
  StartWalk(context, has_changed);
}

void TakePromotions(Context& context, bool more_waiting) noexcept {
  Promotion& promotion = context.promotion;
  if (std::exchange(promotion.is_new, false)) return;
  if (promotion.groups.none() || (more_waiting && --promotion.turns_left > 0)) return;
  bool was_standby = false;
  for (config::TrafficGroupId group = 1; group <= kTrafficGroupsMax; ++group) {
    if (!promotion.groups.test(group) || context.shared.roles.IsSilent(group)) continue;
    was_standby |= !context.roles.IsActive(group);
    context.roles.Set(group, config::Role::kActive);
    context.roles.SetPaused(group, false);
  }
  promotion.groups.reset();
  StartWalk(context, was_standby);
  ReportTaken(context);
}

void Reconcile(Context& context) noexcept {
  ReconcileWalk& walk = context.reconcile;
  if (!(walk.is_ipv6 ? ReconcileFamily<FlowHot6>(context) : ReconcileFamily<FlowHot4>(context))) {
    return;
  }
  walk.next_slot = 0;
  if (walk.is_ipv6) walk.is_active = walk.surrenders = false;
  walk.is_ipv6 = true;
}

template Standing Settle<FlowHot4>(Context&, uint32_t) noexcept;
template Standing Settle<FlowHot6>(Context&, uint32_t) noexcept;
template void Unbind<FlowHot4>(Context&, uint32_t) noexcept;
template void Unbind<FlowHot6>(Context&, uint32_t) noexcept;

}  // namespace tandem::pipeline
