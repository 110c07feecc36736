// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/ip_address.h"

#include <array>
#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "dataplane/base/time.h"

using tandem::IpAddress;
using tandem::IpPrefix;

TEST_CASE("ip address: text round trip in both families", "[base]") {
  for (const char* text : {"10.0.0.1", "255.255.255.255", "::", "2001:db8::1", "fe80::1"}) {
    const auto address = IpAddress::Parse(text);
    REQUIRE(address);
    CHECK(address->ToString() == text);
  }
  for (const char* text :
       {"", "10.0.0", "10.0.0.256", "10.0.0.1:80", "fe80::1%eth0", "x", " 10.0.0.1"}) {
    CHECK_FALSE(IpAddress::Parse(text));
  }
}

TEST_CASE("ip prefix: parsing bounds the length by the family", "[base]") {
  CHECK(IpPrefix::Parse("10.0.0.0/8")->length == 8);
  CHECK(IpPrefix::Parse("10.0.0.1")->length == 32);
  CHECK(IpPrefix::Parse("::/0")->length == 0);
  CHECK(IpPrefix::Parse("2001:db8::1")->length == 128);
  for (const char* text :
       {"10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "/8"}) {
    CHECK_FALSE(IpPrefix::Parse(text));
  }
}

TEST_CASE("ip prefix: contains its own network and nothing of the other family", "[base]") {
  const auto prefix = *IpPrefix::Parse("10.1.2.3/20");
  CHECK(prefix.Contains(*IpAddress::Parse("10.1.15.255")));
  CHECK_FALSE(prefix.Contains(*IpAddress::Parse("10.1.16.0")));
  CHECK(prefix.Network().ToString() == "10.1.0.0/20");
  CHECK(prefix.Broadcast().ToString() == "10.1.15.255");
  CHECK_FALSE(IpPrefix::Parse("0.0.0.0/0")->Contains(*IpAddress::Parse("::1")));
  CHECK_FALSE(IpPrefix::Parse("::/0")->Contains(*IpAddress::Parse("10.0.0.1")));
  CHECK(IpPrefix::Parse("2001:db8:8000::/33")->Contains(*IpAddress::Parse("2001:db8:ffff::1")));
}

TEST_CASE("ip address: the hash tells addresses of both families apart", "[base]") {
  std::set<size_t> hashes;
  for (int i = 0; i < 100; ++i) {
    const std::string last = std::to_string(i);
    hashes.insert(tandem::IpAddressHash()(*IpAddress::Parse("10.0.0." + last)));
    hashes.insert(tandem::IpAddressHash()(*IpAddress::Parse("2001:db8::" + last)));
  }
  CHECK(hashes.size() == 200);
}

TEST_CASE("mac address: text round trip, strict form", "[base]") {
  const auto mac = tandem::ParseMac("02:00:00:0a:ff:01");
  REQUIRE(mac);
  CHECK(tandem::ToString(*mac) == "02:00:00:0a:ff:01");
  for (const char* text : {"", "02:00:00:0a:ff", "02-00-00-0a-ff-01", "0g:00:00:00:00:00"}) {
    CHECK_FALSE(tandem::ParseMac(text));
  }
}

TEST_CASE("ip prefix: of every length, bit by bit", "[base]") {
  for (const char* text : {"255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}) {
    const IpAddress ones = *IpAddress::Parse(text);
    const unsigned first = ones.is_v4() ? 96 : 0;
    for (unsigned length = 0; first + length <= 128; ++length) {
      const IpPrefix prefix{ones, static_cast<uint8_t>(length)};
      std::array<uint8_t, 16> expected = ones.bytes();
      for (unsigned bit = first + length; bit < 128; ++bit)
        expected[bit / 8] = static_cast<uint8_t>(expected[bit / 8] & ~(0x80U >> bit % 8));
      CHECK(prefix.Network().address.bytes() == expected);
      for (unsigned bit = first; bit < 128; ++bit) {
        std::array<uint8_t, 16> flipped = ones.bytes();
        flipped[bit / 8] = static_cast<uint8_t>(flipped[bit / 8] ^ (0x80U >> bit % 8));
        CHECK(prefix.Contains(IpAddress::V6(flipped.data())) == (bit >= first + length));
      }
    }
  }
}

TEST_CASE("ticks: rounded up, compared across the wrap", "[base]") {
  CHECK(tandem::TicksIn(0) == 0);
  CHECK(tandem::TicksIn(1) == 1);
  CHECK(tandem::NanosIn(tandem::TicksIn(5 * tandem::kSecond)) >= 5 * tandem::kSecond);
  CHECK(tandem::TicksBetween(0xfffffff0U, 0x10U) == 0x20);
  CHECK(tandem::TicksBetween(0x10U, 0xfffffff0U) == -0x20);
}
