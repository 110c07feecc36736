// SPDX-License-Identifier: Apache-2.0
//
// A UDP socket of the kernel's that never waits. What does not go at once is lost, as on any network.
//
// Thread safety: none. Receive and Send are system calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include <absl/status/statusor.h>

#include "dataplane/base/ip_address.h"
#include "dataplane/io/socket_address.h"

namespace tandem::io {

class UdpSocket {
 public:
  // Bound to `address`, which the kernel has. Port 0: one that is free.
  static absl::StatusOr<UdpSocket> Open(const IpAddress& address, uint16_t port);
  UdpSocket(UdpSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UdpSocket& operator=(UdpSocket&&) = delete;
  ~UdpSocket();

  // To wait on.
  int fd() const { return fd_; }

  struct Datagram {
    SocketAddress from;
    std::span<const uint8_t> bytes;  // in `room`, cut off at its end
  };
  // The next one; without bytes when something came that is none of use, such as an ICMP message about an
  // earlier one. nullopt: nothing waits.
  std::optional<Datagram> Receive(std::span<uint8_t> room) noexcept;
  void Send(std::span<const uint8_t> bytes, const SocketAddress& to) noexcept;

 private:
  explicit UdpSocket(int fd) : fd_(fd) {}

  int fd_;
};

}  // namespace tandem::io
