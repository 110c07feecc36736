// SPDX-License-Identifier: Apache-2.0
//
// From the pre-shared key to the key of a frame, by HKDF-SHA256 (RFC 5869). First a secret for each
// direction of a stream: of control frames from both units and the sender's incarnation; of streams from
// both devices' nonces (Hello) and the stream's identity and session. From a secret then a row of keys,
// by generation, so that none is used for too long.
//
// Thread safety: functions of their arguments.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "dataplane/base/time.h"
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

// What one direction's keys are made from.
struct StreamSecret {
  std::array<uint8_t, 32> bytes{};
  bool is_usable = true;  // as of StreamKey
};

StreamSecret ControlSecret(const PresharedKey& psk, uint8_t sender_unit, uint8_t receiver_unit,
                           uint64_t incarnation) noexcept;

// The nonces are those of the two devices, of the lower unit first. `sender_unit`: who sends the frames
// that its keys seal. Of `stream` its type, group, worker and session count: data and acknowledgements
// are different types and so have different keys. The other fields are authenticated with every frame.
StreamSecret SecretOfStream(const PresharedKey& psk, const Nonce& lower_nonce,
                            const Nonce& higher_nonce, uint8_t sender_unit,
                            const FrameHeader& stream) noexcept;

StreamKey KeyOf(const StreamSecret& secret, uint32_t generation) noexcept;

// When a key is used up.
struct RekeyLimits {
  uint64_t frames = uint64_t{1} << 32;
  Nanos age = 24 * 3600 * kSecond;
};

}  // namespace tandem::mirror
