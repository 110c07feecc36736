// SPDX-License-Identifier: Apache-2.0
//
// From the numbers in a peer's frames to this device's: the peer's dictionary joined with this
// device's configuration by name. Made by the endpoint whenever one of them changed; workers take it
// once a frame.
//
// Immutable; whoever holds one may read it from any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/base/limits.h"
#include "dataplane/config/dictionary.h"
#include "dataplane/config/snapshot.h"

namespace tandem::mirror {

struct Translation {
  // 0: no such object here (or there).
  config::VirtualId VirtualOf(uint16_t peers) const noexcept { return At(virtuals, peers); }
  config::MemberId MemberOf(uint16_t peers) const noexcept { return At(members, peers); }
  config::InterfaceId InterfaceOf(uint16_t peers) const noexcept { return At(interfaces, peers); }
  config::PersistenceId PersistenceOf(uint16_t peers) const noexcept {
    return At(persistences, peers);
  }

  // Whether it was made of what this run of the peer says, and of this configuration. Another run counts
  // its versions anew.
  bool IsOf(uint64_t peer_incarnation, const config::Snapshot& snapshot) const noexcept {
    return incarnation == peer_incarnation && snapshot_generation == snapshot.generation;
  }

  std::shared_ptr<const config::Dictionary> peer;
  uint64_t incarnation = 0;          // of the peer
  uint16_t version = 0;              // low bits of the peer's dictionary version
  uint64_t snapshot_generation = 0;  // of this device's configuration that it was made with
  std::vector<uint16_t> virtuals, members, interfaces, persistences;  // by the peer's number

 private:
  static uint16_t At(const std::vector<uint16_t>& map, uint16_t number) noexcept {
    return number < map.size() ? map[number] : uint16_t{0};
  }
};

// The present one of each peer. Written by the mirror lcore; one that was read is good until the worker's
// next turn.
class Translations {
 public:
  // nullptr: none yet.
  const Translation* Of(config::PeerIndex peer) const noexcept {
    return peer < of_.size() ? of_[peer].load(std::memory_order_acquire) : nullptr;
  }
  // Sequentially consistent, as a snapshot's publication (config/publish.cc).
  void Set(config::PeerIndex peer, const Translation* next) noexcept {
    of_[peer].exchange(next, std::memory_order_seq_cst);
  }

 private:
  std::array<std::atomic<const Translation*>, kPeersMax> of_{};
};

std::unique_ptr<const Translation> MakeTranslation(std::shared_ptr<const config::Dictionary> peer,
                                                   uint64_t incarnation, uint32_t version,
                                                   const config::Snapshot& snapshot);

}  // namespace tandem::mirror
