// SPDX-License-Identifier: Apache-2.0
//
// The small parts that loading is made of: endpoints, lcore lists, networks by prefix.
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "control/config_endpoint.h"
#include "control/config_lcores.h"
#include "control/config_networks.h"
#include "dataplane/base/prng.h"

namespace tandem::control {
namespace {

TEST_CASE("config endpoint: every form is read, and printed in its shortest", "[config]") {
  const std::vector<std::pair<const char*, const char*>> forms = {
      {"10.0.0.1:80", "10.0.0.1:80"},
      {"10.0.0.1/32:80", "10.0.0.1:80"},
      {"10.1.0.0/16:any", "10.1.0.0/16:any"},
      {"10.0.0.1:0", "10.0.0.1:any"},
      {"10.0.0.1:65535", "10.0.0.1:65535"},
      {"any:80", "any:80"},
      {"0.0.0.0/0:0", "any:any"},
      {"0.0.0.0:80", "0.0.0.0:80"},
      {"any6:any", "any6:any"},
      {"[::/0]:53", "any6:53"},
      {"[2001:DB8::1]:53", "[2001:db8::1]:53"},
      {"[2001:db8::/32]:any", "[2001:db8::/32]:any"},
      {"[2001:db8::1/128]:1", "[2001:db8::1]:1"},
  };
  for (const auto& [text, printed] : forms) {
    INFO(text);
    const auto endpoint = ParseEndpoint(text);
    REQUIRE(endpoint.ok());
    CHECK(FormatEndpoint(endpoint->prefix, endpoint->port) == printed);
    CHECK(*ParseEndpoint(printed) == *endpoint);
  }
}

TEST_CASE("config endpoint: anything else is refused", "[config]") {
  for (const char* text : {"",
                           ":",
                           "any",
                           "10.0.0.1",
                           ":80",
                           "10.0.0.1:",
                           "10.0.0.1:65536",
                           "10.0.0.1:-1",
                           "10.0.0.1:80 ",
                           " 10.0.0.1:80",
                           "10.0.0.1:8 0",
                           "10.0.0:80",
                           "10.0.0.1/33:80",
                           "10.0.0.1/:80",
                           "[10.0.0.1]:80",
                           "2001:db8::1:80",
                           "2001:db8::1.80",
                           "[2001:db8::1]",
                           "[2001:db8::1]80",
                           "[2001:db8::1",
                           "[]:80",
                           "[2001:db8::/129]:80",
                           "[fe80::1%eth0]:80",
                           "[::ffff:10.0.0.1]:80",
                           "::ffff:10.0.0.1:80",
                           "any4:80",
                           "ANY:80",
                           "*:80",
                           "[any6]:80"}) {
    INFO(text);
    CHECK_FALSE(ParseEndpoint(text).ok());
  }
}

TEST_CASE("config lcores: EAL's syntax is counted", "[config]") {
  const auto lcores = [](const char* text) {
    const auto parsed = ParseLcores(text);
    std::vector<size_t> ids;
    for (size_t i = 0; parsed.ok() && i < kLcoresMax; ++i) {
      if (parsed->test(i)) ids.push_back(i);
    }
    return ids;
  };
  using Ids = std::vector<size_t>;
  CHECK(lcores("0@0,1@2,2@3") == Ids{0, 1, 2});
  CHECK(lcores("0-3") == Ids{0, 1, 2, 3});
  CHECK(lcores("(0,2)@5") == Ids{0, 2});
  CHECK(lcores("0,(1-3)@(2,4-6),127@1023") == Ids{0, 1, 2, 3, 127});
  for (const char* text : {"", ",", "0,", "a", "0@", "0@x", "(0", "0)", "3-1", "128", "0@1024",
                           "0,0", "0-2,2", "-1", "0 ,1", "0@0@0", "()", "99999999999999999999"}) {
    INFO(text);
    CHECK_FALSE(ParseLcores(text).ok());
  }
}

TEST_CASE("config lcores: workers are all lcores but the lowest", "[config]") {
  config::v1::Device device;
  CHECK(WorkerCount(device) == 1);
  device.set_workers(3);
  CHECK(WorkerCount(device) == 3);
  device.set_lcores("4@0,5@1,9@1");
  CHECK(WorkerCount(device) == 2);
}

TEST_CASE("config networks: the longest one is found, as by comparing all", "[config]") {
  constexpr uint64_t kSeed = 20240611;
  INFO("seed " << kSeed);
  Prng prng(kSeed);
  const auto random_prefix = [&]() {
    const bool v4 = prng.Below(2) == 0;
    std::array<uint8_t, 16> bytes = {0x20, 0x01};
    bytes[2] = static_cast<uint8_t>(prng.Below(4) << 6);
    bytes[15] = static_cast<uint8_t>(prng.Below(4));
    uint32_t address = 0;
    const uint8_t v4_bytes[4] = {10, bytes[2], 0, bytes[15]};
    std::memcpy(&address, v4_bytes, 4);
    const uint8_t length = static_cast<uint8_t>(prng.Below(v4 ? 33 : 129));
    return IpPrefix{v4 ? IpAddress::V4(address) : IpAddress::V6(bytes.data()), length};
  };
  for (int round = 0; round < 50; ++round) {
    Networks networks;
    std::vector<IpPrefix> all;
    for (uint32_t i = prng.Below(20); i > 0; --i) {
      all.push_back(random_prefix());
      networks.Add(all.back(), static_cast<int>(all.size()) - 1);
    }
    for (int i = 0; i < 50; ++i) {
      const IpPrefix wanted = random_prefix();
      std::optional<int> expected;
      for (size_t k = 0; k < all.size(); ++k) {
        if (all[k].length > wanted.length || !all[k].Contains(wanted.address)) continue;
        if (!expected || all[k].length > all[static_cast<size_t>(*expected)].length) {
          expected = static_cast<int>(k);
        }
      }
      CHECK(networks.Find(wanted) == expected);
    }
  }
}

}  // namespace
}  // namespace tandem::control
