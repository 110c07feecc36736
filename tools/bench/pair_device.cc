// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/pair_device.h"

#include <netinet/in.h>
#include <rte_tcp.h>
#include <x86intrin.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "tools/bench/floor.h"

namespace tandem::bench {
namespace {

using flow::Side;

constexpr uint8_t kAck = RTE_TCP_ACK_FLAG;
constexpr uint8_t kSyn = RTE_TCP_SYN_FLAG;
constexpr uint32_t kSession = 77;

[[noreturn]] void Fail(const char* what, uint64_t wanted, uint64_t got) {
  std::fprintf(stderr, "%s: %llu wanted, %llu got\n", what, static_cast<unsigned long long>(wanted),
               static_cast<unsigned long long>(got));
  std::exit(1);
}

std::unique_ptr<config::Snapshot> MakePairSnapshot(const PairDeviceOptions& options) {
  auto snapshot = MakeSnapshot(options.protocol);
  snapshot->generation = 1;
  snapshot->traffic_groups.resize(2);
  snapshot->traffic_groups[kGroup] = {
      .name = "group",
      .id = kGroup,
      .role = options.unit_id == 2 ? config::Role::kStandby : config::Role::kActive};
  config::Virtual& virtual_server = snapshot->virtuals[1];
  virtual_server.traffic_group = kGroup;
  virtual_server.mirror = options.mirrors;
  virtual_server.mirror_at = options.mirror_at;
  virtual_server.profile.udp_idle_timeout = TicksIn(options.udp_idle_timeout);
  snapshot->snat_pools[0].traffic_group = kGroup;
  if (options.persists) {
    snapshot->persistences = {{},
                              {.name = "source",
                               .id = 1,
                               .timeout = TicksIn(options.record_timeout),
                               .mirror = options.mirrors && options.mirrors_records}};
    virtual_server.persistence = 1;
  }
  config::Mirroring& mirroring = snapshot->mirroring;
  mirroring.enabled = options.mirrors;
  mirroring.unit_id = options.unit_id;
  mirroring.device_name = "mirror";
  mirroring.address = *IpPrefix::Parse(options.unit_id == 1 ? "10.255.0.1/24" : "10.255.0.2/24");
  mirroring.peers = {{static_cast<config::UnitId>(3 - options.unit_id),
                      *IpAddress::Parse(options.unit_id == 1 ? "10.255.0.2" : "10.255.0.1")}};
  mirroring.port_share = static_cast<uint8_t>(options.unit_id - 1);
  mirroring.port_shares = 2;
  mirroring.mtu = options.mtu;
  mirroring.bulk_rate = options.bulk_rate;
  mirroring.key.fill(7);
  snapshot->Finish();
  return snapshot;
}

}  // namespace

PairDevice::PairDevice(const PairDeviceOptions& options)
    : traffic_(options.protocol, options.client_ports), protocol_(options.protocol) {
  unit::UnitOptions unit_options;
  unit_options.flows_ipv4_per_worker = options.capacity;
  unit_options.flows_ipv6_per_worker = 1;
  if (options.persists) unit_options.persistence_records = 2 * options.capacity;
  unit_options.seed = options.unit_id;
  unit_options.start = kSecond;
  unit_options.allocate = [this](size_t bytes, unsigned) {
    memory_.push_back(std::make_unique<HugeMemory>(bytes));
    return memory_.back()->bytes().first(bytes);
  };
  if (options.mirrors) {
    mirror::EndpointOptions endpoint;
    endpoint.mac = {2, 0, 0, 0, 2, options.unit_id};
    endpoint.fingerprint.driver = "bench";
    endpoint.fingerprint.workers = 1;
    endpoint.fingerprint.flows_ipv4_per_worker = options.capacity;
    endpoint.fingerprint.flows_ipv6_per_worker = 1;
    endpoint.incarnation = options.unit_id;
    endpoint.nonce.fill(options.unit_id);
    unit_options.mirror = endpoint;
  }
  unit_ = std::make_unique<unit::Unit>(unit_options, MakePairSnapshot(options));
}

uint64_t PairDevice::Turn(std::span<const net::Packet> burst, Nanos now) {
  out_->Clear();
  const uint64_t begin = __rdtsc();
  unit_->Turn(0, burst, now, *out_);
  return __rdtsc() - begin;
}

void PairDevice::SendAll(uint32_t count, Side side, uint8_t tcp_flags, Nanos& now) {
  FrameRing ring;
  const uint64_t before = forwarded();
  for (uint32_t next = 0; next < count;) {
    const size_t burst = std::min<size_t>(kBurst, count - next);
    for (size_t i = 0; i < burst; ++i)
      traffic_.MakePacket(ring, i, next++, side, tcp_flags);
    now += 100 * burst;
    Turn(ring.packets().first(burst), now);
  }
  if (forwarded() - before != count) Fail("packets forwarded", count, forwarded() - before);
}

void PairDevice::Greet(Nanos& now) {
  FrameRing ring;
  for (uint32_t member = 0; member < kMembers; ++member) {
    Traffic::MakeArp(ring, 0, member);
    Turn(ring.packets().first(1), now += NanosIn(1));
  }
  for (int i = 0; i < 10; ++i)
    Turn({}, now += NanosIn(1));
}

void PairDevice::Establish(uint32_t count, Nanos& now) {
  Greet(now);
  FrameRing ring;
  // The first round of packets shows where the next one begins.
  for (uint32_t flow = 0; flow < count; flow += kBurst) {
    const size_t burst = std::min<size_t>(kBurst, count - flow);
    for (size_t i = 0; i < burst; ++i)
      traffic_.MakePacket(ring, i, flow + static_cast<uint32_t>(i), Side::kClient, kSyn);
    Turn(ring.packets().first(burst), now += 100 * burst);
    if (out_->transmit().size() != burst) Fail("flows", burst, out_->transmit().size());
    if (flow == 0) traffic_.SetFirstMember(Traffic::MemberOf(out_->transmit()[0]));
  }
  SendAll(count, Side::kServer, kSyn | kAck, now);
  if (protocol_ == IPPROTO_TCP) SendAll(count, Side::kClient, kAck, now);
  if (flows() != count) Fail("flows", count, flows());
}

void WillingPeer::Open(uint16_t body_max) {
  for (const Stream* stream : {&records_, &flows_}) {
    mirror::FrameSlot* slot = active_.inbound().Free();
    slot->cargo = mirror::Cargo::kOpenSender;
    slot->group = stream->group;
    slot->terms = {.session = kSession,
                   .epoch = 1,
                   .body_max = body_max,
                   .wire_group = stream->group,
                   .streams = 1};
    active_.inbound().Push();
  }
}

void WillingPeer::Answer() {
  for (; const mirror::FrameSlot* slot = active_.outbound().Front(); active_.outbound().Pop()) {
    Stream& stream = slot->group == 0 ? records_ : flows_;
    stream.highest = slot->header.sequence;
    stream.stamp = slot->header.stamp;
  }
  Answer(records_);
  Answer(flows_);
}

void WillingPeer::Answer(Stream& stream) {
  mirror::FrameSlot* answer = stream.highest == 0 ? nullptr : active_.inbound().Free();
  if (answer == nullptr) return;
  answer->cargo = mirror::Cargo::kFrame;
  answer->group = stream.group;
  answer->body_size = 0;
  answer->header = {.type = stream.acknowledgement,
                    .group = static_cast<uint8_t>(stream.group),
                    .epoch = 1,
                    .session = kSession,
                    .sequence = ++stream.answers,
                    .floor = stream.highest + 1,
                    .credit = 64,
                    .stamp = stream.stamp};
  active_.inbound().Push();
  stream.highest = 0;
}

}  // namespace tandem::bench
