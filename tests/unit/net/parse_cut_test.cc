// SPDX-License-Identifier: Apache-2.0
//
// Frames that end early: cut by the sender (truncated) or by the buffer (split). The buffers end
// where the readable bytes end, so a sanitizer sees Parse read too far.
#include <catch2/catch.hpp>

#include "dataplane/base/prng.h"
#include "tests/unit/net/good_frames.h"

namespace {

using namespace tandem;
using namespace tandem::test;
using net::Kind;
using net::Parsed;

Parsed ParsedOf(const TestPacket& packet) {
  Parsed parsed;
  net::Parse(packet.packet(), parsed);
  return parsed;
}

// The end of what Parse vouches for.
size_t HeadersEnd(const Bytes& frame, const Parsed& parsed) {
  switch (parsed.kind) {
    case Kind::kArp:
      return parsed.l3_offset + size_t{28};
    case Kind::kTcp:
      return parsed.l4_offset + (frame[parsed.l4_offset + size_t{12}] >> 4) * size_t{4};
    case Kind::kUdp:
    case Kind::kIcmpQuery:
    case Kind::kIcmpError:
    case Kind::kIcmpOther:
      return parsed.l4_offset + size_t{8};
    case Kind::kNd:
      return parsed.l4_offset + parsed.l4_length;
    case Kind::kNone:
    case Kind::kIpOther:
      return parsed.l4_offset;
  }
  return 0;
}

}  // namespace

TEST_CASE("parse: a frame cut anywhere inside its packet is dropped for its length", "[net]") {
  for (const GoodFrame& good : GoodFrames()) {
    CAPTURE(good.name);
    const Parsed whole = ParsedOf(TestPacket(good.bytes));
    const size_t end = good.kind == Kind::kArp ? HeadersEnd(good.bytes, whole)
                                               : whole.l3_offset + size_t{whole.ip_length};
    for (size_t size = 0; size < end; ++size) {
      CAPTURE(size);
      const Bytes cut(good.bytes.begin(), good.bytes.begin() + static_cast<ptrdiff_t>(size));
      const Parsed parsed = ParsedOf(TestPacket(cut));
      CHECK((parsed.drop == DropReason::kTruncated || parsed.drop == DropReason::kIpLengthBad));
      CHECK(parsed.kind == Kind::kNone);
    }
    for (size_t size = end; size <= good.bytes.size(); ++size) {
      const Bytes cut(good.bytes.begin(), good.bytes.begin() + static_cast<ptrdiff_t>(size));
      CHECK(ParsedOf(TestPacket(cut)).kind == good.kind);
    }
  }
}

TEST_CASE("parse: a frame split inside its headers is header_split, behind them it is whole",
          "[net]") {
  for (const GoodFrame& good : GoodFrames()) {
    CAPTURE(good.name);
    const Parsed whole = ParsedOf(TestPacket(good.bytes));
    const size_t end = HeadersEnd(good.bytes, whole);
    for (size_t size = 0; size <= good.bytes.size(); ++size) {
      CAPTURE(size);
      const Parsed parsed = ParsedOf(TestPacket::Split(good.bytes, size));
      CHECK(parsed.drop == (size < end ? DropReason::kHeaderSplit : DropReason::kNone));
      CHECK(parsed.kind == (size < end ? Kind::kNone : good.kind));
    }
  }
}

TEST_CASE("parse: good frames with random damage are judged without a read too far", "[net]") {
  const uint64_t seed = 7;
  CAPTURE(seed);
  Prng prng(seed);
  const auto frames = GoodFrames();
  size_t accepted = 0;
  for (int round = 0; round < 200'000; ++round) {
    Bytes bytes = frames[prng.Below(static_cast<uint32_t>(frames.size()))].bytes;
    for (uint32_t i = prng.Below(4); i > 0; --i) {
      bytes[prng.Below(static_cast<uint32_t>(bytes.size()))] = static_cast<uint8_t>(prng.Next());
    }
    TestPacket packet =
        TestPacket::Split(bytes, prng.Below(static_cast<uint32_t>(bytes.size() + 1)));
    packet.packet().flags = net::kIpChecksumGood;
    const Parsed parsed = ParsedOf(packet);
    if (parsed.kind == Kind::kNone) continue;
    ++accepted;
    REQUIRE(HeadersEnd(bytes, parsed) <= packet.packet().contiguous);
    if (parsed.kind == Kind::kArp) continue;
    REQUIRE(parsed.l3_offset + parsed.ip_length <= packet.packet().length);
    REQUIRE(parsed.l4_offset + parsed.l4_length == parsed.l3_offset + parsed.ip_length);
  }
  CHECK(accepted > 1000);
}
