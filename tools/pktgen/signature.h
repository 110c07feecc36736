// SPDX-License-Identifier: Apache-2.0
//
// The mark at the beginning of every payload: whose packet it is, which one, and when it left. It has
// to fit into the 18 bytes that a UDP datagram over IPv4 has in a frame of 64 bytes:
//
//   0   1  magic (high nibble) | reply bit | generation of the flow (3 bits)
//   1   1  phase of the run: late packets of an earlier phase are told from those of this one
//   2   4  flow number
//   6   4  sequence number: how many marked packets the flow sent before, this phase
//   10  6  time the client sent it, ns
//   16  2  check: a keyed hash of all other bytes, so that neither damage nor another run passes
//   18  6  time the server answered, ns; only where the payload has room (kSignatureLongSize)
//
// Integers are in network byte order. What follows is filler, all zero.
//
// Inline, since a request has its mark written twice and read twice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "dataplane/base/hash.h"
#include "dataplane/base/time.h"

namespace tandem::pktgen {

inline constexpr size_t kSignatureSize = 18;
inline constexpr size_t kSignatureLongSize = 24;
inline constexpr size_t kSignatureCheckAt = 16;
inline constexpr size_t kSignatureAnsweredAt = 18;

struct Signature {
  bool is_reply = false;
  uint8_t generation = 0;  // 0..7; of a flow number that is used for one connection after another
  uint8_t phase = 0;
  uint32_t flow = 0;
  uint32_t sequence = 0;
  Nanos sent_ns = 0;      // low 48 bits of it
  Nanos answered_ns = 0;  // 0: not answered, or no room to say when
};

inline constexpr Nanos kStampMask = (Nanos{1} << 48) - 1;

// From `sent_ns` of a Signature to `now`; right for spans below 2^48 ns (78 hours).
constexpr Nanos SinceStamp(Nanos stamp_ns, Nanos now) {
  return (now - stamp_ns) & kStampMask;
}

// Where the filler begins in a payload of this size.
constexpr size_t FillerOffset(size_t payload_size) {
  return payload_size >= kSignatureLongSize ? kSignatureLongSize : kSignatureSize;
}

// The mark as it stands in a payload: words in network byte order, so that their sum is what they add to
// a checksum.
struct Mark {
  static constexpr uint64_t kMagic = 0xa;
  static constexpr uint64_t kReplyBit = 0x8;
  static constexpr uint64_t kGenerationMask = 0x7;

  uint64_t first = 0;     // magic, phase, flow, upper half of the sequence number
  uint64_t second = 0;    // lower half of the sequence number, time sent
  uint64_t answered = 0;  // in the lower 48 bits
  uint16_t check = 0;

  static Mark Of(const Signature& signature, bool is_long, uint64_t key) {
    const uint64_t magic = kMagic << 4 | (signature.is_reply ? kReplyBit : 0) |
                           (signature.generation & kGenerationMask);
    Mark mark;
    mark.first = __builtin_bswap64(magic << 56 | uint64_t{signature.phase} << 48 |
                                   uint64_t{signature.flow} << 16 | signature.sequence >> 16);
    mark.second =
        __builtin_bswap64(uint64_t{signature.sequence} << 48 | (signature.sent_ns & kStampMask));
    mark.answered = is_long ? __builtin_bswap64(signature.answered_ns << 16) : 0;
    mark.check = mark.Check(is_long, key);
    return mark;
  }

  static Mark Load(const uint8_t* from, bool is_long) {
    Mark mark;
    std::memcpy(&mark.first, from, sizeof(mark.first));
    std::memcpy(&mark.second, from + 8, sizeof(mark.second));
    std::memcpy(&mark.check, from + kSignatureCheckAt, sizeof(mark.check));
    if (is_long) std::memcpy(&mark.answered, from + kSignatureAnsweredAt, 6);
    return mark;
  }

  void Store(uint8_t* to, bool is_long) const {
    std::memcpy(to, &first, sizeof(first));
    std::memcpy(to + 8, &second, sizeof(second));
    std::memcpy(to + kSignatureCheckAt, &check, sizeof(check));
    if (is_long) std::memcpy(to + kSignatureAnsweredAt, &answered, 6);
  }

  uint16_t Check(bool is_long, uint64_t key) const {
    const uint64_t hash = HashPair(first, second, key);
    return static_cast<uint16_t>(is_long ? MultiplyFold(hash ^ answered, key | 1) : hash);
  }
  bool has_magic() const { return (first >> 4 & 0xf) == kMagic; }

  void Read(Signature& signature) const {
    const uint64_t upper = __builtin_bswap64(first);
    const uint64_t lower = __builtin_bswap64(second);
    signature.is_reply = (upper >> 56 & kReplyBit) != 0;
    signature.generation = static_cast<uint8_t>(upper >> 56 & kGenerationMask);
    signature.phase = static_cast<uint8_t>(upper >> 48);
    signature.flow = static_cast<uint32_t>(upper >> 16);
    signature.sequence = static_cast<uint32_t>(upper << 16 | lower >> 48);
    signature.sent_ns = lower & kStampMask;
    signature.answered_ns = __builtin_bswap64(answered) >> 16;
  }

  // Unfolded, of a mark at an even place.
  uint64_t Sum() const {
    constexpr uint64_t kHalf = 0xffffffff;
    return (first & kHalf) + (first >> 32) + (second & kHalf) + (second >> 32) +
           (answered & kHalf) + (answered >> 32) + check;
  }
};

enum class SignatureCheck : uint8_t {
  kGood,
  kForeign,  // no mark of ours
  kDamaged,  // looks like one of ours, and is not as it was written
};
// `signature` is what stands there, unless it is kForeign.
inline SignatureCheck ReadSignature(std::span<const uint8_t> payload, uint64_t key,
                                    Signature& signature) noexcept {
  if (payload.size() < kSignatureSize) return SignatureCheck::kForeign;
  const bool is_long = payload.size() >= kSignatureLongSize;
  const Mark mark = Mark::Load(payload.data(), is_long);
  if (!mark.has_magic()) return SignatureCheck::kForeign;
  mark.Read(signature);
  return mark.check == mark.Check(is_long, key) ? SignatureCheck::kGood : SignatureCheck::kDamaged;
}

// Writes the mark, and as much of the filler as makes kSignatureLongSize, to the beginning of `payload`;
// returns what it adds to a checksum. REQUIRES: payload.size() >= kSignatureSize.
inline uint64_t WriteSignature(std::span<uint8_t> payload, const Signature& signature,
                               uint64_t key) noexcept {
  const bool is_long = payload.size() >= kSignatureLongSize;
  const Mark mark = Mark::Of(signature, is_long, key);
  mark.Store(payload.data(), is_long);
  return mark.Sum();
}

}  // namespace tandem::pktgen
