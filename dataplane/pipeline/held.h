// SPDX-License-Identifier: Apache-2.0
//
// A worker's packets that wait for a neighbour's MAC. They are held before they changed any flow, so
// letting one go is simply processing it again.
//
// Limits: kHeldPacketsMax in all; about kHeldPacketsPerNeighbourMax for one neighbour (counted by
// hash, so that a flood towards one silent address costs O(1) and leaves room for the others).
// Packets wait kPatienceTicks at most.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/base/limits.h"
#include "dataplane/base/time.h"
#include "dataplane/neighbour/table.h"
#include "dataplane/net/packet.h"

namespace tandem::pipeline {

class HeldPackets {
 public:
  static constexpr uint32_t kPatienceTicks = TicksIn(4 * kSecond);  // over three questions

  // False when there is no room.
  [[nodiscard]] bool Add(const net::Packet& packet, config::InterfaceId interface,
                         const IpAddress& address, Tick now) noexcept;

  // Hands out, in order of arrival, up to `budget` packets whose neighbour is settled:
  // `ready(packet)` when its MAC is known, `lost(packet)` when it failed or patience is at an end.
  template <class Ready, class Lost>
  void Settle(const neighbour::Table& neighbours, Tick now, size_t budget, Ready&& ready,
              Lost&& lost) noexcept {
    size_t kept = 0;
    for (size_t i = 0; i < count_; ++i) {
      const Entry entry = entries_[i];
      const Fate fate = budget > 0 ? FateOf(entry, neighbours, now) : Fate::kWait;
      if (fate == Fate::kWait) {
        entries_[kept++] = entry;
        continue;
      }
      --budget;
      --per_neighbour_[SlotOf(entry.interface, entry.address)];
      if (fate == Fate::kReady) {
        ready(entry.packet);
      } else {
        lost(entry.packet);
      }
    }
    count_ = kept;
  }

  // Empties it when the device stops.
  template <class Take>
  void TakeAll(Take&& take) {
    for (size_t i = 0; i < count_; ++i)
      take(entries_[i].packet);
    count_ = 0;
  }

  size_t size() const { return count_; }

 private:
  struct Entry {
    net::Packet packet;
    IpAddress address;
    config::InterfaceId interface = 0;
    Tick since = 0;
  };
  enum class Fate : uint8_t { kWait, kReady, kLost };

  static Fate FateOf(const Entry& entry, const neighbour::Table& neighbours, Tick now) noexcept;
  static size_t SlotOf(config::InterfaceId interface, const IpAddress& address) noexcept;

  size_t count_ = 0;
  std::array<Entry, kHeldPacketsMax> entries_;
  std::array<uint16_t, 1024> per_neighbour_{};
};

}  // namespace tandem::pipeline
