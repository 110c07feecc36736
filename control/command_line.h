// SPDX-License-Identifier: Apache-2.0
//
// What the command lines of the daemons have in common, around gflags.
#pragma once

#include <string>

namespace tandem::control {

// Parses the flags. --help shows those of the source file `flags_of` ("control/flags") and ends the
// process, as --version does, with status 0. An argument that is no flag is refused.
void ParseCommandLine(int argc, char** argv, const char* usage, const char* flags_of);

// Says on stderr what is wrong, and ends the process with status 2. After ParseCommandLine.
[[noreturn]] void RefuseCommandLine(const std::string& what);

}  // namespace tandem::control
