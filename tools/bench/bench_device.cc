// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/bench_device.h"

#include <netinet/in.h>
#include <rte_tcp.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "dataplane/pipeline/lifecycle.h"
#include "tools/bench/floor.h"

namespace tandem::bench {
namespace {

using flow::FlowHot4;
using flow::Side;

constexpr uint8_t kAck = RTE_TCP_ACK_FLAG;
constexpr uint8_t kSyn = RTE_TCP_SYN_FLAG;
constexpr uint32_t kRecordsMin = 1U << 20;

std::unique_ptr<config::Snapshot> MakeFinished(uint8_t protocol, bool persistent) {
  auto snapshot = MakeSnapshot(protocol);
  if (persistent) {
    snapshot->persistences = {{}, {.name = "source", .id = 1}};
    snapshot->virtuals[1].persistence = 1;
  }
  snapshot->Finish();
  return snapshot;
}

[[noreturn]] void Fail(const char* what, uint64_t wanted, uint64_t got) {
  std::fprintf(stderr, "%s: %llu wanted, %llu got\n", what, static_cast<unsigned long long>(wanted),
               static_cast<unsigned long long>(got));
  std::exit(1);
}

}  // namespace

BenchDevice::BenchDevice(uint8_t protocol, uint32_t capacity, bool persistent, ClientPorts ports)
    : protocol_(protocol),
      traffic_(protocol, ports),
      memory_(pipeline::FlowSet<FlowHot4>::BytesNeeded(capacity) +
              pipeline::FlowSet<flow::FlowHot6>::BytesNeeded(1)),
      record_memory_(persist::Table::BytesNeeded(std::max(capacity, kRecordsMin), 1)),
      records_(std::array{record_memory_.bytes()}, std::max(capacity, kRecordsMin), 43),
      snapshot_(MakeFinished(protocol, persistent)),
      shared_(1, records_),
      context_(std::make_unique<pipeline::Context>(
          0, shared_, memory_.bytes(),
          pipeline::Sizing{.flows_ipv4 = capacity, .flows_ipv6 = 1, .start = TickOf(now_)}, 42)),
      worker_(std::make_unique<pipeline::Worker>(*context_)),
      out_(std::make_unique<pipeline::Output>()) {
  context_->snapshot = snapshot_.get();
  AddNeighbours();
  LearnFirstMember();
}

void BenchDevice::AddNeighbours() {
  for (uint32_t i = 0; i < kMembers; ++i) {
    neighbour::Table::Entry* entry = shared_.neighbours.Add(kServerSide, MemberAddress(i));
    shared_.neighbours.Set(*entry, neighbour::State::kReachable, kServerMac);
  }
}

// Sends the first packet of flow 0 and looks where it went.
void BenchDevice::LearnFirstMember() {
  FrameRing ring;
  MakePacket(ring, 0, 0, Side::kClient, kSyn);
  Turn(ring.packets().first(1));
  if (out_->transmit().size() != 1) Fail("packets of the first flow", 1, 0);
  traffic_.SetFirstMember(Traffic::MemberOf(out_->transmit()[0]));
  EndAll();
  ForgetRecords();
}

void BenchDevice::BeginTurn(size_t packets) {
  now_ += 100 * packets;
  out_->Clear();
  context_->out = out_.get();
  context_->now = now_;
  context_->tick = TickOf(now_);
}

void BenchDevice::Turn(std::span<const net::Packet> burst) {
  BeginTurn(burst.size());
  worker_->ProcessBurst(burst, pipeline::Origin::kWire);
  worker_->Tidy();
}

void BenchDevice::SendAll(uint32_t count, Side side, uint8_t tcp_flags) {
  FrameRing ring;
  const uint64_t before = forwarded();
  for (uint32_t next = 0; next < count;) {
    const size_t burst = std::min<size_t>(kBurst, count - next);
    for (size_t i = 0; i < burst; ++i)
      MakePacket(ring, i, next++, side, tcp_flags);
    Turn(ring.packets().first(burst));
  }
  if (forwarded() - before != count) Fail("packets forwarded", count, forwarded() - before);
}

void BenchDevice::Begin(uint32_t count) {
  SendAll(count, Side::kClient, kSyn);
  const uint32_t live = context_->flows4.table.size();
  if (live != count) Fail("flows", count, live);
}

void BenchDevice::Establish(uint32_t count) {
  Begin(count);
  SendAll(count, Side::kServer, kSyn | kAck);
  if (protocol_ == IPPROTO_TCP) SendAll(count, Side::kClient, kAck);
}

void BenchDevice::EndAll() {
  BeginTurn(0);
  for (uint32_t slot = 0; slot < context_->flows4.table.capacity(); ++slot) {
    if (!context_->flows4.table.IsLive(slot)) continue;
    traffic_.SetFirstMember(traffic_.first_member() + 1);  // round robin went on with each flow
    pipeline::EndFlow<FlowHot4>(*context_, slot, pipeline::EndReason::kDeleted);
  }
}

void BenchDevice::ForgetRecords() {
  for (uint32_t bucket = 0; bucket < records_.buckets(); ++bucket) {
    static_cast<void>(records_.VisitBucket(
        bucket, 0, [](const persist::Record&) { return persist::Verdict::kForget; }));
  }
}

}  // namespace tandem::bench
