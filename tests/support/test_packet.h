// SPDX-License-Identifier: Apache-2.0
//
// A frame in a heap buffer of its own, seen as a net::Packet with headroom in front. The buffer ends
// exactly where the readable bytes end, so that a sanitizer catches a read beyond them.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "dataplane/net/packet.h"

namespace tandem::test {

class TestPacket {
 public:
  static constexpr uint16_t kHeadroom = 128;

  explicit TestPacket(const std::vector<uint8_t>& frame, uint16_t headroom = kHeadroom)
      : TestPacket(frame, headroom, frame.size()) {}

  // Like a chained mbuf: only the first `contiguous` bytes of `frame` are there.
  static TestPacket Split(const std::vector<uint8_t>& frame, size_t contiguous,
                          uint16_t headroom = kHeadroom) {
    return TestPacket(frame, headroom, contiguous);
  }

  net::Packet& packet() { return packet_; }
  const net::Packet& packet() const { return packet_; }

  // The frame as it is now, wherever `packet().data` has moved.
  std::vector<uint8_t> bytes() const {
    return std::vector<uint8_t>(packet_.data, packet_.data + packet_.contiguous);
  }

 private:
  TestPacket(const std::vector<uint8_t>& frame, uint16_t headroom, size_t contiguous)
      : buffer_(new uint8_t[headroom + contiguous]) {
    std::memset(buffer_.get(), 0xee, headroom);
    if (contiguous > 0) std::memcpy(buffer_.get() + headroom, frame.data(), contiguous);
    packet_.data = buffer_.get() + headroom;
    packet_.handle = buffer_.get();
    packet_.length = static_cast<uint32_t>(frame.size());
    packet_.contiguous = static_cast<uint32_t>(contiguous);
    packet_.headroom = headroom;
  }

  std::unique_ptr<uint8_t[]> buffer_;
  net::Packet packet_;
};

}  // namespace tandem::test
