// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/pcap_file.h"

#include <pcap/pcap.h>

#include <catch2/catch.hpp>

#include "tests/support/temp_dir.h"

namespace tandem::pktgen {
namespace {

using Frames = std::vector<std::vector<uint8_t>>;

void WritePcap(const std::string& path, int link_type, const Frames& frames, uint32_t cut = 0) {
  pcap_t* const pcap = pcap_open_dead(link_type, 65535);
  pcap_dumper_t* const dumper = pcap_dump_open(pcap, path.c_str());
  REQUIRE(dumper != nullptr);
  for (const auto& frame : frames) {
    pcap_pkthdr header = {};
    header.len = static_cast<uint32_t>(frame.size());
    header.caplen = header.len - cut;
    pcap_dump(reinterpret_cast<uint8_t*>(dumper), &header, frame.data());
  }
  pcap_dump_close(dumper);
  pcap_close(pcap);
}

TEST_CASE("pcap file: its frames, padded to what Ethernet carries", "[pktgen]") {
  const test::TempDir directory;
  const std::string path = directory.path() + "/a.pcap";
  WritePcap(path, DLT_EN10MB, {std::vector<uint8_t>(1514, 7), std::vector<uint8_t>(20, 9)});
  const auto frames = ReadPcap(path, 1518);
  REQUIRE(frames.ok());
  REQUIRE(frames->size() == 2);
  CHECK((*frames)[0] == std::vector<uint8_t>(1514, 7));
  CHECK((*frames)[1].size() == 60);
  CHECK((*frames)[1][19] == 9);
  CHECK((*frames)[1][20] == 0);
}

TEST_CASE("pcap file: what cannot be replayed is refused, and why", "[pktgen]") {
  const test::TempDir directory;
  const std::string path = directory.path() + "/a.pcap";
  const auto refusal = [&] { return std::string(ReadPcap(path, 1518).status().message()); };
  CHECK(refusal().find("No such file") != std::string::npos);
  WritePcap(path, DLT_RAW, {{1, 2, 3}});
  CHECK(refusal().find("not Ethernet") != std::string::npos);
  WritePcap(path, DLT_EN10MB, {});
  CHECK(refusal().find("no frames") != std::string::npos);
  WritePcap(path, DLT_EN10MB, {std::vector<uint8_t>(100)}, 10);
  CHECK(refusal().find("frame 1 was cut off") != std::string::npos);
  WritePcap(path, DLT_EN10MB, {std::vector<uint8_t>(1519)});
  CHECK(refusal().find("frame 1 has 1519 bytes") != std::string::npos);
}

}  // namespace
}  // namespace tandem::pktgen
