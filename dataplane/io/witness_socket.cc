// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/witness_socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

namespace tandem::io {

absl::StatusOr<std::unique_ptr<WitnessSocket>> WitnessSocket::Open(const IpAddress& address,
                                                                   const IpAddress& witness,
                                                                   uint16_t port) {
  const int family = address.is_v4() ? AF_INET : AF_INET6;
  const int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::ErrnoToStatus(errno, "making a socket");
  std::unique_ptr<WitnessSocket> made(new WitnessSocket(fd, witness, port));
  const SocketAddress from = ToSocket(address, 0);
  if (bind(fd, from.get(), from.size) != 0)
    return absl::ErrnoToStatus(errno, absl::StrCat("binding to ", address.ToString()));
  return made;
}

WitnessSocket::~WitnessSocket() {
  close(fd_);
}

std::span<const uint8_t> WitnessSocket::Receive() noexcept {
  // Strangers' datagrams are passed over; an error may be an ICMP message about an earlier one.
  for (int attempt = 0; attempt < kStrangersMax; ++attempt) {
    SocketAddress from;
    const ssize_t size = recvfrom(fd_, buffer_.data(), buffer_.size(), 0, from.get(), &from.size);
    if (size < 0 && errno == EAGAIN) break;
    if (size <= 0 || FromSocket(from, port_) != witness_) continue;
    return {buffer_.data(), static_cast<size_t>(size)};
  }
  return {};
}

void WitnessSocket::Send(std::span<const uint8_t> datagram) noexcept {
  // The first one after an ICMP error reports that instead.
  if (sendto(fd_, datagram.data(), datagram.size(), 0, to_.get(), to_.size) < 0 &&
      errno == ECONNREFUSED) {
    static_cast<void>(sendto(fd_, datagram.data(), datagram.size(), 0, to_.get(), to_.size));
  }
}

}  // namespace tandem::io
