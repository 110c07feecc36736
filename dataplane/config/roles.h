// SPDX-License-Identifier: Apache-2.0
//
// What this device is to each traffic group right now: active, or standby. One word a group, read by
// every worker, so that a change takes effect at the next packet and costs the same for ten flows and
// for ten million.
//
// A standby is silent: it forwards no packet of the group's virtuals, answers no ARP, neighbour
// solicitation or echo for the group's addresses, and ends no shadow flow.
//
// Each worker keeps a copy of its own and brings it up to date between two bursts (changes() tells
// when), so that what it does within a turn agrees with itself.
//
// Five words more are said beside the role. *Mirror to*: the peer that the group's connections and records
// are told to. *Frozen*: the group is about to be handed over, and nothing of it may change that the peer
// would have to be told of. *Paused*: this device was active, and does not know for a moment whether it
// still is: silent like a standby, but the group's flows stay its own, and its mirror goes on. *Strays*: it
// was handed over, and what still comes is the other device's. The *fence*: until when this device may take
// itself for active at all; a worker that finds its clock beyond it lets nothing out, since another device
// may have taken over (ha/README.md). It is lifted after the roles are set, so who reads it first and the
// roles then knows of one of the two.
//
// Thread safety: what is set of a group, and the fence, by one thread (control, or who decides takeovers);
// everything else by any. Flows and addresses of no group (0) are always active.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "dataplane/base/limits.h"
#include "dataplane/base/time.h"
#include "dataplane/config/ids.h"

namespace tandem::config {

enum class Role : uint8_t { kActive = 0, kStandby = 1 };

class Roles {
 public:
  void Set(TrafficGroupId group, Role role) noexcept {
    const Role before = Of(group);
    if (before == role) return;
    roles_[group].store(role, std::memory_order_release);
    if (role == Role::kStandby) {
      standby_groups_.fetch_add(1, std::memory_order_release);
    } else {
      standby_groups_.fetch_sub(1, std::memory_order_release);
    }
    changes_.fetch_add(1, std::memory_order_release);
  }

  Role Of(TrafficGroupId group) const noexcept {
    return roles_[group].load(std::memory_order_acquire);
  }
  bool IsActive(TrafficGroupId group) const noexcept { return Of(group) == Role::kActive; }
  bool any_standby() const noexcept { return standby_groups_.load(std::memory_order_acquire) != 0; }

  void SetPaused(TrafficGroupId group, bool is_paused) noexcept {
    SetWord(paused_[group], paused_groups_, is_paused);
  }
  bool IsPaused(TrafficGroupId group) const noexcept {
    return paused_[group].load(std::memory_order_acquire);
  }
  bool any_paused() const noexcept { return paused_groups_.load(std::memory_order_acquire) != 0; }

  // Nothing of the group may leave the device.
  bool IsSilent(TrafficGroupId group) const noexcept { return !IsActive(group) || IsPaused(group); }
  // So that a device which is active for everything asks nothing more.
  bool any_silent() const noexcept { return any_standby() || any_paused(); }

  // The first peer, when nothing is said. kNoPeer: nobody.
  void SetMirrorTo(TrafficGroupId group, PeerIndex peer) noexcept {
    if (mirror_to_[group].exchange(peer, std::memory_order_acq_rel) == peer) return;
    changes_.fetch_add(1, std::memory_order_release);
  }
  PeerIndex MirrorTo(TrafficGroupId group) const noexcept {
    return mirror_to_[group].load(std::memory_order_acquire);
  }

  void SetFrozen(TrafficGroupId group, bool is_frozen) noexcept {
    SetWord(frozen_[group], frozen_groups_, is_frozen);
  }
  bool IsFrozen(TrafficGroupId group) const noexcept {
    return frozen_[group].load(std::memory_order_acquire);
  }
  bool any_frozen() const noexcept { return frozen_groups_.load(std::memory_order_acquire) != 0; }

  // Given up to another device: until when packets of the group that still come are sent there.
  void SetStraysUntil(TrafficGroupId group, Nanos until) noexcept {
    strays_until_[group].store(until, std::memory_order_release);
  }
  Nanos StraysUntil(TrafficGroupId group) const noexcept {
    return strays_until_[group].load(std::memory_order_acquire);
  }

  // No fence: kNoFence.
  static constexpr Nanos kNoFence = UINT64_MAX;
  void SetFence(Nanos until) noexcept { fence_.store(until, std::memory_order_release); }
  Nanos fence() const noexcept { return fence_.load(std::memory_order_acquire); }
  bool IsFenced(Nanos now) const noexcept { return now > fence(); }

  // Another number after every change of a role, of what is frozen or paused, or whom a group is
  // mirrored to.
  uint32_t changes() const noexcept { return changes_.load(std::memory_order_acquire); }

 private:
  void SetWord(std::atomic<bool>& word, std::atomic<uint32_t>& count, bool value) noexcept {
    if (word.load(std::memory_order_acquire) == value) return;
    word.store(value, std::memory_order_release);
    if (value) {
      count.fetch_add(1, std::memory_order_release);
    } else {
      count.fetch_sub(1, std::memory_order_release);
    }
    changes_.fetch_add(1, std::memory_order_release);
  }

  std::array<std::atomic<Role>, kTrafficGroupsMax + 1> roles_{};
  std::array<std::atomic<PeerIndex>, kTrafficGroupsMax + 1> mirror_to_{};
  std::array<std::atomic<bool>, kTrafficGroupsMax + 1> frozen_{};
  std::array<std::atomic<bool>, kTrafficGroupsMax + 1> paused_{};
  std::array<std::atomic<Nanos>, kTrafficGroupsMax + 1> strays_until_{};
  std::atomic<uint32_t> standby_groups_{0};
  std::atomic<uint32_t> frozen_groups_{0};
  std::atomic<uint32_t> paused_groups_{0};
  std::atomic<uint32_t> changes_{0};
  std::atomic<Nanos> fence_{kNoFence};
};

}  // namespace tandem::config
