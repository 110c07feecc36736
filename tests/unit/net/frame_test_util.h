// SPDX-License-Identifier: Apache-2.0
//
// Calls a frame builder with a buffer of exactly the promised size and parses what it wrote.
#pragma once

#include <array>
#include <catch2/catch.hpp>
#include <utility>

#include "dataplane/net/frame.h"
#include "tests/support/frame_check.h"
#include "tests/support/packet_builder.h"

namespace tandem::test {

inline const net::LinkHeader kLink{Mac("02:00:00:00:00:02"), Mac("02:00:00:00:00:01"),
                                   net::kUntagged};
inline const net::LinkHeader kTaggedLink{Mac("02:00:00:00:00:02"), Mac("02:00:00:00:00:01"), 10};

inline net::Parsed ParsedOf(const TestPacket& packet) {
  net::Parsed parsed;
  net::Parse(packet.packet(), parsed);
  return parsed;
}

// The frame that `build(buffer)` writes; empty when it declines.
template <typename Build>
Bytes Written(Build build) {
  const auto buffer = std::make_unique<std::array<uint8_t, kOriginatedFrameMax>>();
  buffer->fill(0xee);
  const size_t size = build(net::FrameBuffer(*buffer));
  REQUIRE(size <= kOriginatedFrameMax);
  const Bytes frame(buffer->data(), buffer->data() + size);
  if (size > 0) {
    CHECK(size >= kFrameMin);
    CHECK(Complaint(frame) == "");
  }
  return frame;
}

inline uint32_t Field32(const Bytes& frame, size_t offset) {
  return static_cast<uint32_t>(frame[offset]) << 24 |
         static_cast<uint32_t>(frame[offset + 1]) << 16 |
         static_cast<uint32_t>(frame[offset + 2]) << 8 | frame[offset + 3];
}

}  // namespace tandem::test
