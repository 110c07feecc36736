// SPDX-License-Identifier: Apache-2.0
#include "control/command_line.h"

#include <gflags/gflags.h>

#include <cstdio>
#include <cstdlib>

#include "control/text.h"

DECLARE_bool(help);
DECLARE_bool(helpshort);

namespace tandem::control {

void ParseCommandLine(int argc, char** argv, const char* usage, const char* flags_of) {
  gflags::SetUsageMessage(usage);
  gflags::SetVersionString(TANDEM_VERSION);
  gflags::ParseCommandLineNonHelpFlags(&argc, &argv, true);
  if (FLAGS_help || FLAGS_helpshort) {
    gflags::ShowUsageWithFlagsRestrict(argv[0], flags_of);
    std::exit(0);
  }
  gflags::HandleCommandLineHelpFlags();
  if (argc > 1) RefuseCommandLine(Cat("unexpected argument \"", argv[1], "\""));
}

void RefuseCommandLine(const std::string& what) {
  const char* const name = gflags::ProgramInvocationShortName();
  std::fprintf(stderr, "%s: %s; see %s --help\n", name, what.c_str(), name);
  std::exit(2);
}

}  // namespace tandem::control
