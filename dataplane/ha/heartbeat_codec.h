// SPDX-License-Identifier: Apache-2.0
//
// Heartbeats as bytes: protobuf, proto/ha.proto. Generated code stops in this codec's .cc. What is read
// is bounded and checked: a body with a number, count or time beyond the limits is refused whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/ha/heartbeat.h"

namespace tandem::ha {

// No body is longer: it passes any path that IPv6 passes (1280, RFC 8200), headers and seal included.
inline constexpr size_t kHeartbeatBodyMax = 1100;

// Writes into `out` and returns the size; 0: it does not fit.
size_t EncodeHeartbeat(const Heartbeat& heartbeat, std::span<uint8_t> out);

// Nothing: malformed, or beyond a limit.
std::optional<Heartbeat> DecodeHeartbeat(std::span<const uint8_t> body);

}  // namespace tandem::ha
