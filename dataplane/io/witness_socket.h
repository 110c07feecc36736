// SPDX-License-Identifier: Apache-2.0
//
// The way to the witness over the kernel's network (witness::Path): one UDP socket.
//
// Thread safety: Open by control; Receive and Send by the mirror lcore. Both are a system call.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include <absl/status/statusor.h>

#include "dataplane/base/ip_address.h"
#include "dataplane/io/udp_socket.h"
#include "dataplane/witness/link.h"

namespace tandem::io {

class WitnessSocket final : public witness::Path {
 public:
  // From a port of `address`, which the kernel has, to the witness's; both of one family.
  static absl::StatusOr<std::unique_ptr<WitnessSocket>> Open(const IpAddress& address,
                                                             const IpAddress& witness,
                                                             uint16_t port);
  std::span<const uint8_t> Receive() noexcept override;
  void Send(std::span<const uint8_t> datagram) noexcept override;

 private:
  static constexpr int kAttemptsMax = 8;  // strangers' datagrams are passed over

  WitnessSocket(UdpSocket socket, const IpAddress& witness, uint16_t port)
      : socket_(std::move(socket)), witness_(witness), port_(port), to_(ToSocket(witness, port)) {}

  UdpSocket socket_;
  const IpAddress witness_;
  const uint16_t port_;
  const SocketAddress to_;
  // One more than there can be: what is longer is seen to be.
  std::array<uint8_t, witness::kDatagramSize + 1> buffer_{};
};

}  // namespace tandem::io
