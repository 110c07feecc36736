// SPDX-License-Identifier: Apache-2.0
//
// What must hold in the takeover world, seen from outside the devices.
#include <algorithm>

#include "tests/sim/ha_world.h"

namespace tandem::sim {

using ha::Action;
using Kind = ha::Action::Kind;

namespace {

constexpr Nanos kSettleMax = 8 * kSecond;
constexpr Nanos kQuiet = 300 * kMillisecond;

}  // namespace

// ---- what devices do ----------------------------------------------------------------------------

void HaWorld::OnAction(HaNode& node, const Action& action) {
  const unsigned device = IndexOf(node);
  switch (action.kind) {
    case Kind::kSetRole:
      if (action.role == config::Role::kActive) {
        OnActive(node, action);
      } else {
        turns_[device][action.group - 1U].is_on = false;
      }
      break;
    case Kind::kAnnounce:
      ++announcements_[action.group - 1U];
      ++turns_[device][action.group - 1U].announced;
      break;
    case Kind::kTransition:
      if (action.to == ha::State::kSuspended)
        uses_[action.group - 1U][action.epoch.bits()].is_suspended = true;
      if (action.from == ha::State::kGranted && action.to == ha::State::kSyncing &&
          action.epoch.is_planned()) {
        ++switchovers_;
      }
      break;
    case Kind::kAnswer:
      last_answer_ = action.reason;
      break;
    case Kind::kFollow: {
      const unsigned group = action.group - 1U;
      const auto taken = taken_[group].find(action.epoch.bits());
      if (action.is_warm &&
          (taken == taken_[group].end() || taken->second != node.mirror(group).table)) {
        Violate("T5: %u keeps its table of group %u, and it is another", node.id(), group + 1);
      }
      break;
    }
    case Kind::kDropBacklog:
    case Kind::kMirrorTo:
    case Kind::kFreeze:
    case Kind::kUnfreeze:
    case Kind::kForwardStrays:
    case Kind::kPersist:
    case Kind::kAskLease:
    case Kind::kReleaseLease:
    case Kind::kStopped:
      break;
  }
}

void HaWorld::OnActive(HaNode& node, const Action& action) {
  const unsigned device = IndexOf(node);
  const unsigned group = action.group - 1U;
  const ha::Epoch epoch = action.epoch;
  Turn& turn = turns_[device][group];
  const bool is_renewal = turn.is_on;
  if (!is_renewal) turn = {.began = now_, .is_on = true};
  if (epoch.device() != node.id())
    Violate("T2: %u acts in an epoch of %u", node.id(), epoch.device());

  ha::Epoch& acted = acted_[device][group];
  auto [use, is_new] = uses_[group].try_emplace(epoch.bits(), Use{node.id(), node.incarnation()});
  // A turn that was suspended goes on.
  const bool resumes = !is_new && use->second.incarnation == node.incarnation() && epoch == acted &&
                       use->second.is_suspended;
  use->second.is_suspended = false;
  if (!is_new && !resumes) {
    Violate("T2: %u group %u: epoch %u/%u is used again", node.id(), group + 1, epoch.ballot(),
            epoch.device());
  }
  if (!resumes && epoch <= acted)
    Violate("T3: %u group %u acts in a lower epoch than before", node.id(), group + 1);
  if (epoch < told_[device][group])
    Violate("T3: %u group %u acts below an epoch that it was told of", node.id(), group + 1);
  acted = epoch;
  ++activations_;
  if (is_new) taken_[group][epoch.bits()] = node.mirror(group).table;
  if (is_new && !is_renewal && !epoch.is_planned()) CheckTaken(node, group);

  if (epoch.is_planned() && !resumes) {
    const auto given = given_[group].find(epoch.bits());
    if (given == given_[group].end() || given->second.target != node.id())
      Violate("T5: %u takes a group that nobody gave it", node.id());
    if (given->second.table != node.mirror(group).table)
      Violate("T5: %u group %u took over another table than was given", node.id(), group + 1);
  }
  if (node.was_told_forced() && node.forced_on_disk())
    Violate("T6: %u acts though forced offline", node.id());
}

// ---- what workers do ----------------------------------------------------------------------------

bool HaWorld::CanHear(unsigned from, unsigned to) const {
  for (unsigned path = 0; path < options_.paths; ++path) {
    const WireFaults& faults = wires_[(from * devices() + to) * options_.paths + path]->faults;
    if (!faults.cut && faults.loss_percent == 0 && faults.damage_permille == 0 &&
        faults.delay + faults.jitter <= 5 * kMillisecond) {
      return true;
    }
  }
  return false;
}

void HaWorld::CheckStep() {
  for (unsigned a = 0; a < devices(); ++a) {
    for (unsigned b = a + 1; b < devices(); ++b) {
      const bool can = nodes_[a]->IsRunning(now_) && nodes_[b]->IsRunning(now_) && CanHear(a, b) &&
                       CanHear(b, a);
      Nanos& since = can_talk_since_[{a, b}];
      if (!can) {
        since = 0;
      } else if (since == 0) {
        since = now_;
      }
    }
  }
  NoteForwarding();
  for (unsigned group = 0; group < kHaGroups; ++group) {
    CheckDual(group);
    for (unsigned device = 0; device < devices(); ++device) {
      CheckStopped(device, group);
      const HaNode& node = *nodes_[device];
      const Turn& turn = turns_[device][group];
      if (!node.ForwardsFor(group, now_)) continue;
      if (!node.device().Find(static_cast<ha::TrafficGroupId>(group + 1))->acts())
        Violate("%u forwards in state %s", node.id(), NameOf(node.group(group).state()));
      if (node.group(group).epoch() < told_[device][group])
        Violate("T3: %u group %u goes on below an epoch that it was told of", node.id(), group + 1);
      if (turn.announced == 0) Violate("T9: %u did not announce group %u", node.id(), group + 1);
    }
  }
}

void HaWorld::NoteForwarding() {
  const auto note = [&](Nanos& since, bool holds) {
    since = holds ? (since == 0 ? now_ : since) : 0;
  };
  for (unsigned from = 0; from < devices(); ++from) {
    for (unsigned group = 0; group < kHaGroups; ++group)
      note(forwards_since_[from][group], nodes_[from]->ForwardsFor(group, now_));
    for (unsigned to = 0; to < devices(); ++to)
      note(audible_since_[{from, to}], nodes_[from]->IsRunning(now_) && CanHear(from, to));
  }
}

// By itself, in a new epoch.
void HaWorld::CheckTaken(const HaNode& node, unsigned group) const {
  const unsigned device = node.id() - 1U;
  const Nanos enough = options_.settings.detection() + 20 * kMillisecond;
  for (unsigned other = 0; other < devices(); ++other) {
    const auto audible = audible_since_.find({other, device});
    if (other == device || audible == audible_since_.end() || audible->second == 0) continue;
    const Nanos since =
        std::max({audible->second, forwards_since_[other][group], node.booted_at()});
    if (forwards_since_[other][group] != 0 && now_ > since + enough)
      Violate("T10: %u takes group %u from %u, which is well", node.id(), group + 1, other + 1);
  }
}

void HaWorld::CheckDual(unsigned group) {
  const Nanos bound = options_.settings.detection() + 10 * kMillisecond;
  for (unsigned a = 0; a < devices(); ++a) {
    for (unsigned b = a + 1; b < devices(); ++b) {
      Nanos& since = dual_since_[group][{a, b}];
      if (!nodes_[a]->ForwardsFor(group, now_) || !nodes_[b]->ForwardsFor(group, now_)) {
        since = 0;
        continue;
      }
      if (since == 0) since = now_;
      if (options_.witness)
        Violate("T8: %u and %u forward for group %u, with a witness", a + 1, b + 1, group + 1);
      if (clean_)
        Violate("T5: %u and %u forward for group %u, without a fault", a + 1, b + 1, group + 1);
      const Nanos can = can_talk_since_[{a, b}];
      if (can != 0 && now_ > std::max(since, can) + bound)
        Violate("T1: %u and %u forward for group %u and hear each other", a + 1, b + 1, group + 1);
    }
  }
}

void HaWorld::CheckStopped(unsigned device, unsigned group) {
  const Nanos back = stopped_until_[device];
  if (back == 0 || now_ < back) return;
  if (!nodes_[device]->is_up() || nodes_[device]->booted_at() >= back ||
      now_ > back + ha::ShortOf(options_.settings.detection())) {
    stopped_until_[device] = 0;
    return;
  }
  if (heard_back_[device] == 0 && nodes_[device]->ForwardsFor(group, now_))
    Violate("T7: %u was stopped, heard nobody since, and forwards for group %u", device + 1,
            group + 1);
}

// ---- at the end ---------------------------------------------------------------------------------

int HaWorld::ActiveOf(unsigned group) const {
  int active = -1;
  for (unsigned device = 0; device < devices(); ++device) {
    if (!nodes_[device]->ForwardsFor(group, now_)) continue;
    active = active == -1 ? static_cast<int>(device) : -2;
  }
  return active;
}

bool HaWorld::IsSettled() const {
  for (const auto& node : nodes_) {
    if (!node->is_up() || node->device().forced_offline()) return false;
    if (now_ < node->last_transition() + kQuiet) return false;
  }
  for (unsigned group = 0; group < kHaGroups; ++group) {
    const int active = ActiveOf(group);
    if (active < 0 || StateOf(static_cast<unsigned>(active), group) != ha::State::kActive)
      return false;
    const ha::Group& acting = nodes_[static_cast<size_t>(active)]->group(group);
    for (unsigned device = 0; device < devices(); ++device) {
      const ha::State state = StateOf(device, group);
      const bool is_next = acting.next_active() == device + 1;
      if (is_next && state != ha::State::kStandby) return false;
      if (device != static_cast<unsigned>(active) && state != ha::State::kStandby &&
          state != ha::State::kSyncing) {
        return false;
      }
      if (is_next && nodes_[device]->mirror(group).follows != acting.epoch()) return false;
    }
  }
  return true;
}

void HaWorld::Settle() {
  CalmDown();
  const bool is_settled = PassUntil(
      [&] {
        for (auto& node : nodes_) {
          if (node->is_up() && node->device().forced_offline())
            node->Give(ha::Command{.kind = ha::Command::Kind::kOnline}, now_);
        }
        return IsSettled();
      },
      kSettleMax);
  if (is_settled) return;
  for (unsigned group = 0; group < kHaGroups; ++group) {
    for (unsigned device = 0; device < devices(); ++device) {
      journal_.Note(now_, "%u group %u: %s%s", device + 1, group + 1,
                    NameOf(StateOf(device, group)),
                    nodes_[device]->ForwardsFor(group, now_) ? ", forwards" : "");
    }
  }
  Violate("T4: not one active device for each group after the faults stopped");
}

}  // namespace tandem::sim
