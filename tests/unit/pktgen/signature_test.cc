// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/signature.h"

#include <catch2/catch.hpp>
#include <vector>

namespace tandem::pktgen {
namespace {

constexpr uint64_t kKey = 0xfeedface12345678;
constexpr Signature kExample = {true, 5, 3, 0x00abcdef, 0xfffffff0, 0x123456789abc, 0xcba987654321};

TEST_CASE("signature: reads what was written, at every size", "[pktgen]") {
  const size_t size = GENERATE(18U, 19U, 23U, 24U, 25U, 1400U);
  std::vector<uint8_t> payload(size);
  WriteSignature(payload, kExample, kKey);
  Signature read;
  REQUIRE(ReadSignature(payload, kKey, read) == SignatureCheck::kGood);
  CHECK(read.is_reply);
  CHECK(read.generation == 5);
  CHECK(read.phase == 3);
  CHECK(read.flow == kExample.flow);
  CHECK(read.sequence == kExample.sequence);
  CHECK(read.sent_ns == kExample.sent_ns);
  CHECK(read.answered_ns == (size >= kSignatureLongSize ? kExample.answered_ns : 0));
}

TEST_CASE("signature: notices every bit that is turned round", "[pktgen]") {
  const size_t size = GENERATE(18U, 24U);
  std::vector<uint8_t> payload(size);
  WriteSignature(payload, kExample, kKey);
  for (size_t bit = 0; bit < 8 * size; ++bit) {
    payload[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    Signature read;
    CHECK(ReadSignature(payload, kKey, read) != SignatureCheck::kGood);
    payload[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
  }
}

TEST_CASE("signature: another run, other payloads and short ones are not ours", "[pktgen]") {
  std::vector<uint8_t> payload(24);
  Signature read;
  CHECK(ReadSignature(payload, kKey, read) == SignatureCheck::kForeign);
  WriteSignature(payload, kExample, kKey);
  CHECK(ReadSignature(payload, kKey + 1, read) != SignatureCheck::kGood);
  CHECK(ReadSignature(std::span(payload).first(17), kKey, read) == SignatureCheck::kForeign);
  CHECK(ReadSignature({}, kKey, read) == SignatureCheck::kForeign);
}

TEST_CASE("signature: time since a stamp, over the end of its 48 bits", "[pktgen]") {
  CHECK(SinceStamp(100, 350) == 250);
  CHECK(SinceStamp((Nanos{1} << 48) - 10, (Nanos{1} << 48) + 5) == 15);
}

}  // namespace
}  // namespace tandem::pktgen
