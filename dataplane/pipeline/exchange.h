// SPDX-License-Identifier: Apache-2.0
//
// The rings between workers: packets on their way to the flow's owner, and neighbour news on its way
// to worker 0. One single-producer, single-consumer rte_ring for each ordered pair, so that no two
// workers ever write the same line.
//
// The mirror thread tells worker 0 something, too, as if it were one worker more.
//
// Limits: kHandoffRingSize packets and kMessageRingSize messages a pair; what does not fit is refused
// (packets: kHandoffFull; messages: asked again when the next packet misses the neighbour).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/neighbour/resolver.h"
#include "dataplane/net/packet.h"

struct rte_ring;

namespace tandem::pipeline {

inline constexpr size_t kMessageRingSize = 256;

class Exchange {
 public:
  explicit Exchange(unsigned workers);
  unsigned workers() const noexcept { return workers_; }
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Worker `from`. False when the ring is full.
  [[nodiscard]] bool HandOff(unsigned from, unsigned to, const net::Packet& packet) noexcept;
  // Worker `to`: up to packets.size() packets, fairly from all others. Returns how many.
  size_t Collect(unsigned to, std::span<net::Packet> packets) noexcept;

  // Worker `from` > 0, or the mirror thread as number workers(), to worker 0.
  [[nodiscard]] bool Tell(unsigned from, const neighbour::Message& message) noexcept;
  // Worker 0.
  size_t Hear(std::span<neighbour::Message> messages) noexcept;

 private:
  struct Ring;
  Ring& PacketRing(unsigned from, unsigned to) { return *packet_rings_[from * workers_ + to]; }

  unsigned workers_;
  std::vector<std::unique_ptr<Ring>> packet_rings_;
  std::vector<std::unique_ptr<Ring>> message_rings_;
  // Of each consumer: whose ring is looked at first. Written with every turn, so each on its own line.
  struct alignas(64) NextSource {
    unsigned from = 0;
  };
  std::vector<NextSource> next_source_;
};

}  // namespace tandem::pipeline
