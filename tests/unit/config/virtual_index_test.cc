// SPDX-License-Identifier: Apache-2.0
#include "dataplane/config/virtual_index.h"

#include <netinet/in.h>

#include <catch2/catch.hpp>
#include <string>
#include <tuple>

#include "dataplane/base/prng.h"

using tandem::IpAddress;
using tandem::IpPrefix;
using tandem::Prng;
using tandem::config::Virtual;
using tandem::config::VirtualIndex;
using Query = VirtualIndex::Query;

namespace {

bool Matches(const Virtual& candidate, const Query& query) {
  return candidate.destination.Contains(query.destination) &&
         (candidate.source.length == 0 || candidate.source.Contains(query.source)) &&
         (candidate.port == 0 || candidate.port == query.destination_port) &&
         (candidate.protocol == 0 || candidate.protocol == query.protocol) &&
         candidate.ListensOn(query.interface);
}

// The rule of virtual_index.h, tried on every virtual.
const Virtual* Reference(const std::vector<Virtual>& virtuals, const Query& query) {
  const auto rank = [](const Virtual& v) {
    return std::tuple(v.destination.length, v.source.length, v.port != 0, v.protocol != 0, -v.id);
  };
  const Virtual* best = nullptr;
  for (const Virtual& candidate : virtuals) {
    if (candidate.id == 0 || !Matches(candidate, query)) continue;
    if (best == nullptr || rank(candidate) > rank(*best)) best = &candidate;
  }
  return best;
}

// Few distinct values, so that configurations overlap and queries hit.
IpAddress RandomAddress(Prng& prng, bool v4) {
  std::array<uint8_t, 16> bytes{};
  bytes[v4 ? 10 : 0] = v4 ? 0xff : 0x20;
  bytes[v4 ? 11 : 1] = v4 ? 0xff : 0x01;
  for (size_t i : {12U, 13U, 15U})
    bytes[i] = static_cast<uint8_t>(prng.Below(3) * 0x7f);
  if (!v4) bytes[6] = static_cast<uint8_t>(prng.Below(2));
  return IpAddress::V6(bytes.data());
}

IpPrefix RandomPrefix(Prng& prng, bool v4) {
  static constexpr uint8_t kV4[] = {0, 1, 8, 15, 16, 24, 31, 32};
  static constexpr uint8_t kV6[] = {0, 16, 55, 56, 63, 64, 96, 104, 127, 128};
  const uint8_t length = v4 ? kV4[prng.Below(8)] : kV6[prng.Below(10)];
  return {RandomAddress(prng, v4), length};
}

uint8_t RandomProtocol(Prng& prng) {
  static constexpr uint8_t kProtocols[] = {0, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP};
  return kProtocols[prng.Below(4)];
}

std::vector<Virtual> RandomVirtuals(Prng& prng, uint32_t count) {
  std::vector<Virtual> virtuals(count + 1);
  for (uint32_t id = 1; id <= count; ++id) {
    if (prng.Below(8) == 0) continue;  // a hole
    Virtual& v = virtuals[id];
    v.id = static_cast<tandem::config::VirtualId>(id);
    const bool v4 = prng.Below(2) == 0;
    v.enabled = prng.Below(4) != 0;
    v.destination = RandomPrefix(prng, v4);
    if (prng.Below(2) == 0) v.source = RandomPrefix(prng, v4);
    if (prng.Below(20) == 0) v.source = RandomPrefix(prng, !v4);
    v.port = static_cast<uint16_t>(prng.Below(3) * 80);
    v.protocol = RandomProtocol(prng);
    if (prng.Below(2) == 0) {
      for (uint32_t i = 0; i < prng.Below(5); ++i)
        v.interfaces.push_back(prng.Below(2) == 0);
    }
  }
  return virtuals;
}

Virtual Make(uint16_t id, const char* destination, uint16_t port, uint8_t protocol) {
  Virtual v;
  v.id = id;
  v.name = std::to_string(id);
  v.destination = *IpPrefix::Parse(destination);
  v.port = port;
  v.protocol = protocol;
  return v;
}

}  // namespace

TEST_CASE("virtual index: agrees with trying every virtual, on random configurations", "[config]") {
  const auto seed = GENERATE(range(uint64_t{1}, uint64_t{60}));
  CAPTURE(seed);
  Prng prng(seed);
  const std::vector<Virtual> virtuals = RandomVirtuals(prng, 1 + prng.Below(80));
  VirtualIndex index;
  index.Build(virtuals);
  int hits = 0;
  for (int i = 0; i < 1000; ++i) {
    const bool v4 = prng.Below(2) == 0;
    const Query query{.source = RandomAddress(prng, v4),
                      .destination = RandomAddress(prng, v4),
                      .destination_port = static_cast<uint16_t>(prng.Below(3) * 80),
                      .protocol = RandomProtocol(prng),
                      .interface = static_cast<tandem::config::InterfaceId>(prng.Below(6))};
    const Virtual* expected = Reference(virtuals, query);
    REQUIRE(index.Find(query) == expected);
    if (expected != nullptr) ++hits;
  }
  if (virtuals.size() > 20) CHECK(hits > 100);
}

TEST_CASE("virtual index: destination beats source beats port beats protocol", "[config]") {
  std::vector<Virtual> virtuals(7);
  virtuals[1] = Make(1, "0.0.0.0/0", 80, IPPROTO_TCP);
  virtuals[1].source = *IpPrefix::Parse("192.0.2.1/32");
  virtuals[2] = Make(2, "10.0.0.0/24", 0, 0);
  virtuals[3] = Make(3, "10.0.0.0/24", 0, 0);
  virtuals[3].source = *IpPrefix::Parse("192.0.2.0/24");
  virtuals[4] = Make(4, "10.0.0.5/32", 0, IPPROTO_TCP);
  virtuals[5] = Make(5, "10.0.0.5/32", 80, 0);
  virtuals[6] = Make(6, "10.0.0.5/32", 80, IPPROTO_TCP);
  VirtualIndex index;
  index.Build(virtuals);
  const auto find = [&](const char* source, const char* destination, uint16_t port, uint8_t proto) {
    const Virtual* found = index.Find({.source = *IpAddress::Parse(source),
                                       .destination = *IpAddress::Parse(destination),
                                       .destination_port = port,
                                       .protocol = proto});
    return found == nullptr ? 0 : int{found->id};
  };
  CHECK(find("192.0.2.1", "10.0.0.5", 80, IPPROTO_TCP) == 6);
  CHECK(find("192.0.2.1", "10.0.0.5", 80, IPPROTO_UDP) == 5);
  CHECK(find("192.0.2.1", "10.0.0.5", 81, IPPROTO_TCP) == 4);
  CHECK(find("192.0.2.1", "10.0.0.5", 81, IPPROTO_UDP) == 3);
  CHECK(find("198.51.100.1", "10.0.0.6", 80, IPPROTO_TCP) == 2);
  CHECK(find("192.0.2.1", "10.0.1.6", 80, IPPROTO_TCP) == 1);
  CHECK(find("192.0.2.2", "10.0.1.6", 80, IPPROTO_TCP) == 0);
  CHECK(find("2001:db8::1", "2001:db8::2", 80, IPPROTO_TCP) == 0);
}

TEST_CASE("virtual index: one that does not listen here is passed over, a disabled one is not",
          "[config]") {
  std::vector<Virtual> virtuals(4);
  virtuals[1] = Make(1, "10.0.0.5/32", 80, IPPROTO_TCP);
  virtuals[1].interfaces = {false, true};
  virtuals[2] = Make(2, "10.0.0.5/32", 80, IPPROTO_TCP);
  virtuals[2].interfaces = {false, false, true};
  virtuals[2].enabled = false;
  virtuals[3] = Make(3, "10.0.0.0/24", 0, 0);
  VirtualIndex index;
  index.Build(virtuals);
  const auto find = [&](tandem::config::InterfaceId interface) {
    return index
        .Find({.source = *IpAddress::Parse("192.0.2.1"),
               .destination = *IpAddress::Parse("10.0.0.5"),
               .destination_port = 80,
               .protocol = IPPROTO_TCP,
               .interface = interface})
        ->id;
  };
  CHECK(find(1) == 1);
  CHECK(find(2) == 2);
  CHECK(find(3) == 3);
}

TEST_CASE("virtual index: building again forgets what was there", "[config]") {
  VirtualIndex index;
  std::vector<Virtual> virtuals(2);
  virtuals[1] = Make(1, "0.0.0.0/0", 0, 0);
  const Query query{.source = *IpAddress::Parse("192.0.2.1"),
                    .destination = *IpAddress::Parse("10.0.0.5")};
  CHECK(index.Find(query) == nullptr);
  index.Build(virtuals);
  CHECK(index.Find(query) == &virtuals[1]);
  const std::vector<Virtual> none;
  index.Build(none);
  CHECK(index.Find(query) == nullptr);
}
