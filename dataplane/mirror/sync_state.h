// SPDX-License-Identifier: Apache-2.0
//
// How far the mirroring of a traffic group's connections is. Workers say it of what they have, the
// endpoint decides it for the device (endpoint.h), and the devices tell each other.
#pragma once

#include <atomic>
#include <cstdint>

#include "dataplane/mirror/frame.h"

namespace tandem::mirror {

// Numbers go over the wire; 1 to 4 are those of StreamState.
enum class SyncState : uint8_t {
  kDown = 0,  // there is no session
  kSyncing = 1,
  kAuditing = 2,
  kInSync = 3,
  kLagging = 4,
  // Changes are mirrored as ever, but a takeover would not find what it needs: the configurations
  // differ, or lack objects of connections.
  kHeld = 5,
};
inline constexpr uint8_t kSyncStateMax = 5;

// A number from the wire. What is not known is not in sync.
constexpr SyncState SyncStateOf(uint32_t number) {
  return number <= kSyncStateMax ? static_cast<SyncState>(number) : SyncState::kSyncing;
}
constexpr SyncState SyncStateOf(StreamState state) {
  const SyncState same = SyncStateOf(static_cast<uint32_t>(state));
  return same == SyncState::kDown || same == SyncState::kHeld ? SyncState::kSyncing : same;
}

// Of two parts of a whole, what holds for the whole.
constexpr SyncState WorseOf(SyncState a, SyncState b) {
  const auto rank = [](SyncState state) {
    switch (state) {
      case SyncState::kDown:
        return 0;
      case SyncState::kSyncing:
        return 1;
      case SyncState::kAuditing:
        return 2;
      case SyncState::kLagging:
        return 3;
      case SyncState::kHeld:
        return 4;
      case SyncState::kInSync:
        return 5;
    }
    return 0;
  };
  return rank(a) < rank(b) ? a : b;
}

// What is said, and of what: one word, so that any thread can read it.
struct SyncClaim {
  uint32_t session = 0;
  uint64_t generation = 0;  // of the configuration; its low bits
  bool reads = false;       // the device is standby
  SyncState state = SyncState::kDown;

  bool operator==(const SyncClaim&) const = default;
};

class AtomicSyncClaim {
 public:
  static constexpr uint64_t kGenerationMask = 0xffffff;

  void Set(const SyncClaim& claim) noexcept {
    word_.store(uint64_t{claim.session} << 32 | (claim.generation & kGenerationMask) << 8 |
                    (claim.reads ? 0x80U : 0U) | static_cast<uint64_t>(claim.state),
                std::memory_order_release);
  }
  SyncClaim Get() const noexcept {
    const uint64_t word = word_.load(std::memory_order_acquire);
    return {.session = static_cast<uint32_t>(word >> 32),
            .generation = word >> 8 & kGenerationMask,
            .reads = (word & 0x80) != 0,
            .state = SyncStateOf(static_cast<uint32_t>(word & 0x7f))};
  }
  // What the claim is worth in a session and under a configuration: a reader binds flows by it, to a
  // writer it means nothing.
  SyncState In(uint32_t session, uint64_t generation) const noexcept {
    const SyncClaim claim = Get();
    if (claim.session != session || claim.state == SyncState::kDown) return SyncState::kSyncing;
    const bool is_current = claim.generation == (generation & kGenerationMask);
    if (!claim.reads || is_current) return claim.state;
    // Bound by another configuration: not looked at yet.
    return claim.state == SyncState::kSyncing ? claim.state : SyncState::kAuditing;
  }

 private:
  std::atomic<uint64_t> word_{0};
};

}  // namespace tandem::mirror
