// SPDX-License-Identifier: Apache-2.0
//
// An IP address and a port as the kernel's sockets have them.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>

#include "dataplane/base/ip_address.h"

namespace tandem::io {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);  // room for one that is received

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

inline SocketAddress ToSocket(const IpAddress& address, uint16_t port) {
  SocketAddress to;
  if (address.is_v4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(to.storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    v4.sin_addr.s_addr = address.v4();
    to.size = sizeof(v4);
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(to.storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, address.bytes().data(), sizeof(v6.sin6_addr));
    to.size = sizeof(v6);
  }
  return to;
}

// Unset when it is no address with that port.
inline IpAddress FromSocket(const SocketAddress& from, uint16_t port) {
  if (from.storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(from.storage);
    return v4.sin_port == htons(port) ? IpAddress::V4(v4.sin_addr.s_addr) : IpAddress();
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from.storage);
  return from.storage.ss_family == AF_INET6 && v6.sin6_port == htons(port)
             ? IpAddress::V6(v6.sin6_addr.s6_addr)
             : IpAddress();
}

}  // namespace tandem::io
