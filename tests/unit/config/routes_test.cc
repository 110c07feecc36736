// SPDX-License-Identifier: Apache-2.0
#include "dataplane/config/routes.h"

#include <catch2/catch.hpp>

#include "dataplane/config/address_index.h"

using tandem::IpAddress;
using tandem::IpPrefix;
using tandem::config::AddressIndex;
using tandem::config::LinearRoutes;
using tandem::config::LocalAddress;
using tandem::config::Route;

namespace {

Route Make(const char* name, const char* network) {
  return {.name = name, .network = *IpPrefix::Parse(network)};
}

}  // namespace

TEST_CASE("routes: the longest match of the destination's family wins", "[config]") {
  const LinearRoutes routes({Make("default", "0.0.0.0/0"), Make("ten", "10.0.0.0/8"),
                             Make("default6", "::/0"), Make("host", "10.1.1.1/32"),
                             Make("lan", "10.1.1.0/24"), Make("lan again", "10.1.1.0/24")});
  const auto name_of = [&](const char* destination) {
    return routes.Lookup(*IpAddress::Parse(destination))->name;
  };
  CHECK(name_of("10.1.1.1") == "host");
  CHECK(name_of("10.1.1.2") == "lan");
  CHECK(name_of("10.2.1.2") == "ten");
  CHECK(name_of("11.0.0.1") == "default");
  CHECK(name_of("2001:db8::1") == "default6");
  CHECK(routes.routes().size() == 6);
}

TEST_CASE("routes: without a match there is none", "[config]") {
  const LinearRoutes routes({Make("ten", "10.0.0.0/8")});
  CHECK(routes.Lookup(*IpAddress::Parse("11.0.0.1")) == nullptr);
  CHECK(routes.Lookup(*IpAddress::Parse("::1")) == nullptr);
}

TEST_CASE("address index: roles of one address add up, the first says where it lives", "[config]") {
  AddressIndex index;
  const auto address = *IpAddress::Parse("10.0.0.1");
  index.Add({.address = address,
             .roles = tandem::config::kSelfIp,
             .interface = 3,
             .arp = true,
             .icmp_echo = false});
  index.Add({.address = address,
             .roles = tandem::config::kVirtualAddress,
             .traffic_group = 1,
             .arp = false,
             .icmp_echo = true});
  const LocalAddress* found = index.Find(address);
  REQUIRE(found != nullptr);
  CHECK(found->roles == (tandem::config::kSelfIp | tandem::config::kVirtualAddress));
  CHECK(found->interface == 3);
  CHECK(found->traffic_group == 0);
  CHECK(found->arp);
  CHECK(found->icmp_echo);
  CHECK(index.Find(*IpAddress::Parse("10.0.0.2")) == nullptr);
  CHECK(index.all().size() == 1);
}
