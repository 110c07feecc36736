// SPDX-License-Identifier: Apache-2.0
//
// What a worker's turn hands to its caller: packets to transmit, handles to free, and frames of our
// own to put into buffers and send. The caller carries all of it out before the next turn, and
// clears it. A packet that was held or handed off appears in none of them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/base/limits.h"
#include "dataplane/net/packet.h"

namespace tandem::pipeline {

struct OriginatedFrame {
  uint16_t port = 0;  // index into Snapshot::ports
  uint16_t length = 0;
  std::array<uint8_t, kOriginatedFrameMax> bytes = {};
};

class Output {
 public:
  // A turn handles at most kBurstMax received and kBurstMax handed-in packets, and lets at most
  // kReleasedMax go of those that waited for a neighbour, of those that waited for the peer, and of those
  // whose group is handed over.
  static constexpr size_t kReleasedMax = kBurstMax;
  static constexpr size_t kPacketsMax = 2 * kBurstMax + 3 * kReleasedMax;
  static constexpr size_t kOriginatedMax = 64;

  std::span<net::Packet> transmit() { return {transmit_.data(), transmit_count_}; }
  std::span<void* const> release() const { return {release_.data(), release_count_}; }
  std::span<const OriginatedFrame> originated() const {
    return {originated_.data(), originated_count_};
  }
  void Clear() { transmit_count_ = release_count_ = originated_count_ = 0; }

  // For the pipeline. `packet.port` is the port of departure.
  // What differs from `packet` is better written through the result: a copy right behind a write to
  // a part of its source waits for that write to reach the cache.
  net::Packet& Transmit(const net::Packet& packet) { return transmit_[transmit_count_++] = packet; }
  void Release(void* handle) { release_[release_count_++] = handle; }
  // The next free frame, or nullptr when there is none left this turn. Commit makes it part of the
  // output.
  OriginatedFrame* NextOriginated() {
    return originated_count_ < kOriginatedMax ? &originated_[originated_count_] : nullptr;
  }
  void CommitOriginated() { ++originated_count_; }

 private:
  size_t transmit_count_ = 0;
  size_t release_count_ = 0;
  size_t originated_count_ = 0;
  std::array<net::Packet, kPacketsMax> transmit_;
  std::array<void*, kPacketsMax> release_ = {};
  std::array<OriginatedFrame, kOriginatedMax> originated_;
};

}  // namespace tandem::pipeline
