// SPDX-License-Identifier: Apache-2.0
#include "dataplane/config/steering.h"

#include <arpa/inet.h>
#include <rte_thash.h>

#include <catch2/catch.hpp>
#include <set>
#include <vector>

#include "dataplane/base/limits.h"
#include "dataplane/base/prng.h"

using tandem::Prng;
using tandem::config::kDefaultRssKey;
using tandem::config::kRetaSize;
using tandem::config::kRssKeySize;
using tandem::config::Steering;
using tandem::net::Ipv6Bytes;

namespace {

// rte_softrss takes whole words in host byte order; the zeros behind the port add nothing.
uint32_t Reference(std::vector<uint32_t> words, uint16_t port) {
  words.push_back(uint32_t{ntohs(port)} << 16);
  return rte_softrss(words.data(), static_cast<uint32_t>(words.size()), kDefaultRssKey.data());
}

Ipv6Bytes RandomV6(Prng& prng) {
  Ipv6Bytes address;
  for (uint8_t& byte : address.bytes)
    byte = static_cast<uint8_t>(prng.Below(256));
  return address;
}

uint32_t Reference(const Ipv6Bytes& address, uint16_t port) {
  std::vector<uint32_t> words(4);
  for (size_t i = 0; i < 4; ++i) {
    uint32_t word = 0;
    std::memcpy(&word, address.bytes + 4 * i, 4);
    words[i] = ntohl(word);
  }
  return Reference(words, port);
}

}  // namespace

TEST_CASE("steering: the hash is DPDK's rte_softrss over address and port", "[config]") {
  const Steering steering(3);
  Prng prng(1);
  for (int i = 0; i < 2000; ++i) {
    const auto address = static_cast<uint32_t>(prng.Next());
    const auto port = static_cast<uint16_t>(prng.Next() >> 16);
    REQUIRE(steering.HashOf(address, port) ==
            Reference(std::vector<uint32_t>{ntohl(address)}, port));
    const Ipv6Bytes v6 = RandomV6(prng);
    REQUIRE(steering.HashOf(v6, port) == Reference(v6, port));
  }
}

TEST_CASE("steering: the owner is the redirection table's entry for the hash", "[config]") {
  Prng prng(2);
  for (const unsigned workers : {1U, 2U, 3U, 7U, 64U}) {
    for (const size_t reta_size : {size_t{64}, size_t{128}, kRetaSize}) {
      const Steering steering(workers, kDefaultRssKey, reta_size);
      CHECK(steering.workers() == workers);
      CHECK(steering.reta_size() == reta_size);
      for (int i = 0; i < 200; ++i) {
        const auto address = static_cast<uint32_t>(prng.Next());
        const auto port = static_cast<uint16_t>(prng.Next() >> 16);
        const uint32_t hash = steering.HashOf(address, port);
        const unsigned owner = steering.OwnerOf(address, port);
        REQUIRE(owner < workers);
        // A NIC with as many entries, or with more.
        REQUIRE(owner == steering.RetaEntry(hash % reta_size));
        REQUIRE(owner == steering.RetaEntry(hash % (4 * reta_size)));
        REQUIRE(owner == steering.OwnerOf(steering.HashAddress(address), port));
        const Ipv6Bytes v6 = RandomV6(prng);
        REQUIRE(steering.OwnerOf(v6, port) == steering.RetaEntry(steering.HashOf(v6, port)));
        REQUIRE(steering.OwnerOf(v6, port) == steering.OwnerOf(steering.HashAddress(v6), port));
      }
    }
  }
}

TEST_CASE("steering: a key of one's own is used", "[config]") {
  std::array<uint8_t, kRssKeySize> key{};
  key[0] = 0x80;  // only the first input bit counts, and sets the first bit of the hash
  const Steering steering(2, key);
  CHECK(steering.HashOf(htonl(0x80000000U), 0) == 0x80000000U);
  CHECK(steering.HashOf(htonl(0x7fffffffU), 0xffff) == 0U);
  CHECK(steering.key()[0] == 0x80);
}

TEST_CASE("steering: one client's ports spread evenly over the workers", "[config]") {
  Prng prng(3);
  for (const unsigned workers : {2U, 3U, 8U, 64U}) {
    const Steering steering(workers);
    for (int round = 0; round < 8; ++round) {
      const auto address = static_cast<uint32_t>(prng.Next());
      const Ipv6Bytes v6 = RandomV6(prng);
      // Linux gives connect() even ports first.
      for (const uint16_t step : {uint16_t{1}, uint16_t{2}}) {
        std::vector<double> v4_count(workers);
        std::vector<double> v6_count(workers);
        double all = 0;
        for (uint32_t port = 32768; port < 65536; port += step) {
          const uint16_t port_be = htons(static_cast<uint16_t>(port));
          ++v4_count[steering.OwnerOf(address, port_be)];
          ++v6_count[steering.OwnerOf(v6, port_be)];
          ++all;
        }
        for (unsigned worker = 0; worker < workers; ++worker) {
          REQUIRE(v4_count[worker] * workers == Approx(all).epsilon(0.02));
          REQUIRE(v6_count[worker] * workers == Approx(all).epsilon(0.02));
        }
      }
    }
  }
}

TEST_CASE("steering: the hosts of a /24 with one port spread over the workers", "[config]") {
  const Steering steering(4);
  std::vector<int> count(4);
  for (uint32_t host = 0; host < 256; ++host) {
    ++count[steering.OwnerOf(htonl(0x0a000000U + host), htons(5060))];
  }
  for (const int clients : count)
    CHECK(clients == 64);
}

TEST_CASE("steering: the key has no period", "[config]") {
  // A key that repeats after 16 bits hashes both directions alike, and IPv6 addresses badly.
  for (size_t period = 1; period < kRssKeySize / 2; ++period) {
    size_t same = 0;
    for (size_t i = 0; i + period < kRssKeySize; ++i) {
      if (kDefaultRssKey[i] == kDefaultRssKey[i + period]) ++same;
    }
    CHECK(same <= 3);
  }
}
