// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/worker_set.h"

#include <rte_ethdev.h>
#include <unistd.h>

#include <cstring>

#include <catch2/catch.hpp>

#include "dataplane/io/clock.h"
#include "dataplane/io/memory.h"
#include "tests/support/packet_builder.h"
#include "tests/unit/io/eal_for_test.h"
#include "tests/unit/unit/two_arms.h"

namespace tandem::io {
namespace {

using test::PacketBuilder;

// A device on two memory rings: what is sent on a port comes back in on it.
struct Device {
  explicit Device(unsigned workers, const char* first, const char* second,
                  std::unique_ptr<config::Snapshot> snapshot = nullptr)
      : memory(false) {
    NeedEal();
    std::vector<PortOptions> options(2);
    options[0].name = "client";
    options[0].device = first;
    options[1].name = "server";
    options[1].device = second;
    auto opened = Ports::Open(options, workers);
    REQUIRE(opened.status().message() == "");
    ports = *std::move(opened);
    REQUIRE(ports->Start(config::Steering(workers)).ok());
    unit::UnitOptions unit_options;
    unit_options.workers = workers;
    unit_options.flows_ipv4_per_worker = 4096;
    unit_options.flows_ipv6_per_worker = 4096;
    unit_options.start = MonotonicNow();
    unit_options.allocate = [this](size_t bytes, unsigned) { return memory.Allocate(bytes, -1); };
    if (snapshot == nullptr) snapshot = test::TwoArms(workers, config::SnatKind::kNone);
    unit = std::make_unique<unit::Unit>(unit_options, std::move(snapshot));
  }

  // Puts a frame on the wire of `port`.
  void Inject(uint16_t port, const std::vector<uint8_t>& frame) {
    const TxQueue queue = ports->QueuesOf(0).tx[port];
    rte_mbuf* mbuf = rte_pktmbuf_alloc(queue.pool);
    REQUIRE(mbuf != nullptr);
    char* const bytes = rte_pktmbuf_append(mbuf, static_cast<uint16_t>(frame.size()));
    std::memcpy(bytes, frame.data(), frame.size());
    REQUIRE(rte_eth_tx_burst(queue.port_id, queue.queue, &mbuf, 1) == 1);
  }

  uint64_t Dropped(DropReason reason) const {
    return unit->counters(0).drops[static_cast<size_t>(reason)].Get();
  }
  uint64_t Dropped() const {
    uint64_t sum = 0;
    for (const Counter& drop : unit->counters(0).drops) {
      sum += drop.Get();
    }
    return sum;
  }

  // The conservation rule of a single worker.
  void CheckConservation() const {
    const pipeline::WorkerCounters& counters = unit->counters(0);
    CHECK(counters.received.Get() ==
          counters.forwarded.Get() + counters.consumed.Get() + counters.held.Get() + Dropped());
  }

  // What is still on the wires goes to nobody.
  void Sink() {
    for (uint16_t port = 0; port < 2; ++port) {
      rte_mbuf* mbuf = nullptr;
      while (rte_eth_rx_burst(ports->port(port).id(), 0, &mbuf, 1) == 1) {
        rte_pktmbuf_free(mbuf);
      }
    }
  }

  Memory memory;
  std::unique_ptr<Ports> ports;
  std::unique_ptr<unit::Unit> unit;
};

std::vector<uint8_t> Syn(uint16_t port) {
  return PacketBuilder().Ipv4("10.0.0.9", "10.0.0.100").Tcp(port, 80, test::kSyn).Seq(1).Build();
}

}  // namespace

TEST_CASE("a worker carries frames from port to port, and every buffer comes home") {
  Device device(1, "net_ring_w0", "net_ring_w1");
  Worker worker({}, *device.unit, device.ports->QueuesOf(0));
  device.Inject(1, PacketBuilder()
                       .Ethernet(test::kServerMac, test::kServerSideMac)
                       .ArpReply(test::Mac(test::kServerMac), "10.1.0.5",
                                 test::Mac(test::kServerSideMac), "10.1.0.1")
                       .Build());
  CHECK(worker.Turn());
  for (uint16_t i = 0; i < 100; ++i) {
    device.Inject(0, Syn(static_cast<uint16_t>(1000 + i)));
  }
  // At most a burst a turn. What is forwarded comes back in on port 1, for another station.
  for (int i = 0; i < 20; ++i) {
    worker.Turn();
  }
  CHECK_FALSE(worker.Turn());
  const pipeline::WorkerCounters& counters = device.unit->counters(0);
  CHECK(counters.flows_created.Get() == 100);
  CHECK(counters.forwarded.Get() >= 100);
  device.CheckConservation();
  device.Sink();
  CHECK(device.ports->memory().InUse() == 0);
}

TEST_CASE("frames of our own are sent, and held packets given back at the end") {
  Device device(1, "net_ring_w2", "net_ring_w3");
  WorkerSet workers(*device.unit, *device.ports, /*adaptive=*/true);
  device.Inject(0, Syn(1000));
  REQUIRE(workers.Launch({1}).ok());
  for (int i = 0; i < 200 && device.unit->counters(0).held.Get() == 0; ++i) {
    usleep(5000);
  }
  workers.Stop();
  const pipeline::WorkerCounters& counters = device.unit->counters(0);
  CHECK(counters.originated.Get() >= 1);  // who has 10.1.0.5?
  CHECK(counters.drops[static_cast<size_t>(DropReason::kShutdown)].Get() == 1);
  device.CheckConservation();
  device.Sink();
  CHECK(device.ports->memory().InUse() == 0);
}

TEST_CASE("what a port without link should send is dropped with that reason") {
  Device device(1, "net_ring_w4", "net_ring_w5");
  Worker worker({}, *device.unit, device.ports->QueuesOf(0));
  device.Inject(0, PacketBuilder().Ipv4("10.0.0.9", "10.0.0.1").EchoRequest(1).Build());
  rte_eth_dev_set_link_down(device.ports->port(0).id());
  device.ports->port(0).PollLink();
  REQUIRE_FALSE(device.ports->port(0).link_up());
  CHECK(device.ports->port(0).link_changes() == 2);
  worker.Turn();
  CHECK(device.unit->counters(0).originated.Get() == 0);
  device.CheckConservation();
  device.Sink();
  CHECK(device.ports->memory().InUse() == 0);
}

TEST_CASE("what waited in the queues of a standby is not forwarded when it becomes active") {
  auto snapshot = test::TwoArms(1, config::SnatKind::kNone);
  snapshot->traffic_groups.resize(2);
  snapshot->traffic_groups[1] = {.name = "tg", .id = 1, .role = config::Role::kStandby};
  snapshot->virtuals[1].traffic_group = 1;
  snapshot->Finish();
  Device device(1, "net_ring_w8", "net_ring_w9", std::move(snapshot));
  Worker worker({}, *device.unit, device.ports->QueuesOf(0));
  worker.Turn();
  // It stands still, its queue fills, somebody makes it active, and it wakes up.
  for (uint16_t i = 0; i < 500; ++i)
    device.Inject(0, Syn(static_cast<uint16_t>(1000 + i)));
  device.unit->SetRole(1, config::Role::kActive);
  for (int i = 0; i < 40; ++i)
    worker.Turn();
  CHECK(device.Dropped(DropReason::kBacklog) == 500);
  CHECK(device.unit->counters(0).flows_created.Get() == 0);
  CHECK(device.unit->counters(0).announced.Get() >= 1);
  device.Inject(0, Syn(1000));
  worker.Turn();
  CHECK(device.unit->counters(0).flows_created.Get() == 1);
  CHECK(device.Dropped(DropReason::kBacklog) == 500);
  device.CheckConservation();
  std::vector<void*> held;
  device.unit->Drain(held);
  for (void* const handle : held)
    rte_pktmbuf_free(static_cast<rte_mbuf*>(handle));
  device.Sink();
  CHECK(device.ports->memory().InUse() == 0);
}

TEST_CASE("a worker that walks its table for a query has something to do, and does not sleep") {
  Device device(1, "net_ring_w10", "net_ring_w11");
  Worker worker({}, *device.unit, device.ports->QueuesOf(0));
  for (int i = 0; i < 20; ++i)
    worker.Turn();
  CHECK_FALSE(worker.Turn());
  unit::FlowQuery query;
  query.action = unit::FlowQuery::Action::kCount;
  REQUIRE(device.unit->Post(0, query));
  CHECK(worker.Turn());  // the IPv4 table
  CHECK_FALSE(query.done.load());
  CHECK(worker.Turn());
  CHECK(query.done.load());
  CHECK_FALSE(worker.Turn());
  device.Sink();
  CHECK(device.ports->memory().InUse() == 0);
}

TEST_CASE("two workers end when told, also while idle") {
  Device device(2, "net_ring_w6", "net_ring_w7");
  WorkerSet workers(*device.unit, *device.ports, /*adaptive=*/true);
  REQUIRE(workers.Launch({1, 2}).ok());
  usleep(20'000);
  workers.Stop();
  CHECK(device.unit->counters(0).turns.Get() > 0);
  CHECK(device.unit->counters(1).turns.Get() > 0);
  CHECK(device.ports->memory().InUse() == 0);
}

}  // namespace tandem::io
