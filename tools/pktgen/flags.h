// SPDX-License-Identifier: Apache-2.0
//
// tandem-pktgen's command line.
#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "tools/pktgen/devices.h"
#include "tools/pktgen/options.h"

namespace tandem::pktgen {

struct Flags {
  Options options;
  MachineOptions machine;
  std::string json;  // file for the result; "-": stdout; empty: none
  bool live = false;
  bool serve = false;
};

// Ends the process for --help and --version (exit status 0) and for a command line that makes no
// sense (2).
Flags ParseFlags(int argc, char** argv);

// The flags as they are after those in `line`, "--name=value …", are set, too. Errors name the flag.
absl::StatusOr<Options> NextOptions(const std::string& line);

}  // namespace tandem::pktgen
