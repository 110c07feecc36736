// SPDX-License-Identifier: Apache-2.0
//
// Client and server side joined in the process: what one sends the other receives, the next time it is
// polled. No device, no EAL: for tests, and as the yardstick of the generator itself.
#pragma once

#include <cstdint>
#include <vector>

#include "tools/pktgen/wire.h"

namespace tandem::pktgen {

class LoopbackPair {
 public:
  static constexpr size_t kQueue = 1024;  // frames under way in each direction

  // `capacity`: bytes for a frame.
  explicit LoopbackPair(size_t capacity);

  Wire& client() { return client_; }
  Wire& server() { return server_; }

 private:
  struct Queue {
    std::vector<net::Packet> ring = std::vector<net::Packet>(kQueue);
    uint64_t head = 0;
    uint64_t tail = 0;
  };

  class End : public Wire {
   public:
    End(LoopbackPair& pair, Queue& out, Queue& in) : pair_(pair), out_(out), in_(in) {}
    size_t Receive(std::span<net::Packet> packets) noexcept override;
    size_t Allocate(std::span<net::Packet> packets) noexcept override;
    size_t Send(std::span<net::Packet> packets) noexcept override;
    void Release(std::span<net::Packet> packets) noexcept override;
    size_t Capacity() const override { return pair_.capacity_; }

   private:
    LoopbackPair& pair_;
    Queue& out_;
    Queue& in_;
  };

  size_t capacity_;
  std::vector<uint8_t> memory_;
  std::vector<uint8_t*> free_;
  Queue to_server_;
  Queue to_client_;
  End client_;
  End server_;
};

}  // namespace tandem::pktgen
