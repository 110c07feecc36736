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
// Thread safety: Set by one thread (control, or who decides takeovers), everything else by any. Flows
// and addresses of no group (0) are always active.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "dataplane/base/limits.h"
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
  // So that a device which is active for everything asks nothing more.
  bool any_standby() const noexcept { return standby_groups_.load(std::memory_order_acquire) != 0; }
  // Another number after every change.
  uint32_t changes() const noexcept { return changes_.load(std::memory_order_acquire); }

 private:
  std::array<std::atomic<Role>, kTrafficGroupsMax + 1> roles_{};
  std::atomic<uint32_t> standby_groups_{0};
  std::atomic<uint32_t> changes_{0};
};

}  // namespace tandem::config
