// SPDX-License-Identifier: Apache-2.0
//
// The owner of the neighbour table: turns what workers heard and need into entries, and says when to
// ask. Times follow RFC 4861 section 10 for both families: an answer is good for 30 s; a question is
// asked three times a second apart.
//
// Life of an entry: incomplete -(answer)-> reachable -(30 s)-> stale -(in use: asked again, unicast
// first)-> reachable, or failed -(3 s)-> gone. An entry nobody used for kIdleTicks goes, too.
//
// Thread safety: worker 0 only.
#pragma once

#include <bitset>
#include <cstdint>
#include <vector>

#include "dataplane/base/limits.h"
#include "dataplane/config/publish.h"
#include "dataplane/neighbour/table.h"

namespace tandem::neighbour {

// What workers tell the owner; passed through rings by value.
struct Message {
  enum class Kind : uint8_t {
    kResolve,  // somebody needs `address`
    kLearn,    // `address` is at `mac`
    kConfirm,  // as kLearn, but never replaces another MAC (an advertisement without override)
    // `address` is to be asked, though it is known; unset: all hosts of the interface, and each of some
    // that are known there.
    kProbe,
  };

  IpAddress address;
  Kind kind = Kind::kResolve;
  // kLearn: the packet was addressed to us; kProbe: the answer is to be remembered.
  bool may_create = false;
  config::InterfaceId interface = 0;
  MacAddress mac{};
  uint16_t reserved = 0;
};
static_assert(sizeof(Message) == 28);

// A question to send now: ARP request or neighbour solicitation for `address`; unset: whether anybody is
// there.
struct Probe {
  config::InterfaceId interface = 0;
  IpAddress address;
  bool unicast = false;  // to `mac`; else broadcast or the solicited-node group
  MacAddress mac{};
};

class Resolver {
 public:
  static constexpr uint32_t kReachableTicks = TicksIn(30 * kSecond);
  static constexpr uint32_t kProbeTicks = TicksIn(1 * kSecond);
  static constexpr uint32_t kFailedTicks = TicksIn(3 * kSecond);
  static constexpr uint32_t kIdleTicks = TicksIn(300 * kSecond);
  static constexpr uint8_t kProbesMax = 3;      // of each kind, unicast and broadcast
  static constexpr unsigned kProvokedMax = 64;  // neighbours asked for a kProbe of an interface

  // `publisher` tells when every worker has let go of a removed entry.
  Resolver(Table& table, config::Publisher& publisher);

  // Takes a message in; true when `probe` has to be sent at once.
  [[nodiscard]] bool Handle(const Message& message, Tick now, Probe& probe) noexcept;

  // Looks at up to `budget` entries, from where the last call stopped, and calls `send(Probe)` for
  // each question that is due.
  template <class Send>
  void Advance(Tick now, unsigned budget, Send&& send) noexcept {
    CollectRemoved();
    Probe probe;
    for (unsigned i = 0; i < budget && table_.high_water() > 1; ++i) {
      if (StepNext(now, probe)) send(probe);
    }
  }

 private:
  struct Removed {
    uint16_t index;
    uint64_t grace_token;
  };

  bool StepNext(Tick now, Probe& probe) noexcept;
  bool StepEntry(uint16_t index, Tick now, Probe& probe) noexcept;
  bool Provoke(uint16_t index, Probe& probe) noexcept;
  bool Ask(Table::Entry& entry, Tick now, Probe& probe) noexcept;
  void Learn(const Message& message, Tick now) noexcept;
  void Remove(uint16_t index) noexcept;
  void CollectRemoved() noexcept;

  Table& table_;
  config::Publisher& publisher_;
  uint32_t cursor_ = 1;
  // A kProbe of interfaces, while the cursor goes round.
  std::bitset<kInterfacesMax + 1> provoked_;
  uint32_t provoke_entries_left_ = 0;
  unsigned provoke_left_ = 0;
  std::vector<Removed> removed_;  // in order of removal; reserved up front
  size_t removed_first_ = 0;
};

}  // namespace tandem::neighbour
