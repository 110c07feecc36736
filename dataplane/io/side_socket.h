// SPDX-License-Identifier: Apache-2.0
//
// The way to the peers over the kernel's network, the management network of an appliance: one UDP socket,
// for Hellos and heartbeats (mirror::SidePath).
//
// Thread safety: Open by control; Receive and Send by the mirror lcore. Both are a system call.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>

#include "dataplane/base/ip_address.h"
#include "dataplane/io/udp_socket.h"
#include "dataplane/mirror/side_path.h"

namespace tandem::io {

class SideSocket final : public mirror::SidePath {
 public:
  // From port 1028 of `address`, which the kernel has, to port 1028 of each of `peers`, by their index; all
  // of one family.
  static absl::StatusOr<std::unique_ptr<SideSocket>> Open(const IpAddress& address,
                                                          std::span<const IpAddress> peers);
  Frame Receive() noexcept override;
  void Send(config::PeerIndex peer, std::span<const uint8_t> frame) noexcept override;

 private:
  SideSocket(UdpSocket socket, std::span<const IpAddress> peers)
      : socket_(std::move(socket)), peers_(peers.begin(), peers.end()) {}

  UdpSocket socket_;
  const std::vector<IpAddress> peers_;
  std::array<uint8_t, 2048> buffer_{};
};

}  // namespace tandem::io
