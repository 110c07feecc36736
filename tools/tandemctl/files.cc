// SPDX-License-Identifier: Apache-2.0
#include "tools/tandemctl/files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include <absl/strings/str_split.h>

#include "control/config_load.h"
#include "control/text.h"
#include "control/unique_fd.h"

namespace tandem::tandemctl {
namespace {

using control::Cat;

absl::Status Error(const std::string& path, int error) {
  return absl::InvalidArgumentError(Cat(path, ": ", std::strerror(error)));
}

absl::Status WriteAll(int fd, const std::string& text, const std::string& path) {
  for (size_t written = 0; written < text.size();) {
    const ssize_t count = ::write(fd, text.data() + written, text.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Error(path, errno);
    written += static_cast<size_t>(count);
  }
  return ::fsync(fd) == 0 ? absl::OkStatus() : Error(path, errno);
}

}  // namespace

absl::StatusOr<std::string> ReadText(const std::string& path, std::istream& in) {
  std::ifstream file;
  if (path != "-") {
    errno = 0;
    file.open(path, std::ios::binary);
    if (!file) return Error(path, errno == 0 ? EIO : errno);
  }
  std::istream& source = path == "-" ? in : file;
  std::string text(control::kConfigBytesMax + 1, '\0');
  errno = 0;
  source.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (source.bad()) return Error(path, errno == 0 ? EIO : errno);
  text.resize(static_cast<size_t>(source.gcount()));
  if (text.size() > control::kConfigBytesMax) {
    return absl::InvalidArgumentError(
        Cat(path, ": longer than ", control::kConfigBytesMax, " bytes"));
  }
  return text;
}

absl::Status WriteText(const std::string& path, const std::string& text) {
  std::string beside = path + ".XXXXXX";
  const control::UniqueFd fd(::mkstemp(beside.data()));
  if (!fd) return Error(path, errno);
  struct stat present {};
  const bool replaces = ::stat(path.c_str(), &present) == 0;
  absl::Status status = WriteAll(fd.get(), text, path);
  if (status.ok() && ::fchmod(fd.get(), replaces ? present.st_mode & 07777 : 0640) != 0) {
    status = Error(path, errno);
  }
  if (status.ok() && ::rename(beside.c_str(), path.c_str()) != 0) status = Error(path, errno);
  if (!status.ok()) ::unlink(beside.c_str());
  return status;
}

admin::v1::CheckResult CheckFile(const std::string& path, std::istream& in) {
  admin::v1::CheckResult result;
  const auto text = ReadText(path, in);
  if (!text.ok()) {
    result.add_error(std::string(text.status().message()));
    return result;
  }
  const auto document = control::LoadConfigText(*text, path);
  if (!document.ok()) {
    for (const auto line : absl::StrSplit(document.status().message(), '\n', absl::SkipEmpty())) {
      result.add_error(std::string(line));
    }
    return result;
  }
  result.set_valid(true);
  for (const std::string& note : document->notes()) {
    result.add_note(note);
  }
  return result;
}

}  // namespace tandem::tandemctl
