// SPDX-License-Identifier: Apache-2.0
//
// Real threads on both ends of a mirroring wire: each device's workers churn flows of the group that it
// writes and apply those of the group that it reads, as fast as they can, while both mirror threads
// carry frames and control publishes and looks. ThreadSanitizer runs this one too.
#include <netinet/in.h>
#include <stdlib.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstring>
#include <mutex>
#include <thread>

#include "dataplane/base/prng.h"
#include "dataplane/unit/mirroring.h"
#include "dataplane/unit/unit.h"
#include "tests/support/packet_builder.h"
#include "tests/unit/unit/two_arms.h"

namespace tandem {
namespace {

using flow::FlowHot4;
using test::Bytes;
using test::PacketBuilder;
using test::TestPacket;

constexpr unsigned kWorkers = 2;
constexpr unsigned kGroups = 2;  // group g is active on device g - 1
constexpr uint32_t kFlows = 2 * 4096;

Nanos Now() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<Nanos>(std::chrono::nanoseconds(since).count()) % (3600 * kSecond) + kSecond;
}

std::unique_ptr<config::Snapshot> Configuration(uint8_t unit_id, uint64_t generation) {
  auto snapshot = test::TwoArms(kWorkers, config::SnatKind::kNone);
  snapshot->generation = generation;
  snapshot->traffic_groups.resize(kGroups + 1);
  snapshot->virtuals.resize(kGroups + 1);
  for (config::TrafficGroupId group = 1; group <= kGroups; ++group) {
    snapshot->traffic_groups[group] = {
        .name = "group " + std::to_string(group),
        .id = group,
        .role = group == unit_id ? config::Role::kActive : config::Role::kStandby};
    config::Virtual& virtual_server = snapshot->virtuals[group];
    virtual_server = snapshot->virtuals[1];
    virtual_server.id = group;
    virtual_server.name = "web " + std::to_string(group);
    virtual_server.destination = *IpPrefix::Parse("10.0.0." + std::to_string(100 + group));
    virtual_server.traffic_group = group;
    virtual_server.mirror = true;
    virtual_server.mirror_at = config::MirrorAt::kSyn;
  }
  config::Mirroring& mirroring = snapshot->mirroring;
  mirroring.enabled = true;
  mirroring.unit_id = unit_id;
  mirroring.device_name = "unit " + std::to_string(unit_id);
  mirroring.address = *IpPrefix::Parse(unit_id == 1 ? "10.255.0.1/24" : "10.255.0.2/24");
  mirroring.peers = {{static_cast<config::UnitId>(3 - unit_id),
                      *IpAddress::Parse(unit_id == 1 ? "10.255.0.2" : "10.255.0.1")}};
  mirroring.bulk_rate = 10'000'000'000;
  mirroring.key.fill(3);
  snapshot->Finish();
  return snapshot;
}

// Frames under way to one device; what finds no room is lost.
class Wire : public mirror::FrameSink {
 public:
  std::span<uint8_t> Begin(size_t size) override {
    begun_.assign(size, 0);
    return begun_;
  }
  void Commit(size_t size) override {
    begun_.resize(size);
    const std::lock_guard lock(mutex_);
    if (frames_.size() < kRoom) frames_.push_back(begun_);
  }
  std::vector<Bytes> Take() {
    const std::lock_guard lock(mutex_);
    std::vector<Bytes> frames = std::move(frames_);
    frames_.clear();
    return frames;
  }

 private:
  static constexpr size_t kRoom = 64;
  std::mutex mutex_;
  std::vector<Bytes> frames_;
  Bytes begun_;
};

struct Device {
  explicit Device(uint8_t id) : unit_id(id) {
    unit::UnitOptions options;
    options.workers = kWorkers;
    options.flows_ipv4_per_worker = 4 * kFlows;
    options.flows_ipv6_per_worker = 3 * 4096;
    options.seed = id;
    options.start = Now();
    options.allocate = [this](size_t bytes, unsigned) {
      memory.emplace_back(static_cast<std::byte*>(aligned_alloc(64, (bytes + 63) / 64 * 64)),
                          &free);
      std::memset(memory.back().get(), 0, bytes);
      return std::span(memory.back().get(), bytes);
    };
    options.mirror.emplace();
    options.mirror->mac = {2, 0, 0, 0, 2, id};
    options.mirror->fingerprint.workers = kWorkers;
    options.mirror->incarnation = id;
    options.mirror->nonce.fill(id);
    unit = std::make_unique<unit::Unit>(options, Configuration(id, 1));
  }
  flow::FlowTable<FlowHot4>& flows(unsigned worker) {
    return unit->mirroring()->worker(worker).tables().flows4;
  }

  const uint8_t unit_id;
  std::vector<std::unique_ptr<std::byte, decltype(&free)>> memory;
  std::unique_ptr<unit::Unit> unit;
  Wire inbound;
};

// A packet of a short connection: it begins, is answered, or is reset.
Bytes RandomFrame(Prng& prng, unsigned group, uint16_t& port) {
  const auto client_port = static_cast<uint16_t>(1000 + prng.Below(kFlows));
  const std::string service = "10.0.0." + std::to_string(100 + group);
  // Servers see the client: one of both groups' would be one connection to them.
  const std::string client = "10.0.0." + std::to_string(10 + group);
  const uint32_t what = prng.Below(10);
  port = what < 3 ? 1 : 0;
  if (what < 3) {
    return PacketBuilder()
        .Ethernet(test::kServerMac, test::kServerSideMac)
        .Ipv4("10.1.0.5", client)
        .Tcp(8080, client_port, test::kSyn | test::kAck)
        .Ack(1)
        .Build();
  }
  const uint8_t flags = what < 7 ? test::kSyn : what < 8 ? test::kAck : test::kRst;
  return PacketBuilder()
      .Ipv4(client, service)
      .Tcp(client_port, 80, flags)
      .Seq(what < 7 ? 0 : 1)
      .Ack(1)
      .Build();
}

// One turn of a worker; `frames` may be none.
void Turn(unit::Unit& unit, unsigned worker, std::span<const net::Packet> packets,
          pipeline::Output& out) {
  unit.Turn(worker, packets, Now(), out);
  for (const net::Packet& packet : out.transmit())
    delete static_cast<TestPacket*>(packet.handle);
  for (void* handle : out.release())
    delete static_cast<TestPacket*>(handle);
  out.Clear();
}

// Until told to stop; traffic for so many turns.
void RunWorker(Device& device, unsigned worker, unsigned turns, std::atomic<unsigned>& loaded,
               const std::atomic<bool>& stop) {
  Prng prng(device.unit_id * 10U + worker);
  auto out = std::make_unique<pipeline::Output>();
  for (unsigned turn = 0; !stop.load(); ++turn) {
    std::vector<net::Packet> received;
    for (uint32_t i = turn < turns ? prng.Below(33) : 0; i > 0; --i) {
      uint16_t port = 0;
      auto* packet = new TestPacket(RandomFrame(prng, device.unit_id, port));
      packet->packet().handle = packet;
      packet->packet().port = port;
      received.push_back(packet->packet());
    }
    Turn(*device.unit, worker, received, *out);
    if (turn + 1 == turns) --loaded;
    if (turn >= turns) std::this_thread::yield();
  }
}

void CarryFrames(Device& device, Device& peer) {
  const std::vector<Bytes> frames = device.inbound.Take();
  const std::vector<std::span<const uint8_t>> spans(frames.begin(), frames.end());
  device.unit->MirrorTurn(spans, Now(), peer.inbound);
}

void RunMirror(Device& device, Device& peer, const std::atomic<bool>& stop) {
  while (!stop.load()) {
    CarryFrames(device, peer);
    std::this_thread::yield();
  }
}

bool InSync(Device& a, Device& b) {
  return b.unit->mirroring()->InSync(1) && a.unit->mirroring()->InSync(2);
}

// Flows of the group on its active that the other device does not have as they are, and those too many.
size_t Differences(Device& active, Device& standby, config::TrafficGroupId group) {
  size_t differences = 0;
  for (unsigned worker = 0; worker < kWorkers; ++worker) {
    auto& here = active.flows(worker);
    auto& there = standby.flows(worker);
    for (uint32_t slot = 0; slot < here.capacity(); ++slot) {
      if (!here.IsLive(slot) || here.pages().GroupOf(slot) != group) continue;
      const FlowHot4& hot = here.hot(slot);
      const flow::FlowRef found = there.FindOne(hot.client, hot.common.protocol);
      differences += !found || there.register_of(found.slot) != here.register_of(slot) ||
                     there.hot(found.slot).common.state != hot.common.state;
    }
    for (uint32_t slot = 0; slot < there.capacity(); ++slot) {
      if (!there.IsLive(slot) || there.pages().GroupOf(slot) != group) continue;
      differences += !here.FindOne(there.hot(slot).client, there.hot(slot).common.protocol);
    }
  }
  return differences;
}

}  // namespace

TEST_CASE("row 25: both directions saturated, with threads, lock nobody and end equal", "[unit]") {
  Device a(1);
  Device b(2);
  constexpr unsigned kTurns = 4000;
  std::atomic<unsigned> loaded{2 * kWorkers};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (Device* const device : {&a, &b}) {
    for (unsigned worker = 0; worker < kWorkers; ++worker) {
      threads.emplace_back(
          [&, device, worker] { RunWorker(*device, worker, kTurns, loaded, stop); });
    }
    threads.emplace_back([&, device] { RunMirror(*device, device == &a ? b : a, stop); });
  }
  uint64_t generation = 1;
  while (loaded.load() != 0) {
    ++generation;
    for (Device* const device : {&a, &b}) {
      if (generation % 50 == 0) {
        device->unit->Publish(Configuration(device->unit_id, generation));
        device->unit->Reclaim();
      }
      static_cast<void>(device->unit->mirror_status()->groups.size());
      static_cast<void>(device->unit->mirroring()->InSync(1));
    }
    std::this_thread::yield();
  }
  // A patience that only a standstill uses up.
  for (int i = 0; i < 60'000 && !InSync(a, b); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(InSync(a, b));
  stop = true;
  for (std::thread& thread : threads)
    thread.join();

  // What was under way, without threads.
  auto out = std::make_unique<pipeline::Output>();
  for (int i = 0; i < 20'000 && (i < 200 || Differences(a, b, 1) + Differences(b, a, 2) != 0);
       ++i) {
    for (int k = 0; k < 100; ++k) {
      CarryFrames(a, b);
      CarryFrames(b, a);
      for (unsigned worker = 0; worker < kWorkers; ++worker) {
        Turn(*a.unit, worker, {}, *out);
        Turn(*b.unit, worker, {}, *out);
      }
    }
  }
  CHECK(Differences(a, b, 1) == 0);
  CHECK(Differences(b, a, 2) == 0);
  for (unsigned worker = 0; worker < kWorkers; ++worker) {
    CHECK(a.unit->mirroring()->worker(worker).FindSender(1)->counters().creates.Get() > 1000);
    CHECK(b.unit->mirroring()->worker(worker).FindSender(2)->counters().creates.Get() > 1000);
    CHECK(a.unit->mirroring()->worker(worker).FindSender(1)->counters().audit_mismatches.Get() ==
          0);
    CHECK(b.unit->mirroring()->worker(worker).FindSender(2)->counters().audit_mismatches.Get() ==
          0);
  }
  for (Device* const device : {&a, &b}) {
    std::vector<void*> handles;
    device->unit->Drain(handles);
    for (void* handle : handles)
      delete static_cast<TestPacket*>(handle);
  }
}

}  // namespace tandem
