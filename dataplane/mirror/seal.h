// SPDX-License-Identifier: Apache-2.0
//
// Keeps strangers out of mirroring frames: AES-128-GCM over header (as associated data) and body, with
// keys made from the pre-shared key by HKDF-SHA256 (RFC 5869, RFC 5116), and a window against replay
// (as RFC 4303 section 3.4.3). Nothing of a body is looked at before its seal was opened.
//
// Keys. Control frames: from the pre-shared key, the sender's unit and its incarnation; the nonce is
// the frame's sequence number, which a run of the process never repeats. Streams: from the
// pre-shared key, both devices' nonces (Hello), and the stream's identity and session.
//
// Without authentication (laboratories) the tag is 16 zero bytes and everything is believed that is
// not a repetition.
//
// Thread safety: none; the mirror lcore. Nothing allocates after a key is set.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/mirror/frame.h"

namespace tandem::mirror {

using PresharedKey = std::array<uint8_t, 32>;
using Nonce = std::array<uint8_t, 16>;

// RFC 5869 with SHA-256; `out` has 8160 bytes at most. False: the library failed.
[[nodiscard]] bool Hkdf(std::span<const uint8_t> secret, std::span<const uint8_t> salt,
                        std::span<const uint8_t> info, std::span<uint8_t> out) noexcept;

// One direction's key; the nonce of a frame is `salt` and its sequence number.
struct StreamKey {
  std::array<uint8_t, 16> key{};
  std::array<uint8_t, 4> salt{};
  bool is_usable = true;  // false: the library failed to make it; nothing is sealed nor opened then
};

StreamKey ControlKey(const PresharedKey& psk, uint8_t sender_unit, uint64_t incarnation) noexcept;

// `sender_unit`: who sends the frames that this key seals. Of `stream` its type, group, worker and
// session count: data and acknowledgements are different types and so have different keys. The other
// fields are authenticated with every frame.
StreamKey KeyOfStream(const PresharedKey& psk, const Nonce& unit1_nonce, const Nonce& unit2_nonce,
                      uint8_t sender_unit, const FrameHeader& stream) noexcept;

class Sealer {
 public:
  Sealer();
  ~Sealer();
  Sealer(Sealer&&) noexcept;
  Sealer& operator=(Sealer&&) noexcept;

  void SetKey(const StreamKey& key) noexcept;  // not set: `none`
  // Seals `body` behind the header that stands in `frame`; `frame` has room for
  // kHeaderSize + body.size() + kTagSize and is that long afterwards. `body` may lie at its place.
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

  void SetKey(const StreamKey& key) noexcept;  // not set: `none`; empties the replay window
  // As SetKey does, for a new session of a stream that has none.
  void ResetWindow() noexcept;
  enum class Result : uint8_t { kOpened, kForged, kReplayed };
  // Checks and opens `frame` (header, sealed body, tag) into `body`, which has frame.size() -
  // kHeaderSize - kTagSize bytes or more. Only a frame that was opened moves the replay window;
  // `body` of another holds nothing of it. `none` refuses a tag that is not zero: the peer has a key.
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
