// SPDX-License-Identifier: Apache-2.0
#include "control/daemon_options.h"

#include <catch2/catch.hpp>

#include "control/config_load.h"

namespace tandem::control {
namespace {

constexpr char kText[] = R"(device {
  name: "lb:1/x" lcores: "0@0,1@1,2@2" memory_mib: 300 eal_args: "--no-telemetry" hugepages: false
}
port { name: "p0" device: "net_null0" mtu: 9000 promiscuous: true rx_descriptors: 256 }
port { name: "p1" device: "0000:03:00.0" }
vlan { name: "a" port: "p0" tag: 1 facing: CLIENT }
vlan { name: "b" port: "p0" tag: 2 facing: CLIENT }
vlan { name: "c" port: "p1" tag: 3 facing: SERVER }
vlan { name: "d" port: "p1" tag: 4 }
self_ip { name: "s" address: "10.0.0.1/24" vlan: "a" }
traffic_group { name: "t1" mac: "02:00:5e:00:00:01" }
traffic_group { name: "t2" mac: "02:00:5e:00:00:01" }
traffic_group { name: "t3" }
)";

Document Load() {
  auto document = LoadConfigText(kText, "f");
  REQUIRE(document.status().message() == "");
  return *std::move(document);
}

}  // namespace

TEST_CASE("ports become io's options, with the place they were written at") {
  const std::vector<io::PortOptions> ports = PortOptionsOf(Load());
  REQUIRE(ports.size() == 2);
  CHECK(ports[0].name == "p0");
  CHECK(ports[0].where == "f:4:1");
  CHECK(ports[0].device == "net_null0");
  CHECK(ports[0].mtu == 9000);
  CHECK(ports[0].promiscuous);
  CHECK(ports[0].rx_descriptors == 256);
  CHECK(ports[0].tx_descriptors == 1024);
  CHECK(ports[1].mtu == 1500);
}

TEST_CASE("a port faces one side only when all of its VLANs do") {
  const std::vector<io::PortOptions> ports = PortOptionsOf(Load());
  CHECK(ports[0].facing == config::Facing::kClient);
  CHECK(ports[1].facing == config::Facing::kBoth);
}

TEST_CASE("the device section becomes EAL's options") {
  const Document document = Load();
  const io::EalOptions options =
      EalOptionsOf(document.config(), PortOptionsOf(document), MirrorPortOptionsOf(document));
  CHECK(options.file_prefix == "lb-1-x");
  CHECK(options.lcores == "0@0,1@1,2@2");
  CHECK(options.workers == 2);
  CHECK_FALSE(options.hugepages);
  CHECK(options.memory_mib == 300);
  CHECK(options.extra == std::vector<std::string>{"--no-telemetry"});
  CHECK(options.devices == std::vector<std::string>{"net_null0", "0000:03:00.0"});
  // 2 workers x (256 + 3 x 1024) descriptors of buffers for jumbo frames.
  CHECK(options.memory_needed > 2 * 3328 * 9216);
}

TEST_CASE("masquerade MACs are collected once each") {
  CHECK(MasqueradeMacs(Load().config()) == std::vector<MacAddress>{*ParseMac("02:00:5e:00:00:01")});
}

}  // namespace tandem::control
