// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/side_socket.h"

#include <algorithm>

#include "dataplane/mirror/frame.h"

namespace tandem::io {
namespace {

constexpr int kAttemptsMax = 8;  // strangers' datagrams are passed over

}  // namespace

absl::StatusOr<std::unique_ptr<SideSocket>> SideSocket::Open(const IpAddress& address,
                                                             std::span<const IpAddress> peers) {
  absl::StatusOr<UdpSocket> socket = UdpSocket::Open(address, mirror::kControlPort);
  if (!socket.ok()) return socket.status();
  return std::unique_ptr<SideSocket>(new SideSocket(*std::move(socket), peers));
}

mirror::SidePath::Frame SideSocket::Receive() noexcept {
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const auto came = socket_.Receive(buffer_);
    if (!came) break;
    const auto peer = std::ranges::find(peers_, FromSocket(came->from, mirror::kControlPort));
    if (came->bytes.empty() || peer == peers_.end()) continue;
    return {static_cast<config::PeerIndex>(peer - peers_.begin()), came->bytes};
  }
  return {};
}

void SideSocket::Send(config::PeerIndex peer, std::span<const uint8_t> frame) noexcept {
  socket_.Send(frame, ToSocket(peers_[peer], mirror::kControlPort));
}

}  // namespace tandem::io
