// SPDX-License-Identifier: Apache-2.0
//
// Who the peer is. Seals and opens control frames, and decides by Hellos which run of which device
// this device is associated with.
//
// Theory of operation. A control frame is sealed with a key of its sender's run (incarnation), so
// recorded frames open for ever. Therefore a Hello of a run that this device is not associated with
// makes it only a candidate, whom an answer is sent (few a second). The candidate is believed when a
// Hello of its echoes this device's nonce and has seen a control frame that was numbered after the
// candidate came up, and after any other run was believed: no recording can, nor can words of a run that
// ended which come late. Hellos of the associated run count in order only.
//
// The pre-shared keys are its own, too (key_ring.h): control frames show which ones the peer has.
//
// Pure. Thread safety: none; the mirror lcore.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "dataplane/mirror/control_codec.h"
#include "dataplane/mirror/endpoint.h"
#include "dataplane/mirror/frame.h"
#include "dataplane/mirror/key_ring.h"
#include "dataplane/mirror/seal.h"

namespace tandem::mirror {

class Association {
 public:
  static constexpr Nanos kHelloEvery = kSecond;
  static constexpr Nanos kHelloSoon = 100 * kMillisecond;
  static constexpr Nanos kHelloSlowest = 60 * kSecond;
  static constexpr Nanos kSilence = 3 * kSecond;
  static constexpr unsigned kUrgentHellos = 4;  // repeated, for they may be lost
  static constexpr unsigned kStrangersPerTurn = 8;

  Association(const EndpointOptions& options, EndpointCounters& counters);

  // What a Hello was.
  enum class News : uint8_t {
    kNothing,
    kNews,     // of the peer as it is known
    kNewPeer,  // and everything that was agreed with another one is void
  };

  void BeginTurn(Nanos now);
  // The configuration has this pre-shared key now.
  void WantKey(const PresharedKey& key);
  const KeyRing& keys() const noexcept { return keys_; }

  // Opens a control frame into `body`; returns its size, nothing when it is none or not to be
  // believed. Counts. What came beside the mirroring port does not show that the port works.
  struct Opened {
    size_t size = 0;
    bool is_of_peer = false;  // of the associated run; otherwise only a Hello means anything
  };
  std::optional<Opened> Open(std::span<const uint8_t> frame, const FrameHeader& header,
                             std::span<uint8_t> body, bool is_beside, Nanos now);
  News OnHello(const Hello& hello, const FrameHeader& header, Nanos now);
  // Another frame of the peer's opened.
  void Heard(Nanos now) noexcept { heard_at_ = now; }

  // Seals the next control frame, by the pre-shared key at `place`.
  [[nodiscard]] bool Seal(std::span<uint8_t> frame, std::span<const uint8_t> body, unsigned place,
                          Nanos now);

  // Whether Hellos to the peer are due; call once, then send them.
  enum class Due : uint8_t {
    kNo,
    kAgain,  // those that the port did not take
    kNow,    // by all ways
  };
  Due HelloDue(Nanos now);
  // The port took nothing: they are due there again at once.
  void HelloNotSent() noexcept { is_unsent_ = true; }
  // Whether a candidate is to be answered; SignAnswer puts in its nonce and what was seen of it, and
  // returns the place of the key that it has.
  bool HasAnswer() const noexcept { return to_answer_ != nullptr; }
  unsigned SignAnswer(Hello& hello);
  // What this device says changed.
  void HelloSoon() noexcept { urgent_ = kUrgentHellos; }
  // Puts in who this device is and whom it knows.
  void Sign(Hello& hello) const;

  bool is_established() const noexcept { return current_.has_value(); }
  PeerState state(Nanos now) const noexcept;
  // Whether both know one version of the streams; only with an association.
  bool shares_streams() const noexcept { return shares_streams_; }
  // Why there is nothing to do with the peer, or no flows to mirror; empty: nothing.
  const std::string& incompatible() const noexcept { return incompatible_; }
  const Hello& peer() const noexcept { return hello_; }  // newest; groups are of that one Hello
  const Nonce& our_nonce() const noexcept { return options_.nonce; }
  Nanos heard_at() const noexcept { return heard_at_; }
  Nanos control_heard_at() const noexcept { return control_heard_at_; }
  Nanos since() const noexcept { return since_; }

 private:
  struct Run {
    uint64_t incarnation = 0;
    config::UnitId unit = 0;
    Opener opener;
    KeyRing::Numbers opens{};  // the keys that `opener` has
    unsigned place = 0;        // of the key that sealed its newest frame
    uint64_t seen = 0;         // highest number that opened
    uint64_t challenge = 0;    // candidate: number of ours that it has to have seen
    std::optional<Nonce> nonce;
    Nanos heard_at = 0;
  };

  void FollowKeys();
  void FollowKeys(Run& run) const;
  void UseKey(unsigned place, Nanos now);
  Run* FindRun(uint64_t incarnation);
  Run* Stranger(std::span<const uint8_t> frame, const FrameHeader& header, std::span<uint8_t> body);
  bool IsRefused(const Hello& hello, Nanos now);
  News OnPeersHello(const Hello& hello, const FrameHeader& header);
  void Accept(const Hello& hello);
  bool IsTimeForHello(Nanos now) const noexcept;
  Nanos Interval() const noexcept;

  const EndpointOptions& options_;
  EndpointCounters& counters_;
  KeyRing keys_;
  std::array<Sealer, KeyRing::kPlaces> sealers_;
  KeyRing::Numbers seals_{};  // the keys that `sealers_` have
  uint64_t next_sequence_ = 1;
  std::optional<Run> current_;
  std::array<std::optional<Run>, 4> candidates_;
  unsigned strangers_ = 0;

  Hello hello_;
  uint64_t hello_sequence_ = 0;
  std::string incompatible_;
  bool shares_streams_ = false;
  bool is_refused_ = false;  // not even an association
  Nanos heard_at_ = 0;
  Nanos control_heard_at_ = 0;
  Nanos since_ = 0;

  const Run* to_answer_ = nullptr;
  Nanos answered_at_ = 0;
  Nanos hello_at_ = 0;  // when the last one was sent
  bool is_unsent_ = false;
  unsigned urgent_ = 0;
  Nanos back_off_ = kHelloEvery;
};

}  // namespace tandem::mirror
