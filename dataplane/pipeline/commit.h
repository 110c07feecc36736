// SPDX-License-Identifier: Apache-2.0
//
// Output commit. Where a virtual server asks for it (mirror_commit), the first packet back from the
// server, a SYN-ACK as a rule, is held until the peer has acknowledged the flow: so a client that
// sees its connection established has it on the peer, and no crash of this device can lose it. The
// SYN goes to the server at once, so the peer has mostly answered by the time the server does.
//
// Packets are held before they changed anything; letting one go is processing it again. What the
// server sends on the flow meanwhile (data, FIN, RST) queues behind, in order.
//
// kBounded lets go after commit_timeout and when the queue is full; kStrict never does, and drops what
// does not fit (the ends repeat it). Without a peer, or with one that lags, both let go at once, and
// it is counted: availability comes first, and `show mirror` says so.
//
// Limits: kPacketsMax packets a worker. Thread safety: one worker.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/base/limits.h"
#include "dataplane/base/time.h"
#include "dataplane/flow/register.h"
#include "dataplane/flow/table.h"
#include "dataplane/net/packet.h"

namespace tandem::pipeline {

struct Context;
struct Work;

class CommitQueue {
 public:
  static constexpr size_t kPacketsMax = 4096;

  struct Entry {
    net::Packet packet;
    uint32_t slot = 0;
    bool is_ipv6 = false;
    flow::Birth birth = 0;
    Tick created = 0;  // the flow
    Nanos since = 0;
    uint32_t session = 0;  // the stream's, in which the peer is told of the flow; 0: in none yet
    // Once the slot was seen not dirty: every frame built by then had a lower number.
    uint64_t frames_below = 0;  // 0: dirty when last seen
    uint64_t lost_frames = 0;   // of the stream by then: what was lost was told again since
  };

  size_t size() const { return count_; }
  bool HasRoom() const { return count_ < kPacketsMax; }
  // Whether a packet of the slot is held.
  bool Holds(uint32_t slot, bool is_ipv6) const noexcept;
  void Add(const Entry& entry) noexcept;  // REQUIRES: HasRoom()

  // In order of arrival: takes out up to `budget` entries for which `may_go(Entry&)` is true, and hands
  // them to `go`. A packet never overtakes another of its flow.
  template <class MayGo, class Go>
  void Settle(size_t budget, MayGo&& may_go, Go&& go) noexcept {
    size_t kept = 0;
    ++settling_;
    for (size_t i = 0; i < count_; ++i) {
      Entry& entry = entries_[i];
      // What may not go keeps back what came behind it, even if that could: which of them are asked in a
      // turn, and what they were told when, is not the same for all.
      if (budget == 0 || IsBehind(entry, kept) || !may_go(entry)) {
        kept_in_[FilterOf(entry.slot, entry.is_ipv6)] = settling_;
        if (kept != i) entries_[kept] = entry;
        ++kept;
        continue;
      }
      --budget;
      --per_slot_[FilterOf(entry.slot, entry.is_ipv6)];
      go(entry);
    }
    count_ = kept;
  }

  template <class Take>
  void TakeAll(Take&& take) {
    Settle(
        count_, [](const Entry&) { return true; },
        [&take](const Entry& entry) { take(entry.packet); });
  }

 private:
  static constexpr size_t kFilterSize = 4096;
  static size_t FilterOf(uint32_t slot, bool is_ipv6) noexcept {
    return (slot * 2 + (is_ipv6 ? 1 : 0)) % kFilterSize;
  }

  // Whether one of the first `kept` packets is of the same flow.
  bool IsBehind(const Entry& entry, size_t kept) const noexcept {
    if (kept_in_[FilterOf(entry.slot, entry.is_ipv6)] != settling_) return false;
    for (size_t i = 0; i < kept; ++i) {
      if (entries_[i].slot == entry.slot && entries_[i].is_ipv6 == entry.is_ipv6) return true;
    }
    return false;
  }

  size_t count_ = 0;
  uint32_t settling_ = 0;                         // number of the Settle
  std::array<uint16_t, kFilterSize> per_slot_{};  // held packets of all slots that fall here
  std::array<uint32_t, kFilterSize> kept_in_{};   // the Settle in which one of them stayed last
  std::array<Entry, kPacketsMax> entries_;
};

// Whether the packet, a hit on a flow of ours, has to wait: then it is held, or dropped, and the
// caller is done with it. Established flows with nothing held never ask.
template <class Hot>
[[nodiscard]] bool HoldForCommit(Context& context, const Work& work, flow::FlowRef ref) noexcept;

// The packets that may go now, at most kBurstMax; the caller processes them: those that were waited for,
// which are not held again, and those whose flow is over meanwhile, like any other, for their keys may
// be another flow's by now.
struct Released {
  std::array<net::Packet, kBurstMax> committed;
  std::array<net::Packet, kBurstMax> orphaned;
  size_t committed_count = 0;
  size_t orphaned_count = 0;
};
void ReleaseCommitted(Context& context, Released& released) noexcept;

}  // namespace tandem::pipeline
