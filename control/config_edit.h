// SPDX-License-Identifier: Apache-2.0
//
// Changes that operators make by command, and the way back from configuration to text.
#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "proto/config.pb.h"

namespace tandem::control {

// `member` is ADDRESS:PORT in any spelling. NotFound names what is missing.
absl::Status SetMemberState(config::v1::Config& config, std::string_view pool,
                            std::string_view member, config::v1::Pool::Member::State state);

absl::Status SetVirtualEnabled(config::v1::Config& config, std::string_view name, bool enabled);

// What of an object is mirrored: a virtual's or a SNAT pool's connections, a profile's records.
enum class MirroredKind { kVirtual, kSnatPool, kPersistence };
absl::Status SetMirror(config::v1::Config& config, MirroredKind kind, std::string_view name,
                       bool mirror);

// The whole configuration in text format: what was set and nothing else, a blank line between
// objects, `header` as comment lines on top. LoadConfigText reads the same configuration back.
std::string PrintConfig(const config::v1::Config& config, std::string_view header);

}  // namespace tandem::control
