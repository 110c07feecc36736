// SPDX-License-Identifier: Apache-2.0
//
// The key that both devices of a pair share: from text, from its file, and out of what is shown.
// Messages never contain it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "proto/config.pb.h"

namespace tandem::control {

using MirroringKey = std::array<uint8_t, 32>;

// 64 hexadecimal digits.
std::optional<MirroringKey> ParseMirroringKey(std::string_view text);

// The digits may end with white space. The file must be a regular one that belongs to root or to this
// process's user and that nobody else may read or write.
absl::StatusOr<MirroringKey> ReadMirroringKey(const std::string& path);

// The key that a valid configuration names; zeros when it wants none.
absl::StatusOr<MirroringKey> MirroringKeyOf(const config::v1::Config& config);

// Puts a word for people in the place of the key, if there is one: for what is shown.
void HideMirroringKey(config::v1::Config& config);

}  // namespace tandem::control
