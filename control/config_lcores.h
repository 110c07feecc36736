// SPDX-License-Identifier: Apache-2.0
//
// How many workers a configuration asks for, read from EAL's --lcores syntax without EAL.
#pragma once

#include <bitset>
#include <string_view>

#include <absl/status/statusor.h>

#include "proto/config.pb.h"

namespace tandem::control {

inline constexpr size_t kLcoresMax = 128;  // RTE_MAX_LCORE of Debian's DPDK

// The lcore ids that `text` names: "0@0,1@2", "0-3", "(0,1)@4", "0,(1-3)@(2,4)". CPUs are checked
// for syntax only; whether the machine has them EAL knows.
absl::StatusOr<std::bitset<kLcoresMax>> ParseLcores(std::string_view text);

// Workers of a valid device section: every lcore but the lowest, or `workers`.
unsigned WorkerCount(const config::v1::Device& device);

}  // namespace tandem::control
