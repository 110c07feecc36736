// SPDX-License-Identifier: Apache-2.0
//
// The frame that dataplane/mirror/README.md shows is the one that the code makes.
#include <arpa/inet.h>
#include <netinet/in.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#include "dataplane/mirror/flow_batch.h"
#include "dataplane/mirror/frame.h"

namespace tandem::mirror {
namespace {

using flow::FlowHot4;

uint32_t V4(const char* address) {
  return IpAddress::Parse(address)->v4();
}

config::Dictionary ExampleDictionary() {
  config::Dictionary dictionary;
  const auto add = [&](config::ObjectKind kind, uint16_t number, const char* address,
                       uint16_t port) {
    dictionary.Add(kind, number, {number, *IpAddress::Parse(address), port});
  };
  add(config::ObjectKind::kVirtual, 1, "10.1.0.1", 80);
  add(config::ObjectKind::kMember, 1, "10.2.0.1", 8080);
  add(config::ObjectKind::kMember, 2, "10.2.0.2", 8080);
  dictionary.Finish();
  return dictionary;
}

CreateRow<FlowHot4> ExampleFlow(uint32_t slot, flow::Birth birth, config::MemberId member_id) {
  CreateRow<FlowHot4> row;
  row.slot = slot;
  row.value = flow::MakeRegister(birth, 1);
  row.state = flow::State::kEstablished;
  row.flags = flow::kTranslateAddress | flow::kTranslateSource;
  row.protocol = IPPROTO_TCP;
  row.virtual_id = 1;
  row.member_id = member_id;
  row.interface_id = 2;
  row.client_mac = {0x02, 0x00, 0x00, 0x00, 0x00, 0x0a};
  row.client = {V4("198.51.100.7"), V4("10.1.0.1"), htons(40000), htons(80)};
  row.server = {V4(member_id == 1 ? "10.2.0.1" : "10.2.0.2"), V4("10.3.0.1"), htons(8080),
                htons(static_cast<uint16_t>(20000 + slot))};
  return row;
}

std::vector<uint8_t> ExampleFrame() {
  std::vector<uint8_t> frame(kHeaderSize + 256);
  FrameHeader header;
  header.type = FrameType::kFlows;
  header.group = 1;
  header.worker = 0;
  header.flags = static_cast<uint16_t>(StreamState::kInSync);
  header.epoch = 3;
  header.session = 0x5e550001;
  header.sequence = 42;
  header.floor = 40;
  header.dictionary = 5;
  header.stamp = 1000000;
  WriteHeader(header, std::span<uint8_t, kHeaderSize>(frame.data(), kHeaderSize));
  const config::Dictionary dictionary = ExampleDictionary();
  FlowBatchWriter writer;
  writer.Begin(256, dictionary);
  REQUIRE(writer.AddCreate(ExampleFlow(7, 1000, 1)));
  REQUIRE(writer.AddCreate(ExampleFlow(9, 1001, 2)));
  REQUIRE(writer.AddClose(false, {5, flow::MakeRegister(990, 4)}));
  frame.resize(kHeaderSize + writer.Finish(frame.data() + kHeaderSize));
  frame.resize(frame.size() + kTagSize);  // without authentication the tag is zero
  return frame;
}

std::string Hex(const std::vector<uint8_t>& bytes) {
  std::string text;
  for (const uint8_t byte : bytes) {
    char digits[4];
    std::snprintf(digits, sizeof(digits), "%02x ", byte);
    text += digits;
  }
  return text;
}

// The bytes of the block marked `frame`; what follows a | in a line is explanation.
std::string HexOfReadme() {
  std::ifstream file("dataplane/mirror/README.md");
  std::string line;
  std::string text;
  bool is_inside = false;
  while (std::getline(file, line)) {
    if (line.starts_with("```")) is_inside = line == "```frame";
    if (!is_inside || line.starts_with("```")) continue;
    std::istringstream words(line.substr(0, line.find('|')));
    for (std::string word; words >> word;)
      text += word + " ";
  }
  return text;
}

}  // namespace

TEST_CASE("the frame of the documentation is the one the code makes") {
  CHECK(HexOfReadme() == Hex(ExampleFrame()));
}

}  // namespace tandem::mirror
