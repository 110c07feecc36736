// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/side_socket.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "dataplane/mirror/frame.h"

namespace tandem::io {
namespace {

constexpr int kAttemptsMax = 8;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
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

// Unset when it is no address with the port of the devices.
IpAddress FromSocket(const SocketAddress& from) {
  if (from.storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(from.storage);
    return v4.sin_port == htons(mirror::kControlPort) ? IpAddress::V4(v4.sin_addr.s_addr)
                                                      : IpAddress();
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from.storage);
  return from.storage.ss_family == AF_INET6 && v6.sin6_port == htons(mirror::kControlPort)
             ? IpAddress::V6(v6.sin6_addr.s6_addr)
             : IpAddress();
}

}  // namespace

absl::StatusOr<std::unique_ptr<SideSocket>> SideSocket::Open(const IpAddress& address,
                                                             std::span<const IpAddress> peers) {
  const int family = address.is_v4() ? AF_INET : AF_INET6;
  const int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::ErrnoToStatus(errno, "making a socket");
  std::unique_ptr<SideSocket> side(new SideSocket(fd, peers));
  const SocketAddress from = ToSocket(address);
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
    from.size = sizeof(from.storage);
    const ssize_t size = recvfrom(fd_, buffer_.data(), buffer_.size(), 0, from.get(), &from.size);
    if (size < 0 && errno == EAGAIN) break;
    if (size <= 0) continue;
    const auto peer = std::ranges::find(peers_, FromSocket(from));
    if (peer == peers_.end()) continue;
    return {static_cast<config::PeerIndex>(peer - peers_.begin()),
            {buffer_.data(), static_cast<size_t>(size)}};
  }
  return {};
}

void SideSocket::Send(config::PeerIndex peer, std::span<const uint8_t> frame) noexcept {
  const SocketAddress to = ToSocket(peers_[peer]);
  // The first one after an ICMP error reports that instead.
  if (sendto(fd_, frame.data(), frame.size(), 0, to.get(), to.size) < 0 && errno == ECONNREFUSED) {
    static_cast<void>(sendto(fd_, frame.data(), frame.size(), 0, to.get(), to.size));
  }
}

}  // namespace tandem::io
