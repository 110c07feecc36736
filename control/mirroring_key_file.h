// SPDX-License-Identifier: Apache-2.0
//
// The key that the devices of a group share, and their witness, as text and in its file. Messages never
// contain it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace tandem::control {

using MirroringKey = std::array<uint8_t, 32>;

// 64 hexadecimal digits.
std::optional<MirroringKey> ParseMirroringKey(std::string_view text);

// The digits may end with white space. The file must be a regular one that belongs to root or to this
// process's user and that nobody else may read or write. `option` names, in messages, what said the path.
absl::StatusOr<MirroringKey> ReadMirroringKey(std::string_view option, const std::string& path);

}  // namespace tandem::control
