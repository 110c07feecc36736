// SPDX-License-Identifier: Apache-2.0
//
// One side's port as the loop sees it: frames in bursts, each owned by the loop from Receive or Allocate
// to Send or Release.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/net/packet.h"

namespace tandem::pktgen {

class Wire {
 public:
  virtual ~Wire() = default;

  // Each returns how many, from the first on. Every frame has room for Capacity() bytes at its data.
  virtual size_t Receive(std::span<net::Packet> packets) noexcept = 0;
  virtual size_t Allocate(std::span<net::Packet> packets) noexcept = 0;
  // Takes the first few; the others stay the caller's.
  virtual size_t Send(std::span<net::Packet> packets) noexcept = 0;
  virtual void Release(std::span<net::Packet> packets) noexcept = 0;
  virtual size_t Capacity() const = 0;
  // How many frames Receive had to drop so far, since they did not fit into one buffer.
  virtual uint64_t unusable() const { return 0; }
};

}  // namespace tandem::pktgen
