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
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/base/time.h"

namespace tandem::pktgen {

inline constexpr size_t kSignatureSize = 18;
inline constexpr size_t kSignatureLongSize = 24;

struct Signature {
  bool is_reply = false;
  uint8_t generation = 0;  // 0..7; of a flow number that is used for one connection after another
  uint8_t phase = 0;
  uint32_t flow = 0;
  uint32_t sequence = 0;
  Nanos sent_ns = 0;      // low 48 bits of it
  Nanos answered_ns = 0;  // 0: not answered, or no room to say when
};

// From `sent_ns` of a Signature to `now`; right for spans below 2^48 ns (78 hours).
constexpr Nanos SinceStamp(Nanos stamp_ns, Nanos now) {
  constexpr Nanos kStampMask = (Nanos{1} << 48) - 1;
  return (now - stamp_ns) & kStampMask;
}

// Writes the mark, and as much of the filler as makes kSignatureLongSize, to the beginning of `payload`.
// REQUIRES: payload.size() >= kSignatureSize.
void WriteSignature(std::span<uint8_t> payload, const Signature& signature, uint64_t key) noexcept;

enum class SignatureCheck : uint8_t {
  kGood,
  kForeign,  // no mark of ours
  kDamaged,  // looks like one of ours, and is not as it was written
};
// `signature` is what stands there, unless it is kForeign.
SignatureCheck ReadSignature(std::span<const uint8_t> payload, uint64_t key,
                             Signature& signature) noexcept;

// Where the filler begins in a payload of this size.
constexpr size_t FillerOffset(size_t payload_size) {
  return payload_size >= kSignatureLongSize ? kSignatureLongSize : kSignatureSize;
}

}  // namespace tandem::pktgen
