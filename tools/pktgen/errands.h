// SPDX-License-Identifier: Apache-2.0
//
// What clients have to send because of something that arrived or a timer that ran out: a bounded queue,
// served before new work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tandem::pktgen {

enum class Action : uint8_t { kAck, kLastAck, kSyn, kRequest, kRepeat, kFin };

struct Errand {
  uint32_t flow = 0;
  Action action = Action::kAck;
  uint8_t offset = 0;      // kRepeat: which of the requests under way
  uint8_t generation = 0;  // of the flow; an errand of an earlier connection is void
};

class Errands {
 public:
  // REQUIRES: `capacity` is a power of two.
  explicit Errands(uint32_t capacity) : ring_(capacity) {}

  [[nodiscard]] bool Push(const Errand& errand) noexcept {
    if (tail_ - head_ == ring_.size()) return false;
    ring_[tail_++ & (ring_.size() - 1)] = errand;
    return true;
  }
  // REQUIRES: !empty().
  Errand Pop() noexcept { return ring_[head_++ & (ring_.size() - 1)]; }
  bool empty() const { return head_ == tail_; }
  size_t size() const { return tail_ - head_; }

 private:
  std::vector<Errand> ring_;
  uint64_t head_ = 0;
  uint64_t tail_ = 0;
};

}  // namespace tandem::pktgen
