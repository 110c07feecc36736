// SPDX-License-Identifier: Apache-2.0
//
// The admin socket's file: made, taken over from a dead process, protected, removed; and who may
// come in. The file's mode keeps strangers out; the peer's credentials, which the kernel vouches
// for, are checked all the same.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include "control/unique_fd.h"

namespace tandem::control {

struct PeerCredentials {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // supplementary
};

// Root, the user `self` that the daemon runs as, and members of `group` when there is one.
bool MayOperate(const PeerCredentials& peer, uid_t self, std::optional<gid_t> group);

// nullopt when the kernel does not say.
std::optional<PeerCredentials> CredentialsOf(int fd);

class AdminListener {
 public:
  // Makes the directory when it is missing, and the socket with mode 0660. A socket file that nobody
  // listens on is replaced; one that somebody does, or a file that is no socket, is an error.
  static absl::StatusOr<AdminListener> Create(const std::string& path, std::optional<gid_t> group);

  AdminListener(AdminListener&& other) noexcept = default;
  AdminListener& operator=(AdminListener&& other) = delete;
  ~AdminListener();  // removes the file, unless another has taken its place

  int fd() const { return fd_.get(); }

 private:
  AdminListener(UniqueFd fd, std::string path, ino_t inode)
      : fd_(std::move(fd)), path_(std::move(path)), inode_(inode) {}

  UniqueFd fd_;
  std::string path_;
  ino_t inode_;
};

}  // namespace tandem::control
