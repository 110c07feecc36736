// SPDX-License-Identifier: Apache-2.0
//
// What --help says: of everything, of a group of commands, of one.
#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

namespace tandem::tandemctl {

// Of the commands that begin with `words` (all for none); an error when there are none.
absl::StatusOr<std::string> HelpFor(const std::vector<std::string>& words);

}  // namespace tandem::tandemctl
