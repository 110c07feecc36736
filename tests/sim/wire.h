// SPDX-License-Identifier: Apache-2.0
//
// One direction of a link, with everything that a bad network does. What is sent now comes out later,
// perhaps: lost, twice, out of order, cut, with bits turned, or not at all while it is cut off or
// larger than what still passes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "dataplane/base/time.h"
#include "tests/sim/chance.h"

namespace tandem::sim {

struct WireFaults {
  uint32_t loss_percent = 0;
  uint32_t duplicate_percent = 0;
  uint32_t damage_permille = 0;  // truncation or bit flips
  Nanos delay = 5'000;
  Nanos jitter = 0;  // up to; what it overtakes comes out of order
  bool cut = false;
  size_t size_max = SIZE_MAX;  // larger ones vanish
};

// Of the fault-free link everything begins and ends with.
inline constexpr WireFaults kGoodWire = {};

struct WireTotals {
  uint64_t sent = 0;
  uint64_t lost = 0;
  uint64_t duplicated = 0;
  uint64_t damaged = 0;
};

// Parcel: copyable. SizeOf(parcel) and Damage(parcel, chance) are looked up beside it; Damage returns
// false when a damaged parcel is as good as lost.
template <class Parcel>
class Wire {
 public:
  explicit Wire(Chance& chance) : chance_(chance) {}

  WireFaults faults;

  void Send(Parcel parcel, Nanos now) {
    ++totals_.sent;
    if (faults.cut || SizeOf(parcel) > faults.size_max || chance_.Percent(faults.loss_percent)) {
      ++totals_.lost;
      return;
    }
    if (chance_.Percent(faults.duplicate_percent)) {
      ++totals_.duplicated;
      Carry(parcel, now);
    }
    if (chance_.Below(1000) < faults.damage_permille) {
      ++totals_.damaged;
      if (!Damage(parcel, chance_)) return;
    }
    Carry(std::move(parcel), now);
  }

  // The next one that has arrived.
  std::optional<Parcel> Receive(Nanos now) {
    const auto first = carried_.begin();
    if (first == carried_.end() || first->first.first > now) return std::nullopt;
    Parcel parcel = std::move(first->second);
    carried_.erase(first);
    return parcel;
  }

  // When the next arrives; no value: nothing is under way.
  std::optional<Nanos> NextArrival() const {
    if (carried_.empty()) return std::nullopt;
    return carried_.begin()->first.first;
  }
  size_t under_way() const { return carried_.size(); }
  void Clear() { carried_.clear(); }
  const WireTotals& totals() const { return totals_; }

 private:
  void Carry(Parcel parcel, Nanos now) {
    const Nanos at = now + faults.delay + (faults.jitter == 0 ? 0 : chance_.Span(0, faults.jitter));
    carried_.emplace(std::pair(at, ++order_), std::move(parcel));
  }

  Chance& chance_;
  std::map<std::pair<Nanos, uint64_t>, Parcel> carried_;  // by arrival, then by order of sending
  uint64_t order_ = 0;
  WireTotals totals_;
};

// A new kind of weather: every fault in some runs, several at once in a few, none in others.
WireFaults RandomFaults(Chance& chance);

}  // namespace tandem::sim
