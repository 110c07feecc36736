// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/side_socket.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "dataplane/mirror/frame.h"

namespace tandem::io {
namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress ToSocket(const IpAddress& address) {
  SocketAddress to;
  if (address.is_v4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(to.storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(mirror::kControlPort);
    v4.sin_addr.s_addr = address.v4();
    to.size = sizeof(v4);
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(to.storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(mirror::kControlPort);
    std::memcpy(&v6.sin6_addr, address.bytes().data(), sizeof(v6.sin6_addr));
    to.size = sizeof(v6);
  }
  return to;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SideSocket>> SideSocket::Open(const IpAddress& address,
                                                             const IpAddress& peer) {
  const int family = address.is_v4() ? AF_INET : AF_INET6;
  const int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::ErrnoToStatus(errno, "making a socket");
  std::unique_ptr<SideSocket> side(new SideSocket(fd));
  const SocketAddress from = ToSocket(address);
  if (bind(fd, from.get(), from.size) != 0) {
    return absl::ErrnoToStatus(
        errno, absl::StrCat("binding to ", address.ToString(), " port ", mirror::kControlPort));
  }
  // Others' datagrams are the kernel's to drop.
  const SocketAddress to = ToSocket(peer);
  if (connect(fd, to.get(), to.size) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("finding a way to ", peer.ToString()));
  }
  return side;
}

SideSocket::~SideSocket() {
  close(fd_);
}

std::span<const uint8_t> SideSocket::Receive() noexcept {
  // An error may be an ICMP message about an earlier datagram: one attempt more.
  for (int attempt = 0; attempt < 2; ++attempt) {
    const ssize_t size = recv(fd_, buffer_.data(), buffer_.size(), 0);
    if (size > 0) return {buffer_.data(), static_cast<size_t>(size)};
    if (size < 0 && errno == EAGAIN) break;
  }
  return {};
}

void SideSocket::Send(std::span<const uint8_t> frame) noexcept {
  // The first one after an ICMP error reports that instead.
  if (send(fd_, frame.data(), frame.size(), 0) < 0 && errno == ECONNREFUSED) {
    static_cast<void>(send(fd_, frame.data(), frame.size(), 0));
  }
}

}  // namespace tandem::io
