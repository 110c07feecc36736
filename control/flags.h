// SPDX-License-Identifier: Apache-2.0
//
// tandemd's command line.
#pragma once

#include <string>

#include "control/log.h"

namespace tandem::control {

struct Flags {
  std::string config;
  std::string admin_socket;  // empty: what the configuration says
  bool check = false;
  LogLevel log_level = LogLevel::kNotice;
};

// Ends the process for --help and --version (exit status 0) and for a command line that makes no
// sense (2).
Flags ParseFlags(int argc, char** argv);

}  // namespace tandem::control
