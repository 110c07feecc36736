// SPDX-License-Identifier: Apache-2.0
//
// Who ought to have a group: scores, load, and the order of candidates.
//
// Pure functions.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/ha/epoch.h"
#include "dataplane/ha/settings.h"

namespace tandem::ha {

// One thing that a score depends on: how many of its parts are up (links of a trunk, members of a
// pool, gateways that answer).
struct ScoreInput {
  uint32_t weight = 0;  // 10..100, as in BIG-IP's HA groups
  uint32_t up = 0;
  uint32_t total = 0;
  uint32_t needed = 0;  // with fewer up it counts as nothing
};

// Σ weight × share that is up, rounded down.
uint32_t ScoreOf(std::span<const ScoreInput> inputs);

// Load factors by capacity, in thousandths: comparable between devices.
uint32_t LoadOf(uint32_t load_factors, uint32_t capacity);

// One device as a candidate for a group.
struct Candidate {
  DeviceId device = 0;
  bool is_in_sync = false;      // with the highest floor
  bool is_next_active = false;  // named by the last device that acted
  uint32_t score = 0;
  uint32_t load = 0;
};

// Whether `a` is better by the group's method alone; ties: HA order, then the lower device.
bool IsPreferred(const GroupSettings& group, const Candidate& a, const Candidate& b);

// Whether `a` comes before `b` when nobody acts.
bool TakesOverBefore(const GroupSettings& group, const Candidate& a, const Candidate& b);

// Place in HA order from 1 on; who is not in it: 0.
uint32_t OrderOf(const GroupSettings& group, DeviceId device);

}  // namespace tandem::ha
