// SPDX-License-Identifier: Apache-2.0
#include "control/mirroring_key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include <absl/strings/ascii.h>

#include "control/text.h"
#include "control/unique_fd.h"

namespace tandem::control {
namespace {

constexpr size_t kFileBytesMax = 256;

std::optional<unsigned> DigitOf(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

std::string_view WhyNotTrusted(const struct stat& file) {
  if (!S_ISREG(file.st_mode)) return "not a regular file";
  if (file.st_uid != 0 && file.st_uid != geteuid()) {
    return "belongs neither to root nor to the user that this process runs as";
  }
  if ((file.st_mode & 077) != 0) return "others than its owner may read or write it; chmod 600";
  return "";
}

}  // namespace

std::optional<MirroringKey> ParseMirroringKey(std::string_view text) {
  MirroringKey key{};
  if (text.size() != 2 * key.size()) return std::nullopt;
  for (size_t i = 0; i < key.size(); ++i) {
    const auto high = DigitOf(text[2 * i]);
    const auto low = DigitOf(text[2 * i + 1]);
    if (!high || !low) return std::nullopt;
    key[i] = static_cast<uint8_t>(*high << 4 | *low);
  }
  return key;
}

absl::StatusOr<MirroringKey> ReadMirroringKey(std::string_view option, const std::string& path) {
  const std::string where = Cat(option, ": '", path, "': ");
  // Opening a pipe would wait for its writer.
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return absl::ErrnoToStatus(errno, where);
  struct stat file {};
  if (fstat(fd.get(), &file) != 0) return absl::ErrnoToStatus(errno, where);
  const std::string_view why_not = WhyNotTrusted(file);
  if (!why_not.empty()) return absl::FailedPreconditionError(Cat(where, why_not));
  std::array<char, kFileBytesMax + 1> text{};
  const ssize_t size = read(fd.get(), text.data(), text.size());
  if (size < 0) return absl::ErrnoToStatus(errno, where);
  const std::string_view digits(text.data(), static_cast<size_t>(size));
  const auto key = ParseMirroringKey(
      digits.substr(0, absl::StripTrailingAsciiWhitespace(ToAbsl(digits)).size()));
  if (!key) return absl::InvalidArgumentError(Cat(where, "not 64 hexadecimal digits"));
  return *key;
}

}  // namespace tandem::control
