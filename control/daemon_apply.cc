// SPDX-License-Identifier: Apache-2.0
//
// Daemon: changing its configuration, and writing it down.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "control/config_edit.h"
#include "control/config_health.h"
#include "control/config_load.h"
#include "control/daemon.h"
#include "control/daemon_options.h"
#include "control/log.h"
#include "control/text.h"
#include "control/unique_fd.h"
#include "dataplane/io/fib.h"

namespace tandem::control {
namespace {

absl::Status WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return absl::ErrnoToStatus(errno, "writing");
    text.remove_prefix(static_cast<size_t>(written));
  }
  return fsync(fd) == 0 ? absl::OkStatus() : absl::ErrnoToStatus(errno, "writing");
}

// A reader sees the old file or the new one, also after a crash. Owner and mode of a file that is
// there already are kept where we may.
absl::Status ReplaceFile(const std::string& path, std::string_view text) {
  struct stat before {};
  const bool exists = stat(path.c_str(), &before) == 0;
  std::string temporary = Cat(path, ".XXXXXX");
  const UniqueFd fd(mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return absl::ErrnoToStatus(errno, "making a file beside it");
  if (exists && fchown(fd.get(), before.st_uid, before.st_gid) != 0) {
    // Not ours to give away; it stays with us.
  }
  absl::Status status = fchmod(fd.get(), exists ? before.st_mode & 07777 : 0644) == 0
                            ? WriteAll(fd.get(), text)
                            : absl::ErrnoToStatus(errno, "setting its mode");
  if (status.ok() && std::rename(temporary.c_str(), path.c_str()) != 0) {
    status = absl::ErrnoToStatus(errno, "putting it in place");
  }
  if (!status.ok()) unlink(temporary.c_str());
  return status;
}

// What a change of something else leaves alone, though its file may have another one by now.
bool HasKeyOf(const config::v1::Mirroring& running, const config::v1::Mirroring& next) {
  return running.key() == next.key() && running.key_file() == next.key_file();
}

}  // namespace

absl::StatusOr<Compiled> Daemon::CompileFor(const Document& document, KeyFile key_file) const {
  const config::v1::Config& next = document.config();
  const RouteTableFactory make_routes = io::FibRoutes::Create;
  CompileInput input{next, ids_, port_facts_, make_routes};
  input.previous = unit_ == nullptr ? nullptr : &unit_->snapshot();
  input.reta_size = ports_->reta_size();
  if (key_file == KeyFile::kAsRead && HasKeyOf(running_.mirroring(), next.mirroring())) {
    input.mirroring_key = unit_->snapshot().mirroring.key;
  } else if (const auto key = MirroringKeyOf(next); key.ok()) {
    input.mirroring_key = *key;
  } else {
    const Location place = document.Object("mirroring").At("key_file");
    return absl::Status(key.status().code(), Cat(ToString(document.file(), place), ": ",
                                                 std::string(key.status().message())));
  }
  return Compile(input);
}

absl::Status Daemon::ApplyDocument(const Document& document, KeyFile key_file, bool check_only) {
  const config::v1::Config& next = document.config();
  if (absl::Status status = CheckReloadable(running_, document); !status.ok()) return status;
  absl::StatusOr<Compiled> compiled = CompileFor(document, key_file);
  if (!compiled.ok()) return compiled.status();
  if (check_only) return absl::OkStatus();
  unit_->Publish(std::move(compiled->snapshot));
  ids_ = std::move(compiled->ids);
  running_ = next;
  if (takeover_ != nullptr) {
    takeover_->Follow(running_, ids_);
    unit_->takeover()->SetWitnessKey(unit_->snapshot().mirroring.key);
    unit_->watchdog()->Configure(HealthSettingsOf(running_, ids_, unit_->workers()));
  }
  if (config_sync_ != nullptr) config_sync_->Follow();
  admin_requests_->Follow();
  telemetry_->Follow(unit_->snapshot());
  sweep_->Start(ids_);
  const std::vector<MacAddress> macs = MasqueradeMacs(running_);
  for (size_t i = 0; i < ports_->size(); ++i) {
    ports_->port(i).SetExtraMacs(macs);
  }
  LogNotice(Cat("configuration ", unit_->snapshot().generation, " applied"));
  for (const std::string& note : document.notes()) {
    LogNotice(note);
  }
  return absl::OkStatus();
}

absl::Status Daemon::Apply(const config::v1::Config& next, bool check_only) {
  const absl::StatusOr<Document> document = LoadConfig(next, "running configuration");
  return document.ok() ? ApplyDocument(*document, KeyFile::kAsRead, check_only) : document.status();
}

absl::Status Daemon::ApplyText(std::string_view text, std::string_view name, bool check_only) {
  const absl::StatusOr<Document> document = LoadConfigText(text, std::string(name));
  return document.ok() ? ApplyDocument(*document, KeyFile::kRead, check_only) : document.status();
}

absl::Status Daemon::Reload(bool check_only) {
  const absl::StatusOr<Document> document = LoadConfigFile(facts_.config_path);
  return document.ok() ? ApplyDocument(*document, KeyFile::kRead, check_only) : document.status();
}

absl::Status Daemon::Save() {
  const std::string text = PrintConfig(
      running_, "Written by tandemd: what was running. Comments of the file before are not kept.");
  const absl::Status status = ReplaceFile(facts_.config_path, text);
  if (status.ok()) {
    LogNotice(Cat("configuration saved to ", facts_.config_path));
    return status;
  }
  return absl::Status(status.code(), Cat(facts_.config_path, ": ", std::string(status.message())));
}

}  // namespace tandem::control
