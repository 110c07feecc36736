// SPDX-License-Identifier: Apache-2.0
//
// IP address -> MAC on an interface, for both families, shared by all workers.
//
// Theory of operation. One owner (worker 0, through neighbour/resolver.h) adds, changes and removes
// entries; every worker reads without locks. An entry's MAC and state are one 64-bit word, so a
// reader never sees half of an update. A removed entry is unlinked at once but given to another
// address only after a grace period in which every worker finished the burst it was in, and its
// generation changes then, so that a NeighbourRef kept in a flow can tell.
//
// Limits: kNeighboursMax - 1 entries; when there is no room, Resolver refuses new ones and the
// packets are dropped with kNeighbourQueueFull.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "dataplane/base/ip_address.h"
#include "dataplane/base/limits.h"
#include "dataplane/base/mac_word.h"
#include "dataplane/base/time.h"
#include "dataplane/config/ids.h"
#include "dataplane/flow/neighbour_ref.h"

namespace tandem::neighbour {

enum class State : uint8_t {
  kFree = 0,
  kIncomplete,  // asked, not answered yet
  kFailed,      // did not answer; packets are dropped until the next try
  // Usable ones from here on.
  kReachable,
  kStale,  // older than the reachable time; probed while in use
};

constexpr bool IsUsable(State state) {
  return state >= State::kReachable;
}

// What a reader needs of an entry: the bytes of Table::Entry::word, so that reading it is one load
// and no shuffling.
struct View {
  MacAddress mac{};
  State state = State::kFree;
  uint8_t reserved = 0;
  bool usable() const { return IsUsable(state); }
};
static_assert(sizeof(View) == sizeof(uint64_t));

// Where packets to a neighbour go.
struct Way {
  MacWord mac = kNoMac;  // kNoMac: none can be sent there
  config::InterfaceId interface = 0;
};

// For `show arp`.
struct Info {
  IpAddress address;
  config::InterfaceId interface = 0;
  State state = State::kFree;
  MacAddress mac{};
  uint32_t age_ticks = 0;  // since it last answered
};

class Table {
 public:
  Table();

  // ---- any worker -----------------------------------------------------------------------------
  // The entry of `address` on `interface`; index 0 when there is none.
  flow::NeighbourRef Find(config::InterfaceId interface, const IpAddress& address) const noexcept;
  // kFree when the reference has outlived its entry.
  View Read(flow::NeighbourRef ref) const noexcept { return Unpack(ReadWord(ref)); }
  // For a packet that goes there now: Read and MarkUsed in one.
  Way Use(flow::NeighbourRef ref) noexcept {
    static_assert(offsetof(View, mac) == 0 && offsetof(View, state) == sizeof(MacAddress));
    constexpr uint64_t kFirstUsable = uint64_t{static_cast<uint8_t>(State::kReachable)} << 48;
    Entry& entry = entries_[ref.index];
    if (entry.generation.load(std::memory_order_acquire) != ref.generation) return {};
    const uint64_t word = entry.word.load(std::memory_order_acquire);
    if (word < kFirstUsable) return {};
    MarkUsed(entry);
    return {word & kMacWordMask, entry.interface.load(std::memory_order_relaxed)};
  }
  // When it last answered.
  Tick ConfirmedAt(flow::NeighbourRef ref) const noexcept {
    return entries_[ref.index].confirmed.load(std::memory_order_relaxed);
  }
  // Says that the entry is in use, so that it is kept fresh. One shared write a reachable period.
  void MarkUsed(flow::NeighbourRef ref) noexcept { MarkUsed(entries_[ref.index]); }

  // ---- any thread -----------------------------------------------------------------------------
  // A copy for display; entries that change meanwhile may be missing or old, never torn.
  std::vector<Info> List(Tick now) const;

  // ---- the owner ------------------------------------------------------------------------------
  struct alignas(64) Entry {
    std::atomic<uint64_t> word{0};  // a View
    std::atomic<uint16_t> generation{1};
    std::atomic<uint16_t> next{0};  // in the hash chain; 0 ends it
    std::atomic<config::InterfaceId> interface { 0 };
    std::atomic<bool> used{false};
    std::array<std::atomic<uint64_t>, 2> address{};  // the bytes of IpAddress
    std::atomic<Tick> confirmed{0};                  // when it last answered
    Tick next_action = 0;                            // owner's: next probe, expiry
    uint8_t probes = 0;                              // owner's: sent without an answer
  };

  // nullptr when there is no room.
  Entry* Add(config::InterfaceId interface, const IpAddress& address) noexcept;
  // Unlinks; the index becomes free for Add after Recycle.
  void Remove(uint16_t index) noexcept;
  void Recycle(uint16_t index) noexcept;
  void Set(Entry& entry, State state, const MacAddress& mac) noexcept;
  Entry& entry(uint16_t index) { return entries_[index]; }
  uint16_t IndexOf(const Entry& entry) const {
    return static_cast<uint16_t>(&entry - entries_.get());
  }
  uint32_t high_water() const { return high_water_.load(std::memory_order_acquire); }

  static View Unpack(uint64_t word) noexcept { return std::bit_cast<View>(word); }
  IpAddress AddressOf(const Entry& entry) const noexcept;

 private:
  static constexpr size_t kBuckets = kNeighboursMax;

  static void MarkUsed(Entry& entry) noexcept {
    if (!entry.used.load(std::memory_order_relaxed))
      entry.used.store(true, std::memory_order_relaxed);
  }
  // A View; that of a free entry is all zeros.
  uint64_t ReadWord(flow::NeighbourRef ref) const noexcept {
    const Entry& entry = entries_[ref.index];
    if (entry.generation.load(std::memory_order_acquire) != ref.generation) return 0;
    return entry.word.load(std::memory_order_acquire);
  }
  size_t BucketOf(config::InterfaceId interface, const IpAddress& address) const noexcept;

  std::unique_ptr<Entry[]> entries_;  // [0] is never used
  std::unique_ptr<std::atomic<uint16_t>[]> buckets_;
  std::vector<uint16_t> free_;  // owner's, reserved up front
  std::atomic<uint32_t> high_water_{1};
};

}  // namespace tandem::neighbour
