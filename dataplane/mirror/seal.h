// SPDX-License-Identifier: Apache-2.0
//
// Keeps strangers out of mirroring frames: AES-128-GCM over header (as associated data) and body
// (RFC 5116), and a window against replay (as RFC 4303 section 3.4.3). Nothing of a body is looked at
// before its seal was opened.
//
// A frame's number is its nonce. A key serves for RekeyLimits, then the sealer goes on to the next of its
// secret (keys.h) and says so in the header; numbers go on. The opener follows, and keeps the key before
// until the replay window has passed it: nothing is lost on the way. The secret itself may change too,
// with the pre-shared key: an opener has room for two, and tries both.
//
// Without authentication (laboratories) the tag is 16 zero bytes and everything is believed that is
// not a repetition.
//
// Thread safety: none; the mirror lcore. Nothing allocates but when a key is made.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/base/time.h"
#include "dataplane/mirror/frame.h"
#include "dataplane/mirror/keys.h"

namespace tandem::mirror {

class Sealer {
 public:
  Sealer();
  ~Sealer();
  Sealer(Sealer&&) noexcept;
  Sealer& operator=(Sealer&&) noexcept;

  void SetKey(const StreamKey& key) noexcept;  // one key for good; not set: `none`
  void SetSecret(const StreamSecret& secret) noexcept;
  // Before a frame is sealed: goes on to the secret's next key when the present one is used up.
  // Returns whether.
  bool RenewWhenDue(const RekeyLimits& limits, Nanos now) noexcept;
  // Writes the key's generation into the header that stands in `frame`, and seals `body` behind it;
  // `frame` has room for kHeaderSize + body.size() + kTagSize and is that long afterwards. `body` may
  // lie at its place.
  // False: the library failed, nothing may be sent.
  [[nodiscard]] bool Seal(std::span<uint8_t> frame, uint64_t sequence,
                          std::span<const uint8_t> body) noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class Opener {
 public:
  Opener();
  ~Opener();
  Opener(Opener&&) noexcept;
  Opener& operator=(Opener&&) noexcept;

  static constexpr unsigned kSecrets = 2;
  // A generation that is not the next one costs a key to see whether a frame is of it; so many frames
  // come between two such.
  static constexpr unsigned kFramesPerLeap = 64;

  // One key for good; not set, and no secret ever: `none`. Empties the replay window.
  void SetKey(const StreamKey& key) noexcept;
  // What keys of this secret sealed is opened, too. One replay window for all.
  void SetSecret(unsigned which, const StreamSecret& secret) noexcept;
  void DropSecret(unsigned which) noexcept;
  unsigned opened_by() const noexcept;  // the secret that a frame was opened by last
  // As SetKey does, for a new session of a stream that has none.
  void ResetWindow() noexcept;
  enum class Result : uint8_t { kOpened, kForged, kReplayed };
  // Checks and opens `frame` (header, sealed body, tag) into `body`, which has frame.size() -
  // kHeaderSize - kTagSize bytes or more. Only a frame that was opened moves the replay window;
  // `body` of another holds nothing of it. It may lie at the sealed one's place unless there are two
  // secrets. `none` refuses a tag that is not zero: the peer has a key.
  [[nodiscard]] Result Open(std::span<const uint8_t> frame, uint64_t sequence,
                            std::span<uint8_t> body) noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// 1024 numbers back from the highest. 0 is no number of a frame and never new.
class ReplayWindow {
 public:
  static constexpr uint64_t kSize = 1024;

  [[nodiscard]] bool IsNew(uint64_t sequence) const noexcept;
  void Remember(uint64_t sequence) noexcept;
  void Reset() noexcept { *this = ReplayWindow(); }

 private:
  uint64_t highest_ = 0;  // 0: none yet
  // By number modulo kSize: it has come. Of numbers that are above `highest_` no bit is set.
  std::array<uint64_t, kSize / 64> bits_{};
};

}  // namespace tandem::mirror
