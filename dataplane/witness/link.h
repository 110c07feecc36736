// SPDX-License-Identifier: Apache-2.0
//
// A device's way to the witness: carries the questions of the takeover machine about its leases there, and
// the answers back. What is lost the machine asks again (ha/lease.h); so the link repeats nothing. It says
// hello once a second when nothing else is asked, so that its session is there when a lease is wanted, and
// that it is known whether the witness answers.
//
// Pure. Thread safety: none; the mirror thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/base/time.h"
#include "dataplane/ha/events.h"
#include "dataplane/mirror/keys.h"
#include "dataplane/witness/message.h"
#include "dataplane/witness/seal.h"

namespace tandem::witness {

// Datagrams to the witness and back. Neither waits; what cannot go at once is lost.
class Path {
 public:
  virtual ~Path() = default;
  // The next one that came from the witness's address, valid until the next call; empty: none.
  virtual std::span<const uint8_t> Receive() noexcept = 0;
  virtual void Send(std::span<const uint8_t> datagram) noexcept = 0;
};

struct LinkOptions {
  Path* path = nullptr;  // outlives the link; nullptr: there is no witness
  mirror::PresharedKey key{};
  ha::DeviceId device = 0;
  uint64_t run = 0;       // random: no two links of the device have the same
  Nanos lease = kSecond;  // that the device counts on
};

struct LinkStatus {
  bool is_answered = false;  // lately
  bool is_silent = false;    // asked for long enough, and not answered lately
  bool is_lease_too_long = false;
  Nanos answered_at = 0;    // 0: never
  Nanos witness_lease = 0;  // as it says; 0: it has not
  uint64_t questions = 0;
  uint64_t answers = 0;
  uint64_t refused = 0;  // what came and is no answer to a question of ours
};

class Link {
 public:
  static constexpr Nanos kHelloEvery = kSecond;
  static constexpr Nanos kSilence = 3 * kSecond;  // after which the witness does not answer

  explicit Link(const LinkOptions& options);
  // From now on. What is under way is lost.
  void SetKey(const mirror::PresharedKey& key);
  // Of no group any more: answers to what was asked until now mean nothing.
  void Forget() { waiting_ = {}; }

  void Ask(ha::TrafficGroupId group, uint64_t name_hash, uint32_t ticket);
  void Release(uint64_t name_hash);
  // The next answer about a lease. To be called again until there is none: at most kReceiveMax datagrams
  // are looked at between two Turns.
  std::optional<ha::LeaseAnswered> Receive(Nanos now);
  // After that.
  void Turn(Nanos now);

  LinkStatus status(Nanos now) const;

 private:
  static constexpr unsigned kReceiveMax = 64;
  // More than are asked within the time that an answer takes: one a group, and some.
  static constexpr size_t kWaiting = 256;

  // A question that has no answer yet.
  struct Question {
    MessageId id;  // number 0: none
    MessageType type = MessageType::kHello;
    ha::TrafficGroupId group = 0;
    uint32_t ticket = 0;
  };

  void Send(MessageType type, ha::TrafficGroupId group, uint64_t name_hash, uint32_t ticket);
  std::optional<ha::LeaseAnswered> Take(std::span<const uint8_t> datagram, Nanos now);

  const LinkOptions options_;
  MessageSealer sealer_;
  MessageOpener opener_;
  MessageIds ids_;
  uint64_t session_ = 0;
  std::array<Question, kWaiting> waiting_{};  // by number
  unsigned received_ = 0;                     // since the last turn
  Nanos asked_at_ = 0;                        // 0: never
  Nanos began_at_ = 0;                        // first asked
  bool has_asked_ = false;                    // since the last turn
  LinkStatus status_;
};

}  // namespace tandem::witness
