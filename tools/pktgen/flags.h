// SPDX-License-Identifier: Apache-2.0
//
// tandem-pktgen's command line.
#pragma once

#include <string>

#include "tools/pktgen/devices.h"
#include "tools/pktgen/options.h"

namespace tandem::pktgen {

struct Flags {
  Options options;
  MachineOptions machine;
  std::string json;  // file for the result; "-": stdout; empty: none
  bool live = false;
};

// Ends the process for --help and --version (exit status 0) and for a command line that makes no
// sense (2).
Flags ParseFlags(int argc, char** argv);

}  // namespace tandem::pktgen
