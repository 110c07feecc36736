// SPDX-License-Identifier: Apache-2.0
//
// A traffic group on its way to another device (ha/README.md, "Planned switchover"), as a worker sees it.
//
// Frozen: packets that could change what is mirrored wait here; established connections go on, and the
// peer is told of handshakes that are under way (notes.h). When the switchover is called off, what waited
// is processed as if it came now.
//
// Handed over: for a while packets still come here, because switches and neighbours have not learned yet.
// They wait until the other device has announced one of the group's addresses on their VLAN, and are then
// sent there as they are, to the MAC address of that announcement, in the order in which they came. What
// would begin a flow is left out: the other device would take this one for the way back to the client;
// the client asks again.
//
// Limits: kHandOverMax packets a worker, what is beyond is dropped (`hand_over_full`); a packet waits
// while the group is frozen, and for an announcement until it is kPatience old.
//
// Thread safety: the worker's thread; Successors by all workers.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "dataplane/base/limits.h"
#include "dataplane/base/time.h"
#include "dataplane/config/ids.h"
#include "dataplane/flow/table.h"
#include "dataplane/net/packet.h"

namespace tandem::pipeline {

struct Context;
struct Work;

// By interface: where the device is that announced floating addresses last which this one gave up.
class Successors {
 public:
  void Learn(config::InterfaceId interface, const MacAddress& mac) noexcept;
  // False: nobody has announced there.
  bool Find(config::InterfaceId interface, MacAddress& mac) const noexcept;
  // Any thread: another switchover begins.
  void Forget() noexcept;

 private:
  static constexpr uint64_t kKnown = uint64_t{1} << 63;

  std::array<std::atomic<uint64_t>, kInterfacesMax + 1>
      macs_{};  // 0: none; else kKnown and the MAC
};

class HandOverQueue {
 public:
  static constexpr Nanos kPatience = 100 * kMillisecond;

  struct Entry {
    net::Packet packet;
    Nanos since = 0;
    config::TrafficGroupId group = 0;
    config::InterfaceId interface = 0;
    bool begins_flow = false;
  };

  bool HasRoom() const noexcept { return count_ < entries_.size(); }
  void Add(const Entry& entry) noexcept { entries_[count_++] = entry; }  // REQUIRES: HasRoom()
  size_t size() const noexcept { return count_; }

  // Offers the entries, oldest first, to `settle(entry)`; true takes one out. Ends after `budget` of those.
  template <class Settle>
  void Offer(size_t budget, Settle&& settle) noexcept {
    size_t kept = 0;
    size_t i = 0;
    for (; i < count_ && budget > 0; ++i) {
      if (settle(entries_[i])) {
        --budget;
      } else {
        entries_[kept++] = entries_[i];
      }
    }
    for (; i < count_; ++i)
      entries_[kept++] = entries_[i];
    count_ = kept;
  }

  // Empties it when the device stops.
  template <class Take>
  void TakeAll(Take&& take) {
    for (size_t i = 0; i < count_; ++i)
      take(entries_[i].packet);
    count_ = 0;
  }

 private:
  size_t count_ = 0;
  std::array<Entry, kHandOverMax> entries_;
};

// A packet of a flow that is ours, of a frozen group: whether it waits, since it could change what the peer
// was told of the flow.
template <class Hot>
bool HoldFrozen(Context& context, const Work& work, flow::FlowRef ref) noexcept;
// One that would begin a flow of the group.
bool HoldFrozen(Context& context, const Work& work, config::TrafficGroupId group) noexcept;

// A packet of a flow whose group is silent here: whether it is the new device's (it waits for that one's
// announcement), or is over here, and the caller drops it.
bool TakeStray(Context& context, const Work& work, config::TrafficGroupId group) noexcept;
// Somebody says to have a floating address that is silent here.
void LearnSuccessor(Context& context, config::InterfaceId interface, config::TrafficGroupId group,
                    const MacAddress& mac) noexcept;

// Sends strays on, drops what waited too long, and gives out what is to be processed again.
struct Thawed {
  std::array<net::Packet, kBurstMax> packets;
  size_t count = 0;
};
void TurnHandOver(Context& context, Thawed& thawed) noexcept;

}  // namespace tandem::pipeline
