// SPDX-License-Identifier: Apache-2.0
//
// Frames between a worker and the mirror lcore: one ring each way and worker, single producer,
// single consumer, without copying. The producer fills the next free slot where it lies; the consumer
// reads it there. Bodies are in the clear: sealing and opening is the mirror lcore's work.
//
// Thread safety: one producer thread and one consumer thread a ring.
#pragma once

#include <array>
#include <atomic>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/base/limits.h"
#include "dataplane/config/ids.h"
#include "dataplane/mirror/frame.h"

namespace tandem::mirror {

inline constexpr size_t kBodyMax = kMirrorMtuMax;

// What a slot of a ring is about.
enum class Cargo : uint8_t {
  kFrame,  // header and body of a frame
  // To a worker: the group's streams begin in a new session (SessionTerms), or end. kOpenSender with
  // the session that is open already changes body_max only: numbering goes on.
  kOpenSender,
  kOpenReceiver,
  kCloseSender,    // the peer is another one, or not wanted any more
  kCloseReceiver,  // discard: true when the shadow is to be emptied
};

struct SessionTerms {
  config::PeerIndex peer = 0;
  uint32_t session = 0;
  uint32_t epoch = 0;
  uint16_t body_max = 0;   // bytes of a frame's body that fit the path
  bool flows = true;       // false: platforms differ, persistence only
  bool discard = false;    // kCloseReceiver
  uint8_t wire_group = 0;  // the group's number at the writer
  // Group 0 (persistence): how many streams the records are spread over, by bucket modulo streams.
  // Workers above it get no session.
  uint8_t streams = 0;
  // Group 0, a receiver's: groups that the peer was active for when the session began, by this device's
  // numbers. It has all of their records.
  std::bitset<kTrafficGroupsMax + 1> peers_groups;
};

struct FrameSlot {
  Cargo cargo = Cargo::kFrame;
  config::PeerIndex peer = 0;
  config::TrafficGroupId group = 0;  // this device's number
  uint16_t body_size = 0;
  FrameHeader header;
  SessionTerms terms;
  alignas(64) std::array<uint8_t, kBodyMax> body;
};

class FrameRing {
 public:
  FrameRing() : slots_(std::make_unique<FrameSlot[]>(kMirrorRingSize)) {}

  // Producer: the slot to fill, nullptr when the ring is full. Unchanged until Push.
  FrameSlot* Free() noexcept {
    const uint32_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) == kMirrorRingSize) return nullptr;
    return &slots_[tail % kMirrorRingSize];
  }
  void Push() noexcept {
    tail_.store(tail_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  // Consumer: the oldest slot, nullptr when the ring is empty. Its until Pop.
  FrameSlot* Front() noexcept {
    const uint32_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return nullptr;
    return &slots_[head % kMirrorRingSize];
  }
  void Pop() noexcept {
    head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  // Any thread: about how many are in it.
  uint32_t size() const noexcept {
    return tail_.load(std::memory_order_relaxed) - head_.load(std::memory_order_relaxed);
  }

 private:
  std::unique_ptr<FrameSlot[]> slots_;
  alignas(64) std::atomic<uint32_t> head_{0};
  alignas(64) std::atomic<uint32_t> tail_{0};
};

}  // namespace tandem::mirror
