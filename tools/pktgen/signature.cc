// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/signature.h"

#include <cstring>

#include "dataplane/base/hash.h"
#include "dataplane/net/headers.h"

namespace tandem::pktgen {
namespace {

constexpr uint8_t kMagic = 0xa0;
constexpr uint8_t kMagicMask = 0xf0;
constexpr uint8_t kReplyBit = 0x08;
constexpr uint8_t kGenerationMask = 0x07;
constexpr size_t kFlow = 2;
constexpr size_t kSequence = 6;
constexpr size_t kSent = 10;
constexpr size_t kCheck = 16;
constexpr size_t kAnswered = 18;

void Store48(uint8_t* to, uint64_t value) {
  net::Store16(to, static_cast<uint16_t>(value >> 32));
  net::Store32(to + 2, static_cast<uint32_t>(value));
}

uint64_t Load48(const uint8_t* from) {
  return uint64_t{net::Load16(from)} << 32 | net::Load32(from + 2);
}

uint16_t CheckOf(std::span<const uint8_t> payload, uint64_t key) {
  uint64_t words[3] = {};
  std::memcpy(words, payload.data(), kCheck);
  if (payload.size() >= kSignatureLongSize) std::memcpy(words + 2, payload.data() + kAnswered, 6);
  return static_cast<uint16_t>(HashPair(HashPair(words[0], words[1], key), words[2], key));
}

}  // namespace

void WriteSignature(std::span<uint8_t> payload, const Signature& signature, uint64_t key) noexcept {
  uint8_t* const to = payload.data();
  to[0] = static_cast<uint8_t>(kMagic | (signature.is_reply ? kReplyBit : 0) |
                               (signature.generation & kGenerationMask));
  to[1] = signature.phase;
  net::Store32(to + kFlow, signature.flow);
  net::Store32(to + kSequence, signature.sequence);
  Store48(to + kSent, signature.sent_ns);
  if (payload.size() >= kSignatureLongSize) Store48(to + kAnswered, signature.answered_ns);
  net::Store16(to + kCheck, CheckOf(payload, key));
}

SignatureCheck ReadSignature(std::span<const uint8_t> payload, uint64_t key,
                             Signature& signature) noexcept {
  if (payload.size() < kSignatureSize) return SignatureCheck::kForeign;
  const uint8_t* const from = payload.data();
  if (net::Load16(from + kCheck) != CheckOf(payload, key)) {
    return (from[0] & kMagicMask) == kMagic ? SignatureCheck::kDamaged : SignatureCheck::kForeign;
  }
  if ((from[0] & kMagicMask) != kMagic) return SignatureCheck::kForeign;
  signature.is_reply = (from[0] & kReplyBit) != 0;
  signature.generation = from[0] & kGenerationMask;
  signature.phase = from[1];
  signature.flow = net::Load32(from + kFlow);
  signature.sequence = net::Load32(from + kSequence);
  signature.sent_ns = Load48(from + kSent);
  signature.answered_ns = payload.size() >= kSignatureLongSize ? Load48(from + kAnswered) : 0;
  return SignatureCheck::kGood;
}

}  // namespace tandem::pktgen
