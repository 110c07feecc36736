// SPDX-License-Identifier: Apache-2.0
//
// Real threads: workers turn on random traffic that lands on any queue, while control publishes
// configurations and posts queries. What a scripted test cannot see is whether they get in each
// other's way; ThreadSanitizer runs this one too.
#include <netinet/in.h>
#include <stdlib.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstring>
#include <thread>
#include <unordered_set>

#include "dataplane/base/prng.h"
#include "dataplane/unit/unit.h"
#include "tests/support/packet_builder.h"
#include "tests/unit/unit/two_arms.h"

namespace tandem {
namespace {

using test::Bytes;
using test::Ip;
using test::Mac;
using test::PacketBuilder;
using test::TestPacket;

constexpr unsigned kWorkers = 3;
constexpr int kTurns = 3000;

// What a worker's queues bring, in no sensible order.
Bytes RandomFrame(Prng& prng, uint16_t& port) {
  port = static_cast<uint16_t>(prng.Below(2));
  const auto client_port = static_cast<uint16_t>(1000 + prng.Below(200));
  if (prng.Below(16) == 0) {
    port = 1;
    return PacketBuilder()
        .Ethernet(test::kServerMac, test::kServerSideMac)
        .ArpReply(Mac(test::kServerMac), "10.1.0.5", Mac(test::kServerSideMac), "10.1.0.1")
        .Build();
  }
  const uint8_t flags[] = {test::kSyn, test::kAck, test::kFin | test::kAck, test::kRst,
                           test::kSyn | test::kAck};
  const uint8_t chosen = flags[prng.Below(5)];
  if (port == 0) {
    return PacketBuilder()
        .Ipv4("10.0.0.9", "10.0.0.100")
        .Tcp(client_port, 80, chosen)
        .Seq(prng.Below(4))
        .Ack(prng.Below(4))
        .Build();
  }
  return PacketBuilder()
      .Ethernet(test::kServerMac, test::kServerSideMac)
      .Ipv4("10.1.0.5", "10.0.0.9")
      .Tcp(8080, client_port, chosen)
      .Seq(prng.Below(4))
      .Ack(prng.Below(4))
      .Build();
}

// Everything that is in the device, by handle. Packets cross workers, so the owners are one set.
class Buffers {
 public:
  net::Packet Make(const Bytes& frame, uint16_t port) {
    auto* packet = new TestPacket(frame);
    packet->packet().handle = packet;
    packet->packet().port = port;
    alive_.fetch_add(1);
    return packet->packet();
  }
  void Free(void* handle) {
    delete static_cast<TestPacket*>(handle);
    alive_.fetch_sub(1);
  }
  int64_t alive() const { return alive_.load(); }

 private:
  std::atomic<int64_t> alive_{0};
};

// On a machine that is short of time the other side may have seen no answer until then: it goes on so long.
void RunWorker(unit::Unit& unit, unsigned worker, Buffers& buffers,
               const std::atomic<bool>& has_answer) {
  Prng prng(worker + 1);
  auto out = std::make_unique<pipeline::Output>();
  Nanos now = kSecond;
  for (int turn = 0; turn < kTurns || !has_answer.load(); ++turn) {
    now += kMillisecond;
    std::vector<net::Packet> received;
    for (uint32_t i = prng.Below(8); i > 0; --i) {
      uint16_t port = 0;
      const Bytes frame = RandomFrame(prng, port);
      received.push_back(buffers.Make(frame, port));
    }
    unit.Turn(worker, received, now, *out);
    for (const net::Packet& packet : out->transmit())
      buffers.Free(packet.handle);
    for (void* handle : out->release())
      buffers.Free(handle);
    out->Clear();
  }
  unit.publisher().Offline(worker);
}

uint64_t Balance(const unit::Unit& unit, bool arrived) {
  uint64_t sum = 0;
  for (unsigned w = 0; w < kWorkers; ++w) {
    const pipeline::WorkerCounters& c = unit.counters(w);
    if (arrived) {
      sum += c.received.Get() + c.handed_in.Get();
    } else {
      sum += c.forwarded.Get() + c.consumed.Get() + c.held.Get() + c.handed_off.Get();
      for (const Counter& drop : c.drops)
        sum += drop.Get();
    }
  }
  return sum;
}

}  // namespace

TEST_CASE("unit: workers, publications and queries at the same time", "[unit]") {
  std::vector<std::unique_ptr<std::byte, decltype(&free)>> memory;
  unit::UnitOptions options;
  options.workers = kWorkers;
  options.flows_ipv4_per_worker = 100;  // fewer than the traffic wants
  options.flows_ipv6_per_worker = 10;
  options.allocate = [&memory](size_t bytes, unsigned) {
    memory.emplace_back(static_cast<std::byte*>(aligned_alloc(64, bytes)), &free);
    std::memset(memory.back().get(), 0, bytes);
    return std::span(memory.back().get(), bytes);
  };
  unit::Unit unit(options, test::TwoArms(kWorkers, config::SnatKind::kNone));
  Buffers buffers;
  std::atomic<unsigned> running{kWorkers};
  std::atomic<bool> has_answer{false};
  std::vector<std::thread> threads;
  for (unsigned w = 0; w < kWorkers; ++w) {
    threads.emplace_back([&, w] {
      RunWorker(unit, w, buffers, has_answer);
      --running;
    });
  }

  // A query outlives the run: a worker that stopped in the middle of it never says done.
  std::vector<std::unique_ptr<unit::FlowQuery>> queries(kWorkers);
  uint64_t published = 0;
  uint64_t answered = 0;
  while (running.load() > 0) {
    unit.Publish(test::TwoArms(
        kWorkers, published++ % 2 == 0 ? config::SnatKind::kAutomap : config::SnatKind::kNone));
    unit.Reclaim();
    for (unsigned w = 0; w < kWorkers; ++w) {
      if (queries[w] != nullptr && !queries[w]->done.load()) continue;
      answered += queries[w] != nullptr;
      has_answer.store(answered > 0);
      auto query = std::make_unique<unit::FlowQuery>();
      query->action =
          published % 3 == 0 ? unit::FlowQuery::Action::kDelete : unit::FlowQuery::Action::kShow;
      query->results.reserve(100);
      if (unit.Post(w, *query)) queries[w] = std::move(query);
    }
    static_cast<void>(unit.neighbours().List(0));
    std::this_thread::yield();
  }
  for (std::thread& thread : threads)
    thread.join();

  std::vector<void*> handles;
  unit.Drain(handles);
  for (void* handle : handles)
    buffers.Free(handle);
  CHECK(buffers.alive() == 0);
  CHECK(Balance(unit, true) == Balance(unit, false));
  CHECK(published > 0);
  CHECK(answered > 0);
  uint64_t forwarded = 0;
  uint64_t handed = 0;
  for (unsigned w = 0; w < kWorkers; ++w) {
    forwarded += unit.counters(w).forwarded.Get();
    handed += unit.counters(w).handed_in.Get();
  }
  CHECK(forwarded > 0);
  CHECK(handed > 0);
}

}  // namespace tandem
