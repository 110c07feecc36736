// SPDX-License-Identifier: Apache-2.0
//
// The way to the peer over the kernel's network, the management network of an appliance: one UDP socket,
// for Hellos and heartbeats (mirror::SidePath). What does not go at once is lost, as on any network.
//
// Thread safety: Open by control; Receive and Send by the mirror lcore. Both are a system call.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include <absl/status/statusor.h>

#include "dataplane/base/ip_address.h"
#include "dataplane/mirror/endpoint.h"

namespace tandem::io {

class SideSocket final : public mirror::SidePath {
 public:
  // From port 1028 of `address`, which the kernel has, to port 1028 of `peer`; of one family.
  static absl::StatusOr<std::unique_ptr<SideSocket>> Open(const IpAddress& address,
                                                          const IpAddress& peer);
  ~SideSocket() override;

  std::span<const uint8_t> Receive() noexcept override;
  void Send(std::span<const uint8_t> frame) noexcept override;

 private:
  explicit SideSocket(int fd) : fd_(fd) {}

  const int fd_;
  std::array<uint8_t, 2048> buffer_{};
};

}  // namespace tandem::io
