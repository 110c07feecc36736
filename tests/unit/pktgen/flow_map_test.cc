// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/flow_map.h"

#include <catch2/catch.hpp>
#include <set>

#include "tests/support/packet_builder.h"

namespace tandem::pktgen {
namespace {

using test::Ip;

TEST_CASE("flow map: flow and tuple are each other's inverse", "[pktgen]") {
  const std::string clients =
      GENERATE("10.0.0.0/28", "10.0.0.250-10.0.1.5", "2001:db8::ff00-2001:db8::ff20");
  const FlowMap map(*AddressRange::Parse(clients), 65500, 65535);
  std::set<std::pair<IpAddress, uint16_t>> seen;
  for (uint32_t flow = 0; flow < map.flows_max(); ++flow) {
    const ClientTuple tuple = map.TupleOf(flow);
    REQUIRE(map.FlowOf(tuple) == flow);
    seen.insert({tuple.address, tuple.port});
  }
  CHECK(seen.size() == map.flows_max());
}

TEST_CASE("flow map: strangers have no flow", "[pktgen]") {
  const FlowMap map(*AddressRange::Parse("10.0.0.0/28"), 1024, 2047);
  CHECK(map.flows_max() == 14 * 1024);
  CHECK_FALSE(map.FlowOf({Ip("10.0.0.0"), 1024}));
  CHECK_FALSE(map.FlowOf({Ip("10.0.0.15"), 1024}));
  CHECK_FALSE(map.FlowOf({Ip("10.0.0.1"), 1023}));
  CHECK_FALSE(map.FlowOf({Ip("10.0.0.1"), 2048}));
  CHECK_FALSE(map.FlowOf({Ip("::10.0.0.1"), 1024}));
}

TEST_CASE("address range: prefixes, ends, single addresses", "[pktgen]") {
  CHECK(AddressRange::Parse("10.0.0.0/16")->count() == 65534);
  CHECK(AddressRange::Parse("10.0.0.0/16")->At(0) == Ip("10.0.0.1"));
  CHECK(AddressRange::Parse("10.0.0.0/16")->At(65533) == Ip("10.0.255.254"));
  CHECK(AddressRange::Parse("10.0.0.0/31")->count() == 2);
  CHECK(AddressRange::Parse("10.0.0.7")->count() == 1);
  CHECK(AddressRange::Parse("10.0.0.7-10.0.0.7")->count() == 1);
  CHECK(AddressRange::Parse("2001:db8::/64")->count() == AddressRange::kCountMax - 1);
  CHECK(AddressRange::Parse("2001:db8::/64")->At(0) == Ip("2001:db8::1"));
  for (const char* text : {"", "10.0.0.0/33", "10.0.0.2-10.0.0.1", "10.0.0.1-2001:db8::1", "a-b",
                           "2001:db8::-2001:db9::", "10.0.0.1-"}) {
    INFO(text);
    CHECK_FALSE(AddressRange::Parse(text));
  }
}

}  // namespace
}  // namespace tandem::pktgen
