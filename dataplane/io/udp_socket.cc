// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/udp_socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

namespace tandem::io {

absl::StatusOr<UdpSocket> UdpSocket::Open(const IpAddress& address, uint16_t port) {
  const int family = address.is_v4() ? AF_INET : AF_INET6;
  UdpSocket made(socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (made.fd_ < 0) return absl::ErrnoToStatus(errno, "making a socket");
  const SocketAddress at = ToSocket(address, port);
  if (bind(made.fd_, at.get(), at.size) == 0) return made;
  const int error = errno;
  std::string what = absl::StrCat("binding to ", address.ToString());
  if (port != 0) absl::StrAppend(&what, " port ", port);
  return absl::ErrnoToStatus(error, what);
}

UdpSocket::~UdpSocket() {
  if (fd_ >= 0) close(fd_);
}

std::optional<UdpSocket::Datagram> UdpSocket::Receive(std::span<uint8_t> room) noexcept {
  Datagram datagram;
  const ssize_t size =
      recvfrom(fd_, room.data(), room.size(), 0, datagram.from.get(), &datagram.from.size);
  if (size < 0 && errno == EAGAIN) return std::nullopt;
  if (size > 0) datagram.bytes = room.first(static_cast<size_t>(size));
  return datagram;
}

void UdpSocket::Send(std::span<const uint8_t> bytes, const SocketAddress& to) noexcept {
  // The first one after an ICMP error reports that instead.
  if (sendto(fd_, bytes.data(), bytes.size(), 0, to.get(), to.size) < 0 && errno == ECONNREFUSED)
    static_cast<void>(sendto(fd_, bytes.data(), bytes.size(), 0, to.get(), to.size));
}

}  // namespace tandem::io
