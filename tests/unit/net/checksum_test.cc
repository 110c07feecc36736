// SPDX-License-Identifier: Apache-2.0
#include "dataplane/net/checksum.h"

#include <catch2/catch.hpp>
#include <memory>
#include <vector>

#include "dataplane/base/prng.h"

namespace {

using tandem::Prng;
using tandem::net::ChecksumAdd;
using tandem::net::ChecksumDelta;
using tandem::net::ChecksumFold;
using tandem::net::Ipv6Bytes;

// RFC 1071 section 4.1, word by word in network byte order.
uint16_t ReferenceChecksum(const std::vector<uint8_t>& bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); i += 2) {
    const uint32_t low = i + 1 < bytes.size() ? bytes[i + 1] : 0;
    sum += static_cast<uint32_t>(bytes[i] << 8) + low;
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<uint16_t>(~sum);
}

uint16_t HostOrder(uint16_t wire) {
  return __builtin_bswap16(wire);
}

uint16_t FullChecksum(const void* bytes, size_t length) {
  const auto* from = static_cast<const uint8_t*>(bytes);
  return static_cast<uint16_t>(~ChecksumFold(ChecksumAdd(from, length)));
}

}  // namespace

TEST_CASE("checksum: equals the reference at every length and alignment", "[net]") {
  Prng prng(1);
  for (size_t length = 0; length < 200; ++length) {
    for (size_t offset = 0; offset < 4; ++offset) {
      // Exactly sized, so that a sanitizer sees a read beyond the end.
      const auto buffer = std::make_unique<uint8_t[]>(offset + length);
      for (size_t i = 0; i < offset + length; ++i)
        buffer[i] = static_cast<uint8_t>(prng.Next());
      const std::vector<uint8_t> bytes(buffer.get() + offset, buffer.get() + offset + length);
      const uint16_t sum = FullChecksum(buffer.get() + offset, length);
      REQUIRE(HostOrder(sum) == ReferenceChecksum(bytes));
    }
  }
}

TEST_CASE("checksum: a long run of ones does not overflow the accumulator", "[net]") {
  const std::vector<uint8_t> bytes(65535, 0xff);
  CHECK(HostOrder(FullChecksum(bytes.data(), bytes.size())) == ReferenceChecksum(bytes));
  CHECK(ChecksumFold(~uint64_t{0}) == 0xffff);
  CHECK(ChecksumFold(0) == 0);
  // A sum on top of a sum that is already wide.
  const uint64_t wide = ChecksumAdd(bytes.data(), 4, ~uint64_t{0} - 1);
  CHECK(ChecksumFold(wide) == 0xfffe);
}

TEST_CASE("checksum: the sum of parts is the sum of the whole", "[net]") {
  std::vector<uint8_t> bytes(64);
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<uint8_t>(i * 37);
  for (size_t cut = 0; cut <= bytes.size(); cut += 2) {
    const uint64_t head = ChecksumAdd(bytes.data(), cut);
    const uint64_t both = ChecksumAdd(bytes.data() + cut, bytes.size() - cut, head);
    CHECK(ChecksumFold(both) == ChecksumFold(ChecksumAdd(bytes.data(), bytes.size())));
  }
}

TEST_CASE("checksum delta: equals a full recount after random rewrites", "[net]") {
  const uint64_t seed = 20260;
  CAPTURE(seed);
  Prng prng(seed);
  struct Block {
    Ipv6Bytes address;
    uint32_t address4;
    uint16_t port;
    uint16_t rest;
  } block = {};
  static_assert(sizeof(Block) == 24);
  block.rest = 0x1234;  // a header is never all zero, so the two zeros of RFC 1624 never meet
  uint16_t checksum = FullChecksum(&block, sizeof(block));
  for (int i = 0; i < 2'000'000; ++i) {
    ChecksumDelta delta;
    const uint64_t what = prng.Next();
    if (what & 1) {
      // Zeros and ones as often as anything else: they are the corner cases.
      const auto port = static_cast<uint16_t>(what & 2 ? prng.Next() : (what & 4 ? 0xffff : 0));
      delta.Change16(block.port, port);
      block.port = port;
    }
    if (what & 8) {
      const auto address = static_cast<uint32_t>(what & 16 ? prng.Next() : (what & 32 ? ~0U : 0));
      delta.Change32(block.address4, address);
      block.address4 = address;
    }
    if (what & 64) {
      Ipv6Bytes address;
      for (uint8_t& byte : address.bytes)
        byte = static_cast<uint8_t>(prng.Next());
      delta.Change128(block.address, address);
      block.address = address;
    }
    checksum = delta.Apply(checksum);
    if (checksum != FullChecksum(&block, sizeof(block))) FAIL("rewrite " << i << " went wrong");
  }
  SUCCEED();
}

TEST_CASE("checksum delta: the corner case of RFC 1624 section 4", "[net]") {
  // HC = 0xDD2F, m = 0x5555, m' = 0x3285: equation 3 gives 0x0000, where equation 2 gave 0xFFFF.
  ChecksumDelta delta;
  delta.Change16(0x5555, 0x3285);
  CHECK(delta.Apply(0xdd2f) == 0x0000);
  // Nothing changed: the checksum stays, be it either zero.
  ChecksumDelta none;
  none.Change16(0x1234, 0x1234);
  CHECK(none.Apply(0xdd2f) == 0xdd2f);
  CHECK(none.Apply(0x0001) == 0x0001);
}

TEST_CASE("checksum delta: a wrong checksum stays wrong by the same amount", "[net]") {
  std::vector<uint8_t> bytes = {0x12, 0x34, 0x56, 0x78};
  const auto damaged = static_cast<uint16_t>(FullChecksum(bytes.data(), bytes.size()) ^ 0x0101);
  ChecksumDelta delta;
  delta.Change16(0x3412, 0x7856);
  bytes[0] = 0x56;
  bytes[1] = 0x78;
  CHECK(delta.Apply(damaged) != FullChecksum(bytes.data(), bytes.size()));
}
