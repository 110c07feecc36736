// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/signature.h"

#include <cstring>

#include "dataplane/base/hash.h"
#include "dataplane/net/headers.h"

namespace tandem::pktgen {
namespace {

// The first 16 bytes are two words, in network byte order:
//   magic and reply bit and generation 8, phase 8, flow 32, sequence (upper half) 16
//   sequence (lower half) 16, time sent 48
constexpr uint64_t kMagic = 0xa;
constexpr uint64_t kReplyBit = 0x8;
constexpr uint64_t kGenerationMask = 0x7;
constexpr uint64_t kTimeMask = (uint64_t{1} << 48) - 1;
constexpr size_t kCheck = 16;
constexpr size_t kAnswered = 18;

struct Words {
  uint64_t first = 0;
  uint64_t second = 0;
  uint64_t answered = 0;
};

uint16_t CheckOf(const Words& words, bool is_long, uint64_t key) {
  const uint64_t hash = HashPair(words.first, words.second, key);
  return static_cast<uint16_t>(is_long ? MultiplyFold(hash ^ words.answered, key | 1) : hash);
}

uint64_t Load64(const uint8_t* from) {
  uint64_t value = 0;
  std::memcpy(&value, from, sizeof(value));
  return __builtin_bswap64(value);
}

void Store64(uint8_t* to, uint64_t value) {
  value = __builtin_bswap64(value);
  std::memcpy(to, &value, sizeof(value));
}

}  // namespace

void WriteSignature(std::span<uint8_t> payload, const Signature& signature, uint64_t key) noexcept {
  uint8_t* const to = payload.data();
  const bool is_long = payload.size() >= kSignatureLongSize;
  const uint64_t magic =
      kMagic << 4 | (signature.is_reply ? kReplyBit : 0) | (signature.generation & kGenerationMask);
  Words words;
  words.first = magic << 56 | uint64_t{signature.phase} << 48 | uint64_t{signature.flow} << 16 |
                signature.sequence >> 16;
  words.second = uint64_t{signature.sequence} << 48 | (signature.sent_ns & kTimeMask);
  words.answered = signature.answered_ns & kTimeMask;
  Store64(to, words.first);
  Store64(to + 8, words.second);
  net::Store16(to + kCheck, CheckOf(words, is_long, key));
  if (!is_long) return;
  net::Store16(to + kAnswered, static_cast<uint16_t>(words.answered >> 32));
  net::Store32(to + kAnswered + 2, static_cast<uint32_t>(words.answered));
}

SignatureCheck ReadSignature(std::span<const uint8_t> payload, uint64_t key,
                             Signature& signature) noexcept {
  if (payload.size() < kSignatureSize) return SignatureCheck::kForeign;
  const uint8_t* const from = payload.data();
  const bool is_long = payload.size() >= kSignatureLongSize;
  Words words = {Load64(from), Load64(from + 8), 0};
  if (is_long) {
    words.answered =
        uint64_t{net::Load16(from + kAnswered)} << 32 | net::Load32(from + kAnswered + 2);
  }
  if (words.first >> 60 != kMagic) return SignatureCheck::kForeign;
  signature.is_reply = (words.first >> 56 & kReplyBit) != 0;
  signature.generation = static_cast<uint8_t>(words.first >> 56 & kGenerationMask);
  signature.phase = static_cast<uint8_t>(words.first >> 48);
  signature.flow = static_cast<uint32_t>(words.first >> 16);
  signature.sequence = static_cast<uint32_t>(words.first << 16 | words.second >> 48);
  signature.sent_ns = words.second & kTimeMask;
  signature.answered_ns = words.answered;
  const bool is_good = net::Load16(from + kCheck) == CheckOf(words, is_long, key);
  return is_good ? SignatureCheck::kGood : SignatureCheck::kDamaged;
}

}  // namespace tandem::pktgen
