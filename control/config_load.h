// SPDX-License-Identifier: Apache-2.0
//
// Text to configuration: the first half of textproto -> load -> compile -> Snapshot. Whatever comes
// out of here is valid as a whole; what is wrong is reported completely, with line and column.
//
// Limits: kConfigBytesMax, kConfigObjectsMax, and the counts of dataplane/base/limits.h.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "control/config_document.h"

namespace tandem::control {

inline constexpr size_t kConfigBytesMax = size_t{16} << 20;
// Braces in the text. Every kind at its maximum makes about 150000 objects.
inline constexpr size_t kConfigObjectsMax = size_t{1} << 18;

// Parses and validates. `file` is what messages call the text.
absl::StatusOr<Document> LoadConfigText(std::string_view text, std::string file);

// Parses and no more: every field may have any value that fits its type.
absl::StatusOr<config::v1::Config> ParseConfigText(std::string_view text, std::string file);

// Parses and validates the contents of `path`.
absl::StatusOr<Document> LoadConfigFile(const std::string& path);

// Validates what is not text, such as an edited copy of the running configuration.
absl::StatusOr<Document> LoadConfig(config::v1::Config config, std::string file);

}  // namespace tandem::control
