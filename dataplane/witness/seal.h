// SPDX-License-Identifier: Apache-2.0
//
// Keeps strangers out of what devices and the witness say to each other: AES-128-GCM over a message
// (mirror/seal.h), which has nothing secret. The keys are the device group's pre-shared one by HKDF-SHA256,
// one for each device and direction; `|` joins bytes:
//
//   key   HKDF(pre-shared key, no salt, "tandem witness question" | device), 16 bytes
//   key   HKDF(pre-shared key, no salt, "tandem witness answer" | device), 16 bytes
//
// The nonce is the message's run and number, 96 bits. A run is random, so no two messages have the same.
// Keys do not depend on anything that a stranger chooses: a forged datagram costs one look.
//
// Thread safety: none. Nothing allocates but when a key is set.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "dataplane/mirror/keys.h"
#include "dataplane/mirror/seal.h"
#include "dataplane/witness/message.h"

namespace tandem::witness {

// One direction between one device and the witness.
enum class Direction : uint8_t { kQuestions, kAnswers };

class MessageKey {
 public:
  MessageKey() = default;
  MessageKey(const mirror::PresharedKey& psk, Direction direction, ha::DeviceId device) noexcept;

  // For one message.
  mirror::StreamKey For(const MessageId& id) const noexcept;

 private:
  mirror::StreamKey key_{.is_usable = false};
};

class MessageSealer {
 public:
  void SetKey(const MessageKey& key) noexcept { key_ = key; }
  // False: nothing may be sent.
  [[nodiscard]] bool Seal(const Message& message, std::span<uint8_t, kDatagramSize> out) noexcept;

 private:
  MessageKey key_;
  mirror::Sealer sealer_;
};

class MessageOpener {
 public:
  void SetKey(const MessageKey& key) noexcept { key_ = key; }
  // Whether `message`, which was read from `datagram`, is authentic. Recordings are.
  [[nodiscard]] bool IsAuthentic(const Message& message,
                                 std::span<const uint8_t> datagram) noexcept;

 private:
  MessageKey key_;
  mirror::Opener opener_;
};

// Numbers for one side's messages, none twice.
class MessageIds {
 public:
  explicit MessageIds(uint64_t run, uint32_t used = 0) : next_{run, used} {}
  MessageId Next() noexcept {
    if (++next_.number == 0) next_ = {next_.run + 1, 1};
    return next_;
  }

 private:
  MessageId next_;
};

}  // namespace tandem::witness
