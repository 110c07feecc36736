// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/kernel_link.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace tandem::io {

KernelLink::KernelLink(std::string interface) : interface_(std::move(interface)) {
  if (!interface_.empty()) socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

KernelLink::~KernelLink() {
  if (socket_ >= 0) close(socket_);
}

bool KernelLink::IsUp() const noexcept {
  if (socket_ < 0) return true;
  ifreq request{};
  std::copy_n(interface_.data(), std::min(interface_.size(), sizeof(request.ifr_name) - 1),
              request.ifr_name);
  if (ioctl(socket_, SIOCGIFFLAGS, &request) != 0) return false;
  const int flags = request.ifr_flags;
  return (flags & IFF_UP) != 0 && (flags & IFF_RUNNING) != 0;
}

}  // namespace tandem::io
