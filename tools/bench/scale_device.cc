// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/scale_device.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_thash.h>
#include <x86intrin.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace tandem::bench {
namespace {

using flow::Side;

constexpr uint8_t kAck = RTE_TCP_ACK_FLAG;
constexpr uint8_t kSyn = RTE_TCP_SYN_FLAG;
constexpr size_t kBurst = 32;

[[noreturn]] void Fail(const char* what, uint64_t wanted, uint64_t got) {
  std::fprintf(stderr, "%s: %llu wanted, %llu got\n", what, static_cast<unsigned long long>(wanted),
               static_cast<unsigned long long>(got));
  std::exit(1);
}

template <class T>
std::span<T> ArrayIn(const HugeMemory& memory, size_t count) {
  return {reinterpret_cast<T*>(memory.bytes().data()), count};
}

uint64_t Sum(const unit::Unit& unit, Counter pipeline::WorkerCounters::*counter) {
  uint64_t sum = 0;
  for (unsigned worker = 0; worker < unit.workers(); ++worker)
    sum += (unit.counters(worker).*counter).Get();
  return sum;
}

}  // namespace

FramePool::FramePool(size_t count) : memory_(count * kFrameStride) {
  const std::span<uint8_t> bytes = ArrayIn<uint8_t>(memory_, count * kFrameStride);
  for (size_t i = count; i-- > 0;)
    free_.push_back(&bytes[i * kFrameStride]);
}

void FramePool::TakeBack(pipeline::Output& out) {
  for (const net::Packet& packet : out.transmit())
    Give(packet.handle);
  for (void* const handle : out.release())
    Give(handle);
  out.Clear();
}

ScaleDevice::ScaleDevice(uint8_t protocol, unsigned workers, uint32_t flows)
    : traffic_(protocol),
      protocol_(protocol),
      flows_(flows),
      steering_(workers),
      order_memory_(flows * sizeof(uint32_t)),
      flows_of_(workers),
      server_end_memory_(flows * sizeof(ServerEnd)),
      server_ends_(ArrayIn<ServerEnd>(server_end_memory_, flows)),
      clocks_(workers) {
  AssignOwners();
  Start();
  Greet();
  SendAll(Side::kClient, kSyn);
  SendAll(Side::kServer, kSyn | kAck);
  if (protocol == IPPROTO_TCP) SendAll(Side::kClient, kAck);
  for (unsigned worker = 0; worker < workers; ++worker) {
    const uint64_t live = counters(worker).flows_ipv4.Get();
    if (live != FlowsOf(worker).size()) Fail("flows of a worker", FlowsOf(worker).size(), live);
  }
}

void ScaleDevice::AssignOwners() {
  std::array<uint8_t, kFrameStride> buffer;
  std::vector<std::vector<uint32_t>> by_worker(flows_of_.size());
  for (uint32_t flow = 0; flow < flows_; ++flow)
    by_worker[QueueOf(MakePacket(buffer.data(), flow, Side::kClient, 0))].push_back(flow);
  std::span<uint32_t> rest = ArrayIn<uint32_t>(order_memory_, flows_);
  for (size_t worker = 0; worker < by_worker.size(); ++worker) {
    flows_of_[worker] = rest.first(by_worker[worker].size());
    std::ranges::copy(by_worker[worker], flows_of_[worker].begin());
    rest = rest.subspan(by_worker[worker].size());
  }
}

// Tables are full, so that flows lie as close together as with one worker.
void ScaleDevice::Start() {
  size_t most = 1;
  for (const std::span<uint32_t> flows : flows_of_)
    most = std::max(most, flows.size());
  unit::UnitOptions options;
  options.workers = static_cast<unsigned>(flows_of_.size());
  options.flows_ipv4_per_worker = static_cast<uint32_t>(most);
  options.flows_ipv6_per_worker = 1;
  options.start = kSecond;
  options.allocate = [this](size_t bytes, unsigned) {
    memory_.push_back(std::make_unique<HugeMemory>(bytes));
    return memory_.back()->bytes().first(bytes);
  };
  auto snapshot = MakeSnapshot(protocol_);
  snapshot->interfaces[1].facing = config::Facing::kClient;
  snapshot->interfaces[kServerSide].facing = config::Facing::kServer;
  snapshot->steering = std::make_shared<config::Steering>(steering_);
  snapshot->Finish();
  unit_ = std::make_unique<unit::Unit>(options, std::move(snapshot));
}

// Every member asks for the device, which so knows them.
void ScaleDevice::Greet() {
  FrameRing ring;
  auto out = std::make_unique<pipeline::Output>();
  for (uint32_t member = 0; member < kMembers; ++member) {
    Traffic::MakeArp(ring, 0, member);
    Turn(0, ring.packets().first(1), *out);
    out->Clear();
    clocks_[0].now += NanosIn(1);
  }
  for (int i = 0; i < 10; ++i) {
    clocks_[0].now += NanosIn(1);
    Turn(0, {}, *out);
    out->Clear();
  }
  for (Clock& clock : clocks_)
    clock.now = clocks_[0].now;
}

void ScaleDevice::SendAll(Side side, uint8_t tcp_flags) {
  FramePool pool(kBurst);
  auto out = std::make_unique<pipeline::Output>();
  for (unsigned worker = 0; worker < flows_of_.size(); ++worker) {
    const std::span<const uint32_t> flows = flows_of_[worker];
    for (size_t next = 0; next < flows.size(); next += kBurst) {
      const size_t count = std::min(kBurst, flows.size() - next);
      std::array<net::Packet, kBurst> burst;
      for (size_t i = 0; i < count; ++i)
        burst[i] = MakePacket(pool.Take(), flows[next + i], side, tcp_flags);
      Turn(worker, {burst.data(), count}, *out);
      if (out->transmit().size() != count) Fail("packets sent", count, out->transmit().size());
      for (size_t i = 0; side == Side::kClient && i < count; ++i)
        server_ends_[flows[next + i]] = Traffic::ServerEndOf(out->transmit()[i]);
      pool.TakeBack(*out);
    }
  }
}

net::Packet ScaleDevice::MakePacket(uint8_t* buffer, uint32_t flow, Side side,
                                    uint8_t flags) const {
  const net::Packet packet = PacketIn(buffer, side == Side::kClient ? 0 : 1);
  traffic_.WriteFrame(packet.data, flow, server_ends_[flow], side, flags);
  return packet;
}

net::Packet ScaleDevice::MakePacket(FramePool& pool, uint32_t flow, Side side) const {
  return MakePacket(pool.Take(), flow, side, kAck);
}

net::Packet ScaleDevice::MakeFirstPacket(FramePool& pool, uint32_t flow) const {
  return MakePacket(pool.Take(), flow, Side::kClient, kSyn);
}

void ScaleDevice::EndAll() {
  auto out = std::make_unique<pipeline::Output>();
  for (unsigned worker = 0; worker < workers(); ++worker) {
    unit::FlowQuery query;
    query.action = unit::FlowQuery::Action::kDelete;
    if (!unit_->Post(worker, query)) std::abort();
    while (!query.done.load(std::memory_order_acquire)) {
      Turn(worker, {}, *out);
      out->Clear();
    }
  }
}

unsigned ScaleDevice::QueueOf(const net::Packet& packet) const {
  rte_ipv4_hdr ip;
  std::memcpy(&ip, packet.data + RTE_ETHER_HDR_LEN, sizeof(ip));
  std::array<uint16_t, 2> ports;
  std::memcpy(ports.data(), packet.data + RTE_ETHER_HDR_LEN + sizeof(ip), sizeof(ports));
  const bool by_source = packet.port == 0;  // clients' side
  std::array<uint32_t, 2> words = {ntohl(by_source ? ip.src_addr : ip.dst_addr),
                                   uint32_t{ntohs(ports[by_source ? 0 : 1])} << 16};
  const uint32_t hash = rte_softrss(words.data(), words.size(), steering_.key().data());
  return steering_.RetaEntry(hash % config::kRetaSize);
}

uint64_t ScaleDevice::Turn(unsigned worker, std::span<const net::Packet> burst,
                           pipeline::Output& out) {
  const Nanos now = clocks_[worker].now += 100 * burst.size();
  const uint64_t begin = __rdtsc();
  unit_->Turn(worker, burst, now, out);
  return __rdtsc() - begin;
}

uint64_t ScaleDevice::forwarded() const {
  return Sum(*unit_, &pipeline::WorkerCounters::forwarded);
}

uint64_t ScaleDevice::handed_off() const {
  return Sum(*unit_, &pipeline::WorkerCounters::handed_off);
}

}  // namespace tandem::bench
