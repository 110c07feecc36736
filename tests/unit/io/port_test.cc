// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/ports.h"

#include <rte_ethdev.h>

#include <catch2/catch.hpp>

#include "dataplane/base/limits.h"
#include "dataplane/io/device.h"
#include "dataplane/io/mbuf.h"
#include "dataplane/io/rss.h"
#include "tests/unit/io/eal_for_test.h"

namespace tandem::io {
namespace {

PortOptions OptionsOf(const std::string& device) {
  PortOptions options;
  options.name = "p";
  options.device = device;
  options.rx_descriptors = 64;
  options.tx_descriptors = 64;
  return options;
}

rte_eth_dev_info InfoWith(uint64_t fields, uint8_t key_size) {
  rte_eth_dev_info info{};
  info.flow_type_rss_offloads = fields;
  info.hash_key_size = key_size;
  return info;
}

}  // namespace

TEST_CASE("a device that does not exist is an error that names port, place and device") {
  NeedEal();
  PortOptions options = OptionsOf("net_af_packet7,iface=nosuchiface");
  options.where = "f:3:1";
  const auto ports = Ports::Open(std::vector{options}, 1);
  REQUIRE_FALSE(ports.ok());
  const std::string message(ports.status().message());
  INFO(message);
  CHECK(message ==
        "f:3:1: port 'p': device 'net_af_packet7,iface=nosuchiface': there is no network interface "
        "'nosuchiface'");
  const auto pci = Ports::Open(std::vector{OptionsOf("0000:ff:1f.7")}, 1);
  CHECK_FALSE(pci.ok());
  const auto driver = Ports::Open(std::vector{OptionsOf("net_nosuchdriver0")}, 1);
  CHECK_FALSE(driver.ok());
}

TEST_CASE("names of devices are those DPDK uses") {
  CHECK(DeviceName("net_tap0,iface=t0") == "net_tap0");
  CHECK(DeviceName("03:00.0") == "0000:03:00.0");
  CHECK(DeviceName("pci:0000:AF:00.1,x=1") == "0000:af:00.1");
  CHECK(DeviceName("auxiliary:mlx5_core.sf.8") == "mlx5_core.sf.8");
}

TEST_CASE("an af_packet device gets rings that hold, and frames for its MTU") {
  CHECK(CompleteDevice("net_af_packet0,iface=v", 1024, 1500) ==
        "net_af_packet0,iface=v,framecnt=4096");
  CHECK(CompleteDevice("net_af_packet0,iface=v,framecnt=64", 1024, 1500) ==
        "net_af_packet0,iface=v,framecnt=64");
  CHECK(CompleteDevice("net_af_packet0,iface=v", 64, 9000) ==
        "net_af_packet0,iface=v,framecnt=256,framesz=9216,blocksz=36864");
  CHECK(CompleteDevice("net_tap0", 1024, 9000) == "net_tap0");
}

TEST_CASE("a port with many queues gives each worker one of its own") {
  NeedEal();
  auto ports = Ports::Open(std::vector{OptionsOf("net_ring_a"), OptionsOf("net_null0")}, 2);
  REQUIRE(ports.ok());
  REQUIRE((*ports)->Start(config::Steering(2)).ok());
  for (unsigned worker = 0; worker < 2; ++worker) {
    const WorkerQueues queues = (*ports)->QueuesOf(worker);
    REQUIRE(queues.rx.size() == 2);
    REQUIRE(queues.tx.size() == 2);
    for (size_t i = 0; i < 2; ++i) {
      CHECK(queues.rx[i].port == i);
      CHECK(queues.rx[i].queue == worker);
      CHECK(queues.tx[i].queue == worker);
      CHECK(queues.tx[i].lock == nullptr);
      CHECK(queues.tx[i].link_up->load());
    }
  }
}

TEST_CASE("ports of one queue are spread over the workers, which send through it in turn") {
  NeedEal();
  auto ports = Ports::Open(std::vector{OptionsOf("net_pcap2,tx_pcap=/dev/null"),
                                       OptionsOf("net_pcap3,tx_pcap=/dev/null")},
                           2);
  REQUIRE(ports.ok());
  REQUIRE((*ports)->Start(config::Steering(2)).ok());
  const WorkerQueues first = (*ports)->QueuesOf(0);
  const WorkerQueues second = (*ports)->QueuesOf(1);
  REQUIRE(first.rx.size() == 1);
  REQUIRE(second.rx.size() == 1);
  CHECK(first.rx[0].port == 0);
  CHECK(second.rx[0].port == 1);
  for (size_t i = 0; i < 2; ++i) {
    REQUIRE(first.tx[i].lock != nullptr);
    CHECK(first.tx[i].lock == second.tx[i].lock);
  }
}

TEST_CASE("every frame comes back out of a ring, and every buffer home") {
  NeedEal();
  auto ports = Ports::Open(std::vector{OptionsOf("net_ring_b")}, 1);
  REQUIRE(ports.ok());
  REQUIRE((*ports)->Start(config::Steering(1)).ok());
  const TxQueue tx = (*ports)->QueuesOf(0).tx[0];
  rte_mbuf* mbuf = rte_pktmbuf_alloc(tx.pool);
  REQUIRE(mbuf != nullptr);
  REQUIRE(rte_pktmbuf_append(mbuf, 60) != nullptr);
  REQUIRE(rte_eth_tx_burst(tx.port_id, tx.queue, &mbuf, 1) == 1);
  rte_mbuf* got = nullptr;
  REQUIRE(rte_eth_rx_burst(tx.port_id, 0, &got, 1) == 1);
  CHECK(got == mbuf);
  CHECK((*ports)->memory().InUse() == 1);
  rte_pktmbuf_free(got);
  CHECK((*ports)->memory().InUse() == 0);
}

TEST_CASE("ports that were stopped start again as the first time") {
  NeedEal();
  auto ports = Ports::Open(
      std::vector{OptionsOf("net_ring_c"), OptionsOf("net_pcap4,tx_pcap=/dev/null")}, 2);
  REQUIRE(ports.ok());
  CHECK((*ports)->QueuesOf(0).tx[0].pool == nullptr);
  const std::vector<std::string> notes = (*ports)->port(1).notes();
  CHECK(notes.size() == 1);  // it has one queue
  for (int round = 0; round < 3; ++round) {
    REQUIRE((*ports)->Start(config::Steering(2)).ok());
    const WorkerQueues queues = (*ports)->QueuesOf(0);
    for (const TxQueue& tx : queues.tx) {
      REQUIRE(tx.pool != nullptr);
      CHECK(tx.link_up->load());
    }
    CHECK((*ports)->port(1).notes() == notes);
    rte_mbuf* mbuf = rte_pktmbuf_alloc(queues.tx[0].pool);
    REQUIRE(rte_pktmbuf_append(mbuf, 60) != nullptr);
    REQUIRE(rte_eth_tx_burst(queues.tx[0].port_id, 0, &mbuf, 1) == 1);
    REQUIRE(rte_eth_rx_burst(queues.tx[0].port_id, 0, &mbuf, 1) == 1);
    rte_pktmbuf_free(mbuf);
    (*ports)->Stop();
    CHECK((*ports)->QueuesOf(0).tx[0].pool == nullptr);
    CHECK_FALSE(queues.tx[0].link_up->load());
  }
}

TEST_CASE("buffers take the largest frame whole, with tags") {
  PortOptions small = OptionsOf("a");
  PortOptions jumbo = OptionsOf("b");
  jumbo.mtu = 9216;
  CHECK(PlanBuffers(std::vector{small}, 1).room == 2048 + RTE_PKTMBUF_HEADROOM);
  CHECK(PlanBuffers(std::vector{small, jumbo}, 1).room >= 9216 + 14 + 8 + 4 + RTE_PKTMBUF_HEADROOM);
  CHECK(PlanBuffers(std::vector{small}, 2).count > 2 * 128 + 2 * kHandoffRingSize);
}

TEST_CASE("RSS takes one end where the NIC can and the port faces one side") {
  const uint64_t source = RTE_ETH_RSS_L3_SRC_ONLY | RTE_ETH_RSS_L4_SRC_ONLY;
  const uint64_t destination = RTE_ETH_RSS_L3_DST_ONLY | RTE_ETH_RSS_L4_DST_ONLY;
  const uint64_t tuple = RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP;
  const rte_eth_dev_info able = InfoWith(tuple | source | destination, 40);
  CHECK(PlanRss(able, config::Facing::kClient).fields == (tuple | source));
  CHECK(PlanRss(able, config::Facing::kServer).fields == (tuple | destination));
  CHECK(PlanRss(able, config::Facing::kBoth).fields == tuple);
  CHECK(PlanRss(InfoWith(tuple, 40), config::Facing::kClient).fields == tuple);
  CHECK(PlanRss(InfoWith(0, 40), config::Facing::kClient).fields == 0);
  CHECK(PlanRss(InfoWith(source, 40), config::Facing::kClient).fields == 0);
  CHECK(PlanRss(able, config::Facing::kBoth).key_size == 40);
  CHECK(PlanRss(InfoWith(tuple, 64), config::Facing::kBoth).key_size == 0);
}

TEST_CASE("the redirection table names the worker that owns the hash") {
  const config::Steering steering(3, config::kDefaultRssKey, 128);
  const auto table = RetaFor(steering, 128, 3);
  REQUIRE(table.size() == 2);
  for (size_t i = 0; i < 128; ++i) {
    REQUIRE(table[i / 64].mask == UINT64_MAX);
    REQUIRE(table[i / 64].reta[i % 64] == steering.RetaEntry(i));
  }
}

TEST_CASE("what the NIC says of checksums becomes flags") {
  CHECK(FlagsOf(0) == 0);
  CHECK(FlagsOf(RTE_MBUF_F_RX_IP_CKSUM_GOOD) == net::kIpChecksumGood);
  CHECK(FlagsOf(RTE_MBUF_F_RX_IP_CKSUM_BAD) == net::kIpChecksumBad);
  CHECK(FlagsOf(RTE_MBUF_F_RX_L4_CKSUM_BAD | RTE_MBUF_F_RX_IP_CKSUM_GOOD) ==
        (net::kL4ChecksumBad | net::kIpChecksumGood));
  CHECK(FlagsOf(RTE_MBUF_F_RX_L4_CKSUM_GOOD) == 0);
}

}  // namespace tandem::io
