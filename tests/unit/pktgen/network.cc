// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/pktgen/network.h"

#include <catch2/catch.hpp>
#include <cstring>

#include "dataplane/net/frame_writer.h"
#include "tests/support/packet_builder.h"

namespace tandem::pktgen {
namespace {

constexpr RunKey kRun = {0x0123456789abcdef, 0};
const char* const kServerTexts[] = {"10.1.0.11", "10.1.0.12", "10.1.0.13"};
const char* const kServerTexts6[] = {"2001:db8:1::11", "2001:db8:1::12", "2001:db8:1::13"};

RunKey RunOf(uint32_t flows) {
  RunKey run = kRun;
  run.flows = flows;
  return run;
}

std::vector<IpAddress> ServersOf(bool is_v4) {
  std::vector<IpAddress> servers;
  for (int i = 0; i < 3; ++i) {
    servers.push_back(test::Ip(is_v4 ? kServerTexts[i] : kServerTexts6[i]));
  }
  return servers;
}

net::Packet PacketOf(std::vector<uint8_t>& frame) {
  net::Packet packet;
  packet.data = frame.data();
  packet.length = packet.contiguous = static_cast<uint32_t>(frame.size());
  return packet;
}

void WriteEndpoint(uint8_t* ip, uint8_t* l4, bool is_v4, bool is_source, const Endpoint& to) {
  if (is_v4) {
    const uint32_t address = to.address.v4();
    std::memcpy(ip + (is_source ? 12 : 16), &address, 4);
  } else {
    std::memcpy(ip + (is_source ? 8 : 24), to.address.bytes().data(), 16);
  }
  net::Store16(l4 + (is_source ? 0 : 2), to.port);
}

// All checksums anew, by reading everything.
void FixChecksums(std::vector<uint8_t>& frame, const net::Parsed& parsed) {
  uint8_t* const ip = frame.data() + parsed.l3_offset;
  uint8_t* const l4 = frame.data() + parsed.l4_offset;
  const bool is_v4 = !parsed.is_ipv6();
  if (is_v4) {
    std::memset(ip + 10, 0, 2);
    const auto sum = static_cast<uint16_t>(~net::ChecksumFold(net::ChecksumAdd(ip, 20)));
    std::memcpy(ip + 10, &sum, 2);
  }
  const size_t at = parsed.kind == net::Kind::kTcp ? 16 : 6;
  std::memset(l4 + at, 0, 2);
  uint16_t sum = net::internal::L4Checksum(ip, is_v4, l4, parsed.l4_length);
  if (parsed.kind == net::Kind::kUdp && sum == 0) sum = 0xffff;
  std::memcpy(l4 + at, &sum, 2);
}

}  // namespace

FlowMap TestFlowMap(bool is_v4) {
  const char* const clients = is_v4 ? "10.0.0.0/24" : "2001:db8::/64";
  return FlowMap(*AddressRange::Parse(clients), 1024, 65535);
}

ClientOptions TestOptions(bool is_tcp, bool is_v4) {
  ClientOptions options;
  options.is_tcp = is_tcp;
  options.target = {test::Ip(is_v4 ? "192.0.2.100" : "2001:db8:2::100"), 80};
  options.sizes = FrameSizes::Imix();
  return options;
}

Network::Network(const ClientOptions& options, uint32_t flows, const Faults& faults, uint64_t seed)
    : run_(RunOf(flows)),
      map_(TestFlowMap(options.target.address.is_v4())),
      virtual_(options.target),
      server_addresses_(ServersOf(options.target.address.is_v4())),
      faults_(faults),
      prng_(seed),
      clients_(options, map_, run_),
      servers_(server_addresses_, run_) {}

void Network::StartPhase(uint8_t phase) {
  clients_.StartPhase(phase);
  servers_.StartPhase(phase);
  to_server_ = to_client_ = Fates();
}

void Network::Translate(Bytes& frame, bool is_to_server, bool strays) {
  net::Parsed parsed;
  net::Parse(PacketOf(frame), parsed);
  REQUIRE((parsed.kind == net::Kind::kTcp || parsed.kind == net::Kind::kUdp));
  uint8_t* const ip = frame.data() + parsed.l3_offset;
  uint8_t* const l4 = frame.data() + parsed.l4_offset;
  const bool is_v4 = !parsed.is_ipv6();
  if (is_to_server) {
    const Endpoint from = {net::SourceOf(parsed), net::Load16(l4)};
    const uint64_t number = *map_.FlowOf({from.address, from.port});
    auto [at, is_new] = legs_.try_emplace(number);
    if (is_new) {
      at->second.client = {from.address, from.port};
      at->second.translated = {test::Ip(is_v4 ? "10.1.0.1" : "2001:db8:1::1"),
                               static_cast<uint16_t>(2000 + number)};
      at->second.server = {server_addresses_[number % 3], 8080};
    }
    Endpoint server = at->second.server;
    if (strays) server.address = server_addresses_[(number + 1) % 3];
    WriteEndpoint(ip, l4, is_v4, true, at->second.translated);
    WriteEndpoint(ip, l4, is_v4, false, server);
  } else {
    const uint64_t number = net::Load16(l4 + 2) - 2000U;
    ClientTuple client = legs_.at(number).client;
    if (strays) ++client.port;
    WriteEndpoint(ip, l4, is_v4, true, virtual_);
    WriteEndpoint(ip, l4, is_v4, false, {client.address, client.port});
  }
  FixChecksums(frame, parsed);
}

void Network::Carry(Bytes frame, Fates& fates, bool is_to_server) {
  net::Packet packet = PacketOf(frame);
  Arrival arrival;
  REQUIRE(Inspect(packet, is_to_server ? Side::kServer : Side::kClient, run_, arrival) ==
          Counter::kNone);
  ++(arrival.is_marked ? fates.marked_sent : fates.unmarked_sent);
  uint64_t& lost = arrival.is_marked ? fates.marked_lost : fates.unmarked_lost;
  if (Chance(faults_.lost)) {
    ++lost;
    return;
  }
  if (is_to_server && (arrival.tcp_flags & RTE_TCP_SYN_FLAG) != 0 && Chance(faults_.reset)) {
    ++lost;
    ++fates.resets;
    std::array<uint8_t, kOriginatedFrameMax> reset;
    const size_t size = net::BuildTcpReset(reset, {}, packet, arrival.parsed);
    on_the_way_.emplace(now_ + kTransit,
                        std::pair{false, Bytes(reset.begin(), reset.begin() + size)});
    return;
  }
  const bool strays = arrival.is_marked && Chance(faults_.strayed);
  if (strays) ++fates.strayed;
  Translate(frame, is_to_server, strays);
  if (Chance(faults_.damaged)) {
    ++lost;
    ++fates.damaged;
    frame[arrival.parsed.l4_offset + prng_.Below(4)] ^= static_cast<uint8_t>(1 + prng_.Below(255));
  } else if (arrival.is_marked && Chance(faults_.repeated)) {
    ++fates.marked_repeated;
    on_the_way_.emplace(now_ + kTransit + kStep, std::pair{is_to_server, frame});
  }
  const Nanos delay = Chance(faults_.delayed) ? 20 * kStep : 0;
  on_the_way_.emplace(now_ + kTransit + delay, std::pair{is_to_server, std::move(frame)});
}

void Network::DeliverToServer(Bytes& frame) {
  net::Packet packet = PacketOf(frame);
  Arrival arrival;
  const Counter verdict = Inspect(packet, Side::kServer, run_, arrival);
  if (verdict != Counter::kNone) {
    servers_.counters().Add(verdict);
  } else if (servers_.Answer(packet, arrival, now_)) {
    Carry(std::move(frame), to_client_, false);
  }
}

void Network::DeliverToClient(Bytes& frame) {
  net::Packet packet = PacketOf(frame);
  Arrival arrival;
  const Counter verdict = Inspect(packet, Side::kClient, run_, arrival);
  if (verdict != Counter::kNone) {
    clients_.counters().Add(verdict);
  } else {
    clients_.Receive(arrival, packet.length, now_);
  }
}

void Network::Deliver() {
  while (!on_the_way_.empty() && on_the_way_.begin()->first <= now_) {
    auto [is_to_server, frame] = std::move(on_the_way_.extract(on_the_way_.begin()).mapped());
    is_to_server ? DeliverToServer(frame) : DeliverToClient(frame);
  }
}

void Network::Send(const FrameSlot& slot) {
  Carry(Bytes(slot.room.begin(), slot.room.begin() + static_cast<ptrdiff_t>(slot.length)),
        to_server_, true);
}

void Network::Step(Work work, size_t work_count) {
  constexpr size_t kBurst = 32;
  static uint8_t buffers[kBurst][2048];
  std::array<FrameSlot, kBurst> slots;
  for (size_t i = 0; i < kBurst; ++i) {
    std::memset(buffers[i], 0xee, sizeof(buffers[i]));
    slots[i].room = buffers[i];
  }
  now_ += kStep;
  Deliver();
  clients_.Advance(now_);
  for (size_t filled = kBurst; filled == kBurst;) {
    filled = clients_.SendErrands(slots, now_);
    for (size_t i = 0; i < filled; ++i)
      Send(slots[i]);
  }
  const size_t filled = clients_.SendWork(work, std::span(slots).first(work_count), now_);
  for (size_t i = 0; i < filled; ++i)
    Send(slots[i]);
}

bool Network::Settle(int steps_max) {
  for (int i = 0; i < steps_max; ++i) {
    if (on_the_way_.empty() && clients_.is_quiet()) return true;
    Step(Work::kRequests, 0);
  }
  // UDP with losses is never quiet: all that was sent is to have arrived or been lost.
  return on_the_way_.empty();
}

}  // namespace tandem::pktgen
