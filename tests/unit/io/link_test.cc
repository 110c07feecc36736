// SPDX-License-Identifier: Apache-2.0
#include <rte_ethdev.h>

#include <catch2/catch.hpp>
#include <vector>

#include "dataplane/config/steering.h"
#include "dataplane/io/kernel_link.h"
#include "dataplane/io/link_watch.h"
#include "dataplane/io/ports.h"
#include "tests/unit/io/eal_for_test.h"

namespace tandem::io {

TEST_CASE("which interface of the kernel's is behind a device") {
  CHECK(KernelInterface("net_af_packet0,iface=eth0,qpairs=2") == "eth0");
  CHECK(KernelInterface("net_af_xdp1,start_queue=1,iface=eth1") == "eth1");
  CHECK(KernelInterface("net_tap0,iface=tap0").empty());
  CHECK(KernelInterface("net_af_packet0").empty());
  CHECK(KernelInterface("0000:03:00.0").empty());
}

TEST_CASE("an interface that is not there has no link; where none is meant it is up") {
  CHECK_FALSE(KernelLink("nosuchiface").IsUp());
  CHECK(KernelLink("").IsUp());
}

TEST_CASE("the link watch tells each time how a link is, and changes are counted") {
  NeedEal();
  PortOptions options;
  options.name = "p";
  options.device = "net_ring_link0";
  options.rx_descriptors = 64;
  options.tx_descriptors = 64;
  auto ports = Ports::Open(std::vector{options}, 1);
  REQUIRE(ports.ok());
  REQUIRE((*ports)->Start(config::Steering(1)).ok());
  Port& port = (*ports)->port(0);
  std::vector<bool> said;
  LinkWatch watch({{&port, [&said](bool is_up) { said.push_back(is_up); }}});
  const uint32_t before = port.link_changes();
  watch.Look();
  CHECK(port.link_changes() == before);
  rte_eth_dev_set_link_down(port.id());
  watch.Look();
  watch.Look();
  rte_eth_dev_set_link_up(port.id());
  watch.Look();
  CHECK(said == std::vector<bool>{true, false, false, true});
  CHECK(port.link_changes() == before + 2);
  CHECK(port.Status().link_up);
}

}  // namespace tandem::io
