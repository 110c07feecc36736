// SPDX-License-Identifier: Apache-2.0
#include "dataplane/witness/seal.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace tandem::witness {
namespace {

// A frame's nonce is the key's salt, 4 bytes, and a number of 8: together they hold run and number.
uint64_t SequenceOf(const MessageId& id) {
  return id.run << 32 | id.number;
}

}  // namespace

MessageKey::MessageKey(const mirror::PresharedKey& psk, Direction direction,
                       ha::DeviceId device) noexcept {
  const std::string_view label =
      direction == Direction::kQuestions ? "tandem witness question" : "tandem witness answer";
  std::array<uint8_t, 32> info{};
  std::copy(label.begin(), label.end(), info.begin());
  info[label.size()] = device;
  key_.is_usable = mirror::Hkdf(psk, {}, std::span(info).first(label.size() + 1), key_.key);
}

mirror::StreamKey MessageKey::For(const MessageId& id) const noexcept {
  mirror::StreamKey key = key_;
  for (size_t i = 0; i < key.salt.size(); ++i)
    key.salt[i] = static_cast<uint8_t>(id.run >> (56 - 8 * i));
  return key;
}

bool MessageSealer::Seal(const Message& message, std::span<uint8_t, kDatagramSize> out) noexcept {
  WriteMessage(message, out);
  sealer_.SetKey(key_.For(message.id));
  return sealer_.Seal(out, SequenceOf(message.id), {});
}

bool MessageOpener::IsAuthentic(const Message& message,
                                std::span<const uint8_t> datagram) noexcept {
  opener_.SetKey(key_.For(message.id));
  return opener_.Open(datagram, SequenceOf(message.id), {}) == mirror::Opener::Result::kOpened;
}

}  // namespace tandem::witness
