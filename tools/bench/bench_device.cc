// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/bench_device.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "dataplane/pipeline/lifecycle.h"
#include "tools/bench/floor.h"

namespace tandem::bench {
namespace {

using flow::FlowHot4;
using flow::Side;

constexpr uint32_t kMembers = 64;
constexpr uint32_t kFirstClient = 0x14000000;  // 20.0.0.0
constexpr uint32_t kVirtual = 0x0a000064;      // 10.0.0.100
constexpr uint32_t kFirstMember = 0x0a010001;  // 10.1.0.1
constexpr uint32_t kSnat = 0x0a010101;         // 10.1.1.1
constexpr uint16_t kService = 80;
constexpr uint16_t kFirstPort = 1024;
constexpr MacAddress kClientMac = {2, 0, 0, 0, 0, 0x0c};
constexpr MacAddress kServerMac = {2, 0, 0, 0, 0, 0x05};
constexpr std::array<MacAddress, 2> kDeviceMacs = {MacAddress{2, 0, 0, 0, 0, 0x0d},
                                                   MacAddress{2, 0, 0, 0, 0, 0x0e}};
constexpr config::InterfaceId kClientSide = 1;
constexpr config::InterfaceId kServerSide = 2;

constexpr uint8_t kAck = RTE_TCP_ACK_FLAG;
constexpr uint8_t kSyn = RTE_TCP_SYN_FLAG;
constexpr uint32_t kFrameSize = 60;
constexpr uint32_t kRecords = 1U << 20;

IpAddress Address(uint32_t address) {
  return IpAddress::V4(htonl(address));
}

void AddInterfaces(config::Snapshot& snapshot) {
  snapshot.ports = {{.name = "client"}, {.name = "server"}};
  snapshot.interfaces.resize(3);
  snapshot.interfaces[kClientSide] = {.name = "client",
                                      .id = kClientSide,
                                      .port = 0,
                                      .mac = kDeviceMacs[0],
                                      .self_ips = {*IpPrefix::Parse("10.0.0.1/16")}};
  snapshot.interfaces[kServerSide] = {.name = "server",
                                      .id = kServerSide,
                                      .port = 1,
                                      .mac = kDeviceMacs[1],
                                      .self_ips = {*IpPrefix::Parse("10.1.255.1/16")}};
  snapshot.routes = std::make_shared<config::LinearRoutes>(
      std::vector<config::Route>{{.network = *IpPrefix::Parse("10.0.0.0/16"), .interface = 1},
                                 {.network = *IpPrefix::Parse("10.1.0.0/16"), .interface = 2}});
}

std::unique_ptr<config::Snapshot> MakeSnapshot(uint8_t protocol) {
  auto snapshot = std::make_unique<config::Snapshot>();
  AddInterfaces(*snapshot);
  snapshot->traffic_groups.resize(1);
  snapshot->pools.resize(2);
  snapshot->pools[1] = {.name = "pool", .id = 1};
  snapshot->members.resize(kMembers + 1);
  for (uint32_t i = 0; i < kMembers; ++i) {
    const auto id = static_cast<config::MemberId>(i + 1);
    snapshot->members[id] = {
        .id = id, .pool = 1, .address = Address(kFirstMember + i), .port = kService};
    snapshot->pools[1].members.push_back(id);
  }
  snapshot->snat_pools = {{.name = "snat", .addresses = {Address(kSnat)}}};
  snapshot->virtuals.resize(2);
  snapshot->virtuals[1] = {.name = "virtual",
                           .id = 1,
                           .destination = {Address(kVirtual), 32},
                           .port = kService,
                           .protocol = protocol,
                           .source = *IpPrefix::Parse("0.0.0.0/0"),
                           .pool = 1,
                           .snat = config::SnatKind::kPool};
  snapshot->steering = std::make_shared<config::Steering>(1);
  snapshot->Finish();
  return snapshot;
}

void WriteTcp(uint8_t* at, uint16_t source_port, uint16_t destination_port, Side side,
              uint8_t flags) {
  rte_tcp_hdr tcp{};
  tcp.src_port = htons(source_port);
  tcp.dst_port = htons(destination_port);
  const bool is_syn = (flags & kSyn) != 0;
  tcp.sent_seq = htonl((side == Side::kClient ? 1000U : 5000U) + (is_syn ? 0 : 1));
  tcp.recv_ack = (flags & kAck) != 0 ? htonl(side == Side::kClient ? 5001 : 1001) : 0;
  tcp.data_off = sizeof(tcp) / 4 << 4;
  tcp.tcp_flags = flags;
  tcp.rx_win = htons(60000);
  std::memcpy(at, &tcp, sizeof(tcp));
}

void WriteUdp(uint8_t* at, uint16_t source_port, uint16_t destination_port) {
  rte_udp_hdr udp{};
  udp.src_port = htons(source_port);
  udp.dst_port = htons(destination_port);
  udp.dgram_len = htons(sizeof(udp) + 18);
  udp.dgram_cksum = 0x1234;  // verified by nobody on the way
  std::memcpy(at, &udp, sizeof(udp));
}

[[noreturn]] void Fail(const char* what, uint64_t wanted, uint64_t got) {
  std::fprintf(stderr, "%s: %llu wanted, %llu got\n", what, static_cast<unsigned long long>(wanted),
               static_cast<unsigned long long>(got));
  std::exit(1);
}

}  // namespace

FrameRing::FrameRing() : buffer_(kFrames * kStride), packets_(kFrames) {}

uint8_t* FrameRing::Reset(size_t index, uint16_t port) {
  net::Packet& packet = packets_[index];
  packet = {.data = buffer_.data() + index * kStride + kHeadroom,
            .handle = buffer_.data() + index * kStride,
            .length = kFrameSize,
            .contiguous = kFrameSize,
            .headroom = kHeadroom,
            .port = port,
            .flags = net::kIpChecksumGood};
  return packet.data;
}

BenchDevice::BenchDevice(uint8_t protocol, uint32_t capacity)
    : protocol_(protocol),
      memory_(pipeline::FlowSet<FlowHot4>::BytesNeeded(capacity) +
              pipeline::FlowSet<flow::FlowHot6>::BytesNeeded(1)),
      record_memory_(persist::Table::BytesNeeded(kRecords, 1)),
      records_(std::array{record_memory_.bytes()}, kRecords, 43),
      snapshot_(MakeSnapshot(protocol)),
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
    neighbour::Table::Entry* entry = shared_.neighbours.Add(kServerSide, Address(kFirstMember + i));
    shared_.neighbours.Set(*entry, neighbour::State::kReachable, kServerMac);
  }
}

// Sends the first packet of flow 0 and looks where it went.
void BenchDevice::LearnFirstMember() {
  FrameRing ring;
  MakePacket(ring, 0, 0, Side::kClient, kSyn);
  Turn(ring.packets().first(1));
  if (out_->transmit().size() != 1) Fail("packets of the first flow", 1, 0);
  rte_ipv4_hdr ip;
  std::memcpy(&ip, out_->transmit()[0].data + RTE_ETHER_HDR_LEN, sizeof(ip));
  first_member_ = ntohl(ip.dst_addr) - kFirstMember;
  EndAll();
}

void BenchDevice::MakePacket(FrameRing& ring, size_t index, uint32_t flow, Side side,
                             uint8_t tcp_flags) const {
  const bool from_client = side == Side::kClient;
  const auto port = static_cast<uint16_t>(kFirstPort + flow / kMembers);
  const uint32_t member = kFirstMember + (first_member_ + flow) % kMembers;
  uint8_t* const frame = ring.Reset(index, from_client ? 0 : 1);
  std::memcpy(frame, kDeviceMacs[from_client ? 0 : 1].data(), 6);
  std::memcpy(frame + 6, (from_client ? kClientMac : kServerMac).data(), 6);
  frame[12] = 0x08;
  frame[13] = 0x00;

  rte_ipv4_hdr ip{};
  ip.version_ihl = 0x45;
  ip.total_length = htons(protocol_ == IPPROTO_TCP ? 40 : 46);
  ip.time_to_live = 64;
  ip.next_proto_id = protocol_;
  ip.src_addr = htonl(from_client ? kFirstClient + flow : member);
  ip.dst_addr = htonl(from_client ? kVirtual : kSnat);
  std::memcpy(frame + RTE_ETHER_HDR_LEN, &ip, sizeof(ip));

  uint8_t* const l4 = frame + RTE_ETHER_HDR_LEN + sizeof(ip);
  const uint16_t source_port = from_client ? port : kService;
  const uint16_t destination_port = from_client ? kService : port;
  if (protocol_ == IPPROTO_TCP) {
    WriteTcp(l4, source_port, destination_port, side, tcp_flags);
  } else {
    WriteUdp(l4, source_port, destination_port);
  }
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

void BenchDevice::Establish(uint32_t count) {
  SendAll(count, Side::kClient, kSyn);
  SendAll(count, Side::kServer, kSyn | kAck);
  if (protocol_ == IPPROTO_TCP) SendAll(count, Side::kClient, kAck);
  const uint32_t live = context_->flows4.table.size();
  if (live != count) Fail("flows", count, live);
}

void BenchDevice::EndAll() {
  BeginTurn(0);
  for (uint32_t slot = 0; slot < context_->flows4.table.capacity(); ++slot) {
    if (!context_->flows4.table.IsLive(slot)) continue;
    first_member_ = (first_member_ + 1) % kMembers;  // round robin went on with each flow
    pipeline::EndFlow<FlowHot4>(*context_, slot, pipeline::EndReason::kDeleted);
  }
}

}  // namespace tandem::bench
