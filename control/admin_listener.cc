// SPDX-License-Identifier: Apache-2.0
#include "control/admin_listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include <absl/strings/str_cat.h>

namespace tandem::control {
namespace {

constexpr mode_t kMode = 0660;
constexpr int kBacklog = 64;

absl::Status ErrnoStatus(int error, const char* what, const std::string& path) {
  return absl::ErrnoToStatus(error, absl::StrCat("admin socket ", path, ": ", what));
}

absl::StatusOr<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("admin socket \"", path, "\": a path has 1 to ",
                                                   sizeof(address.sun_path) - 1, " characters"));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

const sockaddr* Generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

// Removes what a dead process left at `path`.
absl::Status ClearStale(const std::string& path, const sockaddr_un& address) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    return errno == ENOENT ? absl::OkStatus() : ErrnoStatus(errno, "cannot look at it", path);
  }
  if (!S_ISSOCK(status.st_mode)) {
    return absl::AlreadyExistsError(
        absl::StrCat("admin socket ", path, ": there is a file of that name, not a socket"));
  }
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(probe.get(), Generic(address), sizeof(address)) == 0 || errno != ECONNREFUSED) {
    return absl::AlreadyExistsError(
        absl::StrCat("admin socket ", path, ": another process listens on it"));
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return ErrnoStatus(errno, "cannot remove the stale socket", path);
  }
  return absl::OkStatus();
}

absl::Status MakeDirectory(const std::string& path) {
  const auto directory = std::filesystem::path(path).parent_path();
  if (directory.empty()) return absl::OkStatus();
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return ErrnoStatus(error.value(), "cannot make its directory", path);
  return absl::OkStatus();
}

}  // namespace

bool MayOperate(const PeerCredentials& peer, uid_t self, std::optional<gid_t> group) {
  if (peer.uid == 0 || peer.uid == self) return true;
  if (!group) return false;
  return peer.gid == *group || std::ranges::find(peer.groups, *group) != peer.groups.end();
}

std::optional<PeerCredentials> CredentialsOf(int fd) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  PeerCredentials credentials{.uid = peer.uid, .gid = peer.gid, .groups = {}};
  // The kernel's most: NGROUPS_MAX. When it does not say, only the primary group counts.
  credentials.groups.resize(65536);
  size = static_cast<socklen_t>(credentials.groups.size() * sizeof(gid_t));
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, credentials.groups.data(), &size) != 0) size = 0;
  credentials.groups.resize(size / sizeof(gid_t));
  return credentials;
}

absl::StatusOr<AdminListener> AdminListener::Create(const std::string& path,
                                                    std::optional<gid_t> group) {
  const auto address = AddressOf(path);
  if (!address.ok()) return address.status();
  if (const absl::Status status = MakeDirectory(path); !status.ok()) return status;
  if (const absl::Status status = ClearStale(path, *address); !status.ok()) return status;

  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return ErrnoStatus(errno, "cannot make a socket", path);
  // The file gets the socket's own mode (and not more than the umask lets through), so there is no
  // moment at which it is open to everybody.
  if (::fchmod(fd.get(), kMode) != 0) return ErrnoStatus(errno, "cannot set its mode", path);
  if (::bind(fd.get(), Generic(*address), sizeof(*address)) != 0) {
    return ErrnoStatus(errno, "cannot bind", path);
  }
  if (group && ::lchown(path.c_str(), static_cast<uid_t>(-1), *group) != 0) {
    return ErrnoStatus(errno, "cannot give it to its group", path);
  }
  if (::chmod(path.c_str(), kMode) != 0) return ErrnoStatus(errno, "cannot set its mode", path);
  if (::listen(fd.get(), kBacklog) != 0) return ErrnoStatus(errno, "cannot listen", path);

  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return ErrnoStatus(errno, "it has gone", path);
  return AdminListener(std::move(fd), path, status.st_ino);
}

AdminListener::~AdminListener() {
  if (!fd_) return;
  struct stat status {};
  if (::lstat(path_.c_str(), &status) == 0 && status.st_ino == inode_) ::unlink(path_.c_str());
}

}  // namespace tandem::control
