// SPDX-License-Identifier: Apache-2.0
#include "dataplane/mirror/frame.h"

#include <catch2/catch.hpp>
#include <vector>

namespace tandem::mirror {
namespace {

FrameHeader Example() {
  FrameHeader header;
  header.type = FrameType::kFlows;
  header.group = 1;
  header.worker = 2;
  header.flags = static_cast<uint16_t>(StreamState::kInSync);
  header.epoch = 0x01020304;
  header.session = 0x05060708;
  header.sequence = 0x1112131415161718;
  header.floor = 0x2122232425262728;
  header.sack = 0x3132333435363738;
  header.credit = 0x4142;
  header.dictionary = 0x4344;
  header.stamp = 0x51525354;
  return header;
}

std::vector<uint8_t> Written(const FrameHeader& header) {
  std::vector<uint8_t> bytes(kHeaderSize);
  WriteHeader(header, std::span<uint8_t, kHeaderSize>(bytes));
  return bytes;
}

}  // namespace

TEST_CASE("a frame's header has the documented bytes") {
  const std::vector<uint8_t> expected = {
      0x7a, 0x4d, 0x01, 0x02, 0x01, 0x02, 0x00, 0x03,  // magic, version, type, group, worker, flags
      0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,  // epoch, session
      0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18,  // sequence
      0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28,  // floor
      0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38,  // sack
      0x41, 0x42, 0x43, 0x44, 0x51, 0x52, 0x53, 0x54,  // credit, dictionary, stamp
  };
  CHECK(Written(Example()) == expected);
}

TEST_CASE("the key's generation has bits of its own") {
  std::vector<uint8_t> bytes = Written(Example());
  CHECK(ReadGeneration(bytes) == 0);
  WriteGeneration(0x12abc, bytes);
  CHECK(bytes[6] == 0xab);
  CHECK(bytes[7] == 0xc3);
  CHECK(ReadGeneration(bytes) == 0xabc);
  FrameHeader read;
  REQUIRE(ReadHeader(bytes, read));
  CHECK(read.flags == Example().flags);
  WriteGeneration(1, bytes);
  CHECK(ReadGeneration(bytes) == 1);
  CHECK(bytes[7] == 0x13);
}

TEST_CASE("a header that was read writes the same bytes") {
  FrameHeader header = Example();
  for (uint8_t type = 1; type <= kFrameTypeMax; ++type) {
    header.type = static_cast<FrameType>(type);
    FrameHeader read;
    REQUIRE(ReadHeader(Written(header), read));
    CHECK(Written(read) == Written(header));
  }
}

TEST_CASE("a header with a magic, version, type or state that there is not is refused") {
  FrameHeader header;
  const auto refused = [&](size_t offset, uint8_t value) {
    auto bytes = Written(Example());
    bytes[offset] = value;
    return !ReadHeader(bytes, header);
  };
  CHECK(refused(0, 0x7b));
  CHECK(refused(1, 0x4e));
  CHECK(refused(2, 0));
  CHECK(refused(2, kFrameVersion + 1));
  CHECK(refused(3, 0));
  CHECK(refused(3, kFrameTypeMax + 1));
  CHECK(refused(7, 0));
  CHECK(refused(7, 5));
  CHECK_FALSE(refused(7, 4));
  auto persist = Written(Example());
  persist[3] = static_cast<uint8_t>(FrameType::kPersist);
  CHECK(ReadHeader(persist, header));
  persist[7] = 0;
  CHECK_FALSE(ReadHeader(persist, header));
}

TEST_CASE("acknowledgements and control frames have no stream state") {
  FrameHeader header = Example();
  for (const FrameType type : {FrameType::kControl, FrameType::kFlowsAck, FrameType::kPersistAck}) {
    header.type = type;
    header.flags = kAuditMismatch;
    FrameHeader read;
    REQUIRE(ReadHeader(Written(header), read));
    CHECK(read.flags == kAuditMismatch);
  }
}

TEST_CASE("a header cut short is refused") {
  const auto bytes = Written(Example());
  FrameHeader header;
  for (size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(ReadHeader({bytes.data(), size}, header));
  }
}

}  // namespace tandem::mirror
