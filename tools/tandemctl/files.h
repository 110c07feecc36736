// SPDX-License-Identifier: Apache-2.0
//
// Configuration files on the operator's side of the socket. The daemon never opens a file that a
// client names: reading and writing happen with the rights of whoever runs tandemctl.
#pragma once

#include <istream>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "proto/admin.pb.h"

namespace tandem::tandemctl {

// Of `path`, or of `in` for "-"; at most as many bytes as a configuration may have.
absl::StatusOr<std::string> ReadText(const std::string& path, std::istream& in);

// Writes beside `path` and renames, so that the file is whole at any moment.
absl::Status WriteText(const std::string& path, const std::string& text);

admin::v1::CheckResult CheckFile(const std::string& path, std::istream& in);

}  // namespace tandem::tandemctl
