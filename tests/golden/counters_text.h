// SPDX-License-Identifier: Apache-2.0
//
// All counters of a device that are not zero, as lines for a golden file.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/support/rig.h"

namespace tandem::test {

// Name of a line -> name of a counter -> value, over all workers. Turns are left out.
using CounterValues = std::map<std::string, std::map<std::string, uint64_t>>;

CounterValues ReadCounters(const Rig& rig);

// What changed, one line a group: "virtual web: bytes_in 54 connections 1".
std::vector<std::string> CounterLines(const CounterValues& before, const CounterValues& after);

}  // namespace tandem::test
