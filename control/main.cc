// SPDX-License-Identifier: Apache-2.0
//
// tandemd: one device. Exit status 0 after a clean stop, 1 when the configuration is wrong or the
// device cannot start, 2 for a wrong command line.
#include <cstdio>
#include <memory>
#include <string>

#include "control/config_load.h"
#include "control/config_mirroring_key.h"
#include "control/daemon.h"
#include "control/daemon_loop.h"
#include "control/daemon_notify.h"
#include "control/flags.h"
#include "control/log.h"
#include "control/text.h"
#include "dataplane/mirror/frame.h"

// Tests build this daemon as another version of itself.
#ifndef TANDEM_STREAM_VERSION
#define TANDEM_STREAM_VERSION mirror::kStreamVersion
#endif

namespace tandem::control {
namespace {

int Fail(const absl::Status& status) {
  LogError(std::string(status.message()));
  return 1;
}

int Check(const absl::StatusOr<Document>& document, const std::string& path) {
  if (!document.ok()) {
    std::fprintf(stderr, "%s\n", std::string(document.status().message()).c_str());
    return 1;
  }
  if (const auto key = MirroringKeyOf(document->config()); !key.ok()) {
    std::fprintf(stderr, "%s\n", std::string(key.status().message()).c_str());
    return 1;
  }
  for (const std::string& note : document->notes()) {
    std::fprintf(stderr, "%s\n", note.c_str());
  }
  std::printf("%s: valid\n", path.c_str());
  return 0;
}

int Run(const Flags& flags, const Document& document) {
  const absl::StatusOr<UniqueFd> signals = TakeSignals();
  if (!signals.ok()) return Fail(signals.status());
  for (const std::string& note : document.notes()) {
    LogNotice(note);
  }
  absl::StatusOr<std::unique_ptr<Daemon>> daemon =
      Daemon::Start(document, flags.config, flags.admin_socket,
                    {.version = TANDEM_VERSION, .stream_version = TANDEM_STREAM_VERSION});
  if (!daemon.ok()) return Fail(daemon.status());
  LogNotice("running");
  NotifyManager("READY=1\nSTATUS=forwarding");
  const absl::Status status = RunLoop(**daemon, *signals);
  NotifyManager("STOPPING=1");
  (*daemon)->GiveUpGroups();
  daemon->reset();
  if (!status.ok()) return Fail(status);
  LogNotice("stopped");
  return 0;
}

int Main(int argc, char** argv) {
  const Flags flags = ParseFlags(argc, argv);
  SetLogLevel(flags.log_level);
  const absl::StatusOr<Document> document = LoadConfigFile(flags.config);
  if (flags.check) return Check(document, flags.config);
  return document.ok() ? Run(flags, *document) : Fail(document.status());
}

}  // namespace
}  // namespace tandem::control

int main(int argc, char** argv) {
  return tandem::control::Main(argc, argv);
}
