// SPDX-License-Identifier: Apache-2.0
//
// The witness as a whole, but for its socket and clock: a datagram comes, and its answer goes. Who may have
// which lease is LeaseWitness's to say (ha/lease.h); here is who asks, and whether it was asked just now.
//
// A device's session: the witness keeps one number ready for each device, and tells it to whoever asks with
// another one. The first question that has it begins the session with that run of the device, and the
// number is used up. So a question that was recorded is of a session that is over, or has a number that
// was taken; all it brings about is an answer of its own size.
//
// Bounded: one datagram, one answer, at most; devices and groups by limits.h; answers to questions of other
// sessions kUnknownPerSecond.
//
// Pure. Thread safety: none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "dataplane/base/limits.h"
#include "dataplane/base/rate_limiter.h"
#include "dataplane/base/time.h"
#include "dataplane/ha/lease.h"
#include "dataplane/mirror/seal.h"
#include "dataplane/witness/message.h"
#include "dataplane/witness/seal.h"

namespace tandem::witness {

struct ServerOptions {
  Nanos lease = kSecond;
  uint64_t run = 0;  // random
  // Another device than the last one has the group's lease now. For the log.
  std::function<void(uint64_t group, ha::DeviceId device)> granted;
};

struct ServerCounters {
  uint64_t answered = 0;
  uint64_t malformed = 0;
  uint64_t forged = 0;    // no key of ours sealed it
  uint64_t unknown = 0;   // of a session that is not the device's: it is new, or a recording
  uint64_t replayed = 0;  // of the session, and taken already
  uint64_t limited = 0;   // of `unknown`: not answered, for there were too many
  uint64_t no_room = 0;   // questions about more groups than there can be
  uint64_t too_long = 0;  // questions of devices that count on a longer lease
};

class Server {
 public:
  static constexpr unsigned kUnknownPerSecond = 1000;
  // After so long without a question a group's place is another one's.
  static constexpr Nanos kForgetGroup = 3600 * kSecond;

  Server(const ServerOptions& options, const mirror::PresharedKey& key, Nanos now);
  // Another pre-shared key, which the devices may not have yet: what the one before sealed is good, too.
  void SetKey(const mirror::PresharedKey& key);

  // Whether there is an answer, in `out`.
  [[nodiscard]] bool Answer(std::span<const uint8_t> datagram, Nanos now,
                            std::span<uint8_t, kDatagramSize> out);
  const ServerCounters& counters() const { return counters_; }

 private:
  struct Keys {
    bool is_set = false;
    MessageOpener questions;
    MessageSealer answers;
  };
  struct Client {
    std::array<Keys, 2> keys;  // of the pre-shared key, and of the one before
    uint64_t session = 0;      // 0: none yet
    uint64_t run = 0;          // of the device, whose session it is
    uint64_t next_session = 0;
    mirror::ReplayWindow taken;
  };
  struct Group {
    uint64_t name_hash = 0;  // 0: free
    Nanos asked_at = 0;
    ha::DeviceId holder = 0;  // the last one
  };

  uint64_t NewSession() { return ++last_session_ != 0 ? last_session_ : ++last_session_; }
  Client& Of(ha::DeviceId device) { return clients_[device - 1U]; }
  Keys* KeysThatSealed(const Message& question, std::span<const uint8_t> datagram);
  bool IsOfSession(Client& client, const Message& question);
  Verdict Judge(const Message& question, Nanos now);
  Verdict Ask(const Message& question, Nanos now);
  size_t Find(uint64_t name_hash) const;
  size_t FindOrAdd(uint64_t name_hash, Nanos now);

  const ServerOptions options_;
  ha::LeaseWitness leases_;
  MessageIds ids_;
  uint64_t last_session_;
  std::array<Client, kDevicesMax> clients_;
  std::array<Group, kTrafficGroupsMax + 1> groups_{};  // 0 is none
  RateLimiter unknown_limiter_;
  ServerCounters counters_;
};

}  // namespace tandem::witness
