// SPDX-License-Identifier: Apache-2.0
#include "control/facts_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "control/text.h"
#include "control/unique_fd.h"

namespace tandem::control {
namespace {

std::string ErrorText(std::string_view what) {
  return Cat(what, ": ", std::strerror(errno));
}

class Disk final : public ha::FactsDisk {
 public:
  std::string Write(const std::string& path, std::string_view bytes) override {
    const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd) return ErrorText("making it");
    while (!bytes.empty()) {
      const ssize_t written = write(fd.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return ErrorText("writing");
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return "";
  }

  std::string Sync(const std::string& path) override {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return ErrorText("opening it");
    return fsync(fd.get()) == 0 ? "" : ErrorText("syncing");
  }

  std::string Rename(const std::string& from, const std::string& to) override {
    return std::rename(from.c_str(), to.c_str()) == 0 ? "" : ErrorText("putting it in place");
  }

  std::string SyncDirectoryOf(const std::string& path) override {
    return Sync(std::filesystem::path(path).parent_path());
  }
};

}  // namespace

absl::StatusOr<ha::Facts> LoadFacts(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return ha::Facts();
  if (!fd) return absl::ErrnoToStatus(errno, path);
  std::string text;
  std::array<char, 4096> piece;
  for (;;) {
    const ssize_t size = read(fd.get(), piece.data(), piece.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return absl::ErrnoToStatus(errno, path);
    if (size == 0) break;
    text.append(piece.data(), static_cast<size_t>(size));
    if (text.size() > ha::kFactsSizeMax) {
      return absl::DataLossError(Cat(path, ": larger than ", ha::kFactsSizeMax, " bytes"));
    }
  }
  std::string error;
  std::optional<ha::Facts> facts = ha::ParseFacts(text, error);
  if (facts) return *std::move(facts);
  return absl::DataLossError(Cat(
      path, ": ", error,
      "; remove the file while another device of the group runs, which knows the highest epoch"));
}

absl::Status StoreFacts(const ha::Facts& facts, const std::string& path) {
  std::error_code code;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), code);
  if (code) return absl::InternalError(Cat(path, ": making its directory: ", code.message()));
  Disk disk;
  const std::string error = ha::SaveFacts(facts, path, disk);
  return error.empty() ? absl::OkStatus() : absl::InternalError(Cat(path, ": ", error));
}

}  // namespace tandem::control
