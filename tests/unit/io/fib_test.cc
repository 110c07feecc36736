// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/fib.h"

#include <cstring>
#include <random>

#include <catch2/catch.hpp>

#include "tests/unit/io/eal_for_test.h"

namespace tandem::io {
namespace {

using config::LinearRoutes;
using config::Route;
using config::RouteTable;
using Random = std::mt19937_64;

// Few distinct bits, so that networks nest and addresses hit them.
IpAddress SomeAddress(Random& random, bool v4) {
  uint8_t bytes[16] = {};
  for (uint8_t& byte : bytes) {
    byte = static_cast<uint8_t>(random() % 2 != 0 ? 0 : random() % 4 << 6);
  }
  bytes[0] = 0x20;  // not an IPv4-mapped address
  if (!v4) return IpAddress::V6(bytes);
  uint32_t address = 0;
  std::memcpy(&address, bytes, sizeof(address));
  return IpAddress::V4(address);
}

std::vector<Route> SomeRoutes(Random& random, size_t count) {
  std::vector<Route> routes;
  for (size_t i = 0; i < count; ++i) {
    const bool v4 = random() % 2 == 0;
    Route route;
    route.name = std::to_string(i);
    route.network = {SomeAddress(random, v4), static_cast<uint8_t>(random() % (v4 ? 33 : 129))};
    routes.push_back(route);
  }
  return routes;
}

std::string NameOf(const Route* route) {
  return route == nullptr ? "none" : route->name;
}

}  // namespace

TEST_CASE("an empty route table finds nothing") {
  NeedEal();
  const auto table = FibRoutes::Create({});
  REQUIRE(table.ok());
  CHECK((*table)->Lookup(*IpAddress::Parse("10.0.0.1")) == nullptr);
  CHECK((*table)->Lookup(*IpAddress::Parse("2001:db8::1")) == nullptr);
}

TEST_CASE("default routes are found for their own family only") {
  NeedEal();
  Route v4;
  v4.name = "v4";
  v4.network = *IpPrefix::Parse("0.0.0.0/0");
  const auto table = FibRoutes::Create({v4});
  REQUIRE(table.ok());
  CHECK(NameOf((*table)->Lookup(*IpAddress::Parse("255.255.255.255"))) == "v4");
  CHECK((*table)->Lookup(*IpAddress::Parse("2001:db8::1")) == nullptr);
}

TEST_CASE("the route table agrees with a linear search") {
  NeedEal();
  const uint64_t seed = std::random_device{}();
  INFO("seed " << seed);
  Random random(seed);
  for (const size_t count : {1U, 5U, 50U, 500U, 3000U}) {
    const std::vector<Route> routes = SomeRoutes(random, count);
    const LinearRoutes reference(routes);
    const auto table = FibRoutes::Create(routes);
    REQUIRE(table.ok());
    for (int i = 0; i < 2000; ++i) {
      const IpAddress address = SomeAddress(random, random() % 2 == 0);
      INFO(address.ToString());
      REQUIRE(NameOf((*table)->Lookup(address)) == NameOf(reference.Lookup(address)));
    }
  }
}

TEST_CASE("tables can live side by side and go in any order") {
  NeedEal();
  Random random(1);
  std::vector<std::shared_ptr<const RouteTable>> tables;
  for (int i = 0; i < 20; ++i) {
    tables.push_back(*FibRoutes::Create(SomeRoutes(random, 100)));
    if (tables.size() > 3) tables.erase(tables.begin() + static_cast<long>(random() % 3));
  }
  CHECK(tables.back()->routes().size() == 100);
}

}  // namespace tandem::io
