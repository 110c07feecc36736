// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/witness_socket.h"

namespace tandem::io {

absl::StatusOr<std::unique_ptr<WitnessSocket>> WitnessSocket::Open(const IpAddress& address,
                                                                   const IpAddress& witness,
                                                                   uint16_t port) {
  absl::StatusOr<UdpSocket> socket = UdpSocket::Open(address, 0);
  if (!socket.ok()) return socket.status();
  return std::unique_ptr<WitnessSocket>(new WitnessSocket(*std::move(socket), witness, port));
}

std::span<const uint8_t> WitnessSocket::Receive() noexcept {
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const auto came = socket_.Receive(buffer_);
    if (!came) break;
    if (!came->bytes.empty() && FromSocket(came->from, port_) == witness_) return came->bytes;
  }
  return {};
}

void WitnessSocket::Send(std::span<const uint8_t> datagram) noexcept {
  socket_.Send(datagram, to_);
}

}  // namespace tandem::io
