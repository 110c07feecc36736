// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/bench_traffic.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <rte_arp.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include <cstring>
#include <string>

#include "dataplane/base/hash.h"

namespace tandem::bench {
namespace {

using flow::Side;

constexpr uint32_t kFirstClient = 0x14000000;  // 20.0.0.0
constexpr uint32_t kVirtual = 0x0a000064;      // 10.0.0.100
constexpr uint32_t kFirstMember = 0x0a010001;  // 10.1.0.1
constexpr uint32_t kSnat = 0x0a010101;         // 10.1.1.1
constexpr uint32_t kServerSelf = 0x0a01ff01;   // 10.1.255.1
constexpr uint16_t kService = 80;
constexpr uint16_t kFirstPort = 1024;
constexpr MacAddress kClientMac = {2, 0, 0, 0, 0, 0x0c};
constexpr std::array<MacAddress, 2> kDeviceMacs = {MacAddress{2, 0, 0, 0, 0, 0x0d},
                                                   MacAddress{2, 0, 0, 0, 0, 0x0e}};
constexpr config::InterfaceId kClientSide = 1;

constexpr uint8_t kAck = RTE_TCP_ACK_FLAG;
constexpr uint8_t kSyn = RTE_TCP_SYN_FLAG;
constexpr uint32_t kFrameSize = 60;
constexpr size_t kHeadroom = 64;

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

void WriteTcp(uint8_t* at, uint16_t source_port, uint16_t destination_port, Side side,
              uint8_t flags, uint32_t sent, uint32_t acknowledged) {
  rte_tcp_hdr tcp{};
  tcp.src_port = htons(source_port);
  tcp.dst_port = htons(destination_port);
  const bool is_syn = (flags & kSyn) != 0;
  tcp.sent_seq = htonl((side == Side::kClient ? 1000U : 5000U) + (is_syn ? 0 : 1) + sent);
  const uint32_t expected = (side == Side::kClient ? 5001U : 1001U) + acknowledged;
  tcp.recv_ack = (flags & kAck) != 0 ? htonl(expected) : 0;
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

// Only even blocks of 64 (nat/snat.h).
uint16_t PortOf(uint32_t number) {
  constexpr uint32_t kBlock = 64;
  return static_cast<uint16_t>(kFirstPort + number / kBlock * 2 * kBlock + number % kBlock);
}

}  // namespace

IpAddress MemberAddress(uint32_t member) {
  return Address(kFirstMember + member);
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
    snapshot->members[id] = {.name = std::to_string(i),
                             .id = id,
                             .pool = 1,
                             .address = MemberAddress(i),
                             .port = kService};
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
  return snapshot;
}

net::Packet PacketIn(uint8_t* buffer, uint16_t port) {
  return {.data = buffer + kHeadroom,
          .handle = buffer,
          .length = kFrameSize,
          .contiguous = kFrameSize,
          .headroom = kHeadroom,
          .port = port,
          .flags = net::kIpChecksumGood};
}

FrameRing::FrameRing() : buffers_(kFrames), packets_(kFrames) {}

uint8_t* FrameRing::Reset(size_t index, uint16_t port) {
  packets_[index] = PacketIn(buffers_[index].bytes, port);
  return packets_[index].data;
}

ServerEnd Traffic::ServerEndOf(const net::Packet& packet) {
  rte_ipv4_hdr ip;
  std::memcpy(&ip, packet.data + RTE_ETHER_HDR_LEN, sizeof(ip));
  uint16_t port = 0;  // the first field of UDP and TCP
  std::memcpy(&port, packet.data + RTE_ETHER_HDR_LEN + sizeof(ip), sizeof(port));
  return {static_cast<uint16_t>(ntohl(ip.dst_addr) - kFirstMember), ntohs(port)};
}

uint16_t Traffic::ClientPortOf(uint32_t flow) const {
  if (ports_ == ClientPorts::kInTurn) return PortOf(flow / kMembers);
  return static_cast<uint16_t>(kFirstPort + HashPair(flow, 0, 1) % (65'536 - kFirstPort));
}

void Traffic::MakePacket(FrameRing& ring, size_t index, uint32_t flow, Side side, uint8_t tcp_flags,
                         uint32_t sent, uint32_t acknowledged) const {
  const ServerEnd server = {static_cast<uint16_t>((first_member_ + flow) % kMembers),
                            PortOf(flow / kMembers)};
  WriteFrame(ring.Reset(index, side == Side::kClient ? 0 : 1), flow, server, side, tcp_flags, sent,
             acknowledged);
}

void Traffic::WriteFrame(uint8_t* frame, uint32_t flow, ServerEnd server, Side side,
                         uint8_t tcp_flags, uint32_t sent, uint32_t acknowledged) const {
  const bool from_client = side == Side::kClient;
  const uint32_t member = kFirstMember + server.member;
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
  const uint16_t source_port = from_client ? ClientPortOf(flow) : kService;
  const uint16_t destination_port = from_client ? kService : server.port;
  if (protocol_ == IPPROTO_TCP) {
    WriteTcp(l4, source_port, destination_port, side, tcp_flags, sent, acknowledged);
  } else {
    WriteUdp(l4, source_port, destination_port);
  }
}

flow::FlowHot4::Key Traffic::ClientKey(uint32_t flow) const {
  return {.source = htonl(kFirstClient + flow),
          .destination = htonl(kVirtual),
          .source_port = htons(ClientPortOf(flow)),
          .destination_port = htons(kService)};
}

void Traffic::MakeArp(FrameRing& ring, size_t index, uint32_t member) {
  uint8_t* const frame = ring.Reset(index, 1);
  std::memset(frame, 0, kFrameSize);
  std::memset(frame, 0xff, 6);
  std::memcpy(frame + 6, kServerMac.data(), 6);
  rte_arp_hdr arp{};
  arp.arp_hardware = htons(RTE_ARP_HRD_ETHER);
  arp.arp_protocol = htons(RTE_ETHER_TYPE_IPV4);
  arp.arp_hlen = 6;
  arp.arp_plen = 4;
  arp.arp_opcode = htons(RTE_ARP_OP_REQUEST);
  std::memcpy(arp.arp_data.arp_sha.addr_bytes, kServerMac.data(), 6);
  arp.arp_data.arp_sip = htonl(kFirstMember + member);
  arp.arp_data.arp_tip = htonl(kServerSelf);
  frame[12] = 0x08;
  frame[13] = 0x06;
  std::memcpy(frame + RTE_ETHER_HDR_LEN, &arp, sizeof(arp));
}

}  // namespace tandem::bench
