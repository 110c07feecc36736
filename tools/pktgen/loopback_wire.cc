// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/loopback_wire.h"

#include <algorithm>

namespace tandem::pktgen {
namespace {

// Both queues full, and what the loop may hold besides.
constexpr size_t kBuffers = 2 * LoopbackPair::kQueue + 512;

}  // namespace

LoopbackPair::LoopbackPair(size_t capacity)
    : capacity_((capacity + 63) / 64 * 64),
      memory_(kBuffers * capacity_),
      client_(*this, to_server_, to_client_),
      server_(*this, to_client_, to_server_) {
  for (size_t i = 0; i < kBuffers; ++i) {
    free_.push_back(memory_.data() + i * capacity_);
  }
}

size_t LoopbackPair::End::Receive(std::span<net::Packet> packets) noexcept {
  const size_t count = std::min<size_t>(packets.size(), in_.tail - in_.head);
  for (size_t i = 0; i < count; ++i) {
    packets[i] = in_.ring[in_.head++ % kQueue];
  }
  return count;
}

size_t LoopbackPair::End::Allocate(std::span<net::Packet> packets) noexcept {
  const size_t count = std::min(packets.size(), pair_.free_.size());
  for (size_t i = 0; i < count; ++i) {
    packets[i] = net::Packet();
    packets[i].data = pair_.free_.back();
    pair_.free_.pop_back();
  }
  return count;
}

size_t LoopbackPair::End::Send(std::span<net::Packet> packets) noexcept {
  const size_t count = std::min<size_t>(packets.size(), kQueue - (out_.tail - out_.head));
  for (size_t i = 0; i < count; ++i) {
    out_.ring[out_.tail++ % kQueue] = packets[i];
  }
  return count;
}

void LoopbackPair::End::Release(std::span<net::Packet> packets) noexcept {
  for (const net::Packet& packet : packets) {
    pair_.free_.push_back(packet.data);  // there is room: it has held all of them
  }
}

}  // namespace tandem::pktgen
