// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/side_socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "dataplane/io/socket_address.h"
#include "dataplane/mirror/frame.h"

namespace tandem::io {
namespace {

constexpr int kAttemptsMax = 8;

}  // namespace

absl::StatusOr<std::unique_ptr<SideSocket>> SideSocket::Open(const IpAddress& address,
                                                             std::span<const IpAddress> peers) {
  const int family = address.is_v4() ? AF_INET : AF_INET6;
  const int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::ErrnoToStatus(errno, "making a socket");
  std::unique_ptr<SideSocket> side(new SideSocket(fd, peers));
  const SocketAddress from = ToSocket(address, mirror::kControlPort);
  if (bind(fd, from.get(), from.size) != 0) {
    return absl::ErrnoToStatus(
        errno, absl::StrCat("binding to ", address.ToString(), " port ", mirror::kControlPort));
  }
  return side;
}

SideSocket::~SideSocket() {
  close(fd_);
}

mirror::SidePath::Frame SideSocket::Receive() noexcept {
  // Strangers' datagrams are passed over; an error may be an ICMP message about an earlier one.
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    SocketAddress from;
    const ssize_t size = recvfrom(fd_, buffer_.data(), buffer_.size(), 0, from.get(), &from.size);
    if (size < 0 && errno == EAGAIN) break;
    if (size <= 0) continue;
    const auto peer = std::ranges::find(peers_, FromSocket(from, mirror::kControlPort));
    if (peer == peers_.end()) continue;
    return {static_cast<config::PeerIndex>(peer - peers_.begin()),
            {buffer_.data(), static_cast<size_t>(size)}};
  }
  return {};
}

void SideSocket::Send(config::PeerIndex peer, std::span<const uint8_t> frame) noexcept {
  const SocketAddress to = ToSocket(peers_[peer], mirror::kControlPort);
  // The first one after an ICMP error reports that instead.
  if (sendto(fd_, frame.data(), frame.size(), 0, to.get(), to.size) < 0 && errno == ECONNREFUSED) {
    static_cast<void>(sendto(fd_, frame.data(), frame.size(), 0, to.get(), to.size));
  }
}

}  // namespace tandem::io
