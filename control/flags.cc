// SPDX-License-Identifier: Apache-2.0
#include "control/flags.h"

#include <gflags/gflags.h>

#include "control/command_line.h"
#include "control/text.h"

DEFINE_string(config, "/etc/tandem/tandem.textproto",
              "the configuration, protobuf text format; proto/config.proto documents every field");
DEFINE_string(admin_socket, "",
              "the Unix socket that tandemctl talks to; empty: device.admin_socket of the "
              "configuration, which is /run/tandem/admin.sock by default");
DEFINE_bool(check, false, "check the configuration, say what is wrong with it, and exit");
DEFINE_string(log_level, "notice",
              "what to log on stderr: error, warning, notice, info or debug, each with those "
              "before it");

namespace tandem::control {
namespace {

constexpr const char* kUsage =
    "the Tandem layer-4 load balancer\n"
    "\n"
    "  tandemd [--config FILE] [--admin_socket PATH] [--log_level LEVEL]\n"
    "  tandemd --check [--config FILE]\n"
    "\n"
    "Runs in the foreground until SIGTERM or SIGINT; SIGHUP reads the configuration again.\n"
    "Operate it with tandemctl.";

}  // namespace

Flags ParseFlags(int argc, char** argv) {
  ParseCommandLine(argc, argv, kUsage, "control/flags");
  Flags flags;
  flags.config = FLAGS_config;
  flags.admin_socket = FLAGS_admin_socket;
  flags.check = FLAGS_check;
  const auto level = ParseLogLevel(FLAGS_log_level);
  if (!level) {
    RefuseCommandLine(
        Cat("--log_level \"", FLAGS_log_level, "\": it is error, warning, notice, info or debug"));
  }
  flags.log_level = *level;
  return flags;
}

}  // namespace tandem::control
