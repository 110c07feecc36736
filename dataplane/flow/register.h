// SPDX-License-Identifier: Apache-2.0
//
// The register of a flow slot: which flow it holds or held last, and which change of it. Mirroring
// compares registers as plain numbers; the larger one is the newer (mirror/README.md).
//
// A birth is a table's count of flows begun, over all traffic groups, so it names one flow for
// good: 2^52 of them last 142 years at a million a second, so it never wraps. The version counts the
// mirrored changes of one flow; it stays at its maximum, which no flow's life reaches.
#pragma once

#include <cstdint>

namespace tandem::flow {

using Register = uint64_t;  // birth << kVersionBits | version; 0: never used
using Birth = uint64_t;     // below 2^52, from 1 on

inline constexpr int kVersionBits = 12;
inline constexpr uint32_t kVersionMax = (1U << kVersionBits) - 1;
inline constexpr Birth kBirthMax = (uint64_t{1} << (64 - kVersionBits)) - 1;

constexpr Register MakeRegister(Birth birth, uint32_t version) {
  return birth << kVersionBits | version;
}
constexpr Birth BirthOf(Register value) {
  return value >> kVersionBits;
}
constexpr uint32_t VersionOf(Register value) {
  return static_cast<uint32_t>(value) & kVersionMax;
}
// The register after one more change of the same flow.
constexpr Register NextVersion(Register value) {
  return VersionOf(value) == kVersionMax ? value : value + 1;
}

}  // namespace tandem::flow
