// SPDX-License-Identifier: Apache-2.0
//
// A whole device, by hand: the first exchange through it, step by step.
#include "dataplane/unit/unit.h"

#include <netinet/in.h>
#include <stdlib.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>

#include "dataplane/net/parse.h"
#include "tests/support/packet_builder.h"
#include "tests/unit/unit/two_arms.h"

namespace tandem {
namespace {

using test::Bytes;
using test::Ip;
using test::kServerMac;
using test::kServerSideMac;
using test::Mac;
using test::PacketBuilder;
using test::TestPacket;
using test::TwoArms;

class Device {
 public:
  explicit Device(unsigned workers, config::SnatKind snat = config::SnatKind::kAutomap)
      : workers_(workers) {
    unit::UnitOptions options;
    options.workers = workers;
    options.flows_ipv4_per_worker = 1000;
    options.flows_ipv6_per_worker = 1000;
    options.allocate = [this](size_t bytes, unsigned) {
      memory_.emplace_back(static_cast<std::byte*>(aligned_alloc(64, bytes)), &free);
      std::memset(memory_.back().get(), 0, bytes);
      return std::span(memory_.back().get(), bytes);
    };
    unit_ = std::make_unique<unit::Unit>(options, TwoArms(workers, snat));
  }

  // Delivers on every worker's queue in turn order, then lets the device settle.
  std::vector<Bytes> Send(uint16_t port, unsigned worker, Bytes frame) {
    packets_.push_back(std::make_unique<TestPacket>(std::move(frame)));
    net::Packet packet = packets_.back()->packet();
    packet.port = port;
    std::vector<Bytes> sent = Turn(worker, {&packet, 1});
    for (int round = 0; round < 3; ++round) {
      now_ += 2 * kMillisecond;
      for (unsigned w = 0; w < workers_; ++w) {
        for (Bytes& bytes : Turn(w, {}))
          sent.push_back(std::move(bytes));
      }
    }
    return sent;
  }

  uint64_t Sum(Counter pipeline::WorkerCounters::*counter) const {
    uint64_t sum = 0;
    for (unsigned w = 0; w < workers_; ++w)
      sum += (unit_->counters(w).*counter).Get();
    return sum;
  }
  uint64_t Dropped(DropReason reason) const {
    uint64_t sum = 0;
    for (unsigned w = 0; w < workers_; ++w) {
      sum += unit_->counters(w).drops[static_cast<size_t>(reason)].Get();
    }
    return sum;
  }
  unit::Unit& unit() { return *unit_; }
  void Pass(Nanos span) {
    for (Nanos passed = 0; passed < span; passed += 5 * kMillisecond) {
      now_ += 5 * kMillisecond;
      for (unsigned w = 0; w < workers_; ++w)
        Turn(w, {});
    }
  }

 private:
  std::vector<Bytes> Turn(unsigned worker, std::span<const net::Packet> packets) {
    auto out = std::make_unique<pipeline::Output>();
    unit_->Turn(worker, packets, now_, *out);
    std::vector<Bytes> sent;
    for (const net::Packet& packet : out->transmit()) {
      sent.emplace_back(packet.data, packet.data + packet.length);
    }
    for (const pipeline::OriginatedFrame& frame : out->originated()) {
      sent.emplace_back(frame.bytes.data(), frame.bytes.data() + frame.length);
    }
    return sent;
  }

  unsigned workers_;
  Nanos now_ = kSecond;
  std::vector<std::unique_ptr<std::byte, decltype(&free)>> memory_;
  std::vector<std::unique_ptr<TestPacket>> packets_;
  std::unique_ptr<unit::Unit> unit_;
};

net::Parsed ParseBytes(const Bytes& bytes) {
  TestPacket packet{Bytes(bytes)};
  net::Parsed parsed;
  net::Parse(packet.packet(), parsed);
  return parsed;
}

std::string SourceText(const net::Parsed& parsed) {
  return IpAddress::V4(parsed.key4.source).ToString();
}

std::string DestinationText(const net::Parsed& parsed) {
  return IpAddress::V4(parsed.key4.destination).ToString();
}

Bytes Syn(uint16_t port) {
  return PacketBuilder().Ipv4("10.0.0.9", "10.0.0.100").Tcp(port, 80, test::kSyn).Seq(100).Build();
}

Bytes ServerArpReply() {
  return PacketBuilder()
      .Ethernet(kServerMac, kServerSideMac)
      .ArpReply(Mac(kServerMac), "10.1.0.5", Mac(kServerSideMac), "10.1.0.1")
      .Build();
}

}  // namespace

TEST_CASE("unit: the first packet waits for ARP, then the handshake passes both ways", "[unit]") {
  const unsigned workers = GENERATE(1U, 2U, 4U);
  const unsigned client_queue = GENERATE(0U, 1U, 3U) % workers;
  const unsigned server_queue = GENERATE(0U, 1U, 2U) % workers;
  const auto snat = GENERATE(config::SnatKind::kNone, config::SnatKind::kAutomap);
  Device device(workers, snat);

  const std::vector<Bytes> asked = device.Send(0, client_queue, Syn(1000));
  REQUIRE(asked.size() == 1);
  CHECK(ParseBytes(asked[0]).kind == net::Kind::kArp);
  CHECK(device.Sum(&pipeline::WorkerCounters::held) == 1);

  const std::vector<Bytes> released = device.Send(1, server_queue, ServerArpReply());
  REQUIRE(released.size() == 1);
  const net::Parsed syn = ParseBytes(released[0]);
  REQUIRE(syn.drop == DropReason::kNone);
  CHECK(SourceText(syn) == (snat == config::SnatKind::kNone ? "10.0.0.9" : "10.1.0.1"));
  CHECK(DestinationText(syn) == "10.1.0.5");
  CHECK(ntohs(syn.key4.destination_port) == 8080);
  CHECK(std::memcmp(released[0].data(), Mac(kServerMac).data(), 6) == 0);

  const Bytes answer = PacketBuilder()
                           .Ethernet(kServerMac, kServerSideMac)
                           .IpPair(Ip("10.1.0.5"), IpAddress::V4(syn.key4.source))
                           .Tcp(8080, ntohs(syn.key4.source_port), test::kSyn | test::kAck)
                           .Seq(500)
                           .Ack(101)
                           .Build();
  const std::vector<Bytes> answered = device.Send(1, server_queue, answer);
  REQUIRE(answered.size() == 1);
  const net::Parsed back = ParseBytes(answered[0]);
  CHECK(SourceText(back) == "10.0.0.100");
  CHECK(DestinationText(back) == "10.0.0.9");
  CHECK(ntohs(back.key4.source_port) == 80);
  CHECK(ntohs(back.key4.destination_port) == 1000);
  CHECK(std::memcmp(answered[0].data(), Mac(test::kClientMac).data(), 6) == 0);

  CHECK(device.unit().live_counts().OfMember(1) == 1);
  device.Pass(6 * kSecond);  // the client never completes the handshake
  CHECK(device.unit().live_counts().OfMember(1) == 0);
  CHECK(device.unit().live_counts().OfVirtual(1) == 0);
  const uint64_t ends = device.Sum(&pipeline::WorkerCounters::flows_ipv4);
  CHECK(ends == 0);
  CHECK(device.Sum(&pipeline::WorkerCounters::received) ==
        device.Sum(&pipeline::WorkerCounters::forwarded) +
            device.Sum(&pipeline::WorkerCounters::consumed));
}

TEST_CASE("unit: a query shows the flow, another deletes it", "[unit]") {
  Device device(2);
  device.Send(0, 0, Syn(1000));
  device.Send(1, 0, ServerArpReply());
  uint64_t shown = 0;
  for (unsigned w = 0; w < 2; ++w) {
    unit::FlowQuery query;
    query.results.reserve(10);
    REQUIRE(device.unit().Post(w, query));
    device.Pass(50 * kMillisecond);
    REQUIRE(query.done.load());
    for (const unit::FlowInfo& info : query.results) {
      ++shown;
      CHECK(info.worker == w);
      CHECK(info.cs_client.ToString() == "10.0.0.9");
      CHECK(info.cs_server_port == 80);
      CHECK(info.ss_server.ToString() == "10.1.0.5");
      CHECK(info.ss_client.ToString() == "10.1.0.1");
    }
    unit::FlowQuery remove;
    remove.action = unit::FlowQuery::Action::kDelete;
    remove.filter.cs_client_addr = *IpPrefix::Parse("10.0.0.0/8");
    REQUIRE(device.unit().Post(w, remove));
    device.Pass(50 * kMillisecond);
    REQUIRE(remove.done.load());
  }
  CHECK(shown == 1);
  CHECK(device.Sum(&pipeline::WorkerCounters::flows_ipv4) == 0);
  CHECK(device.unit().live_counts().OfVirtual(1) == 0);
}

TEST_CASE("unit: queries read the flows in pieces, each once", "[unit]") {
  Device device(1);
  for (uint16_t port = 1000; port < 1010; ++port) {
    device.Send(0, 0, Syn(port));
  }
  std::vector<uint16_t> ports;
  uint64_t begin = 0;
  do {
    unit::FlowQuery query;
    query.begin = begin;
    query.results.reserve(3);
    REQUIRE(device.unit().Post(0, query));
    device.Pass(20 * kMillisecond);
    REQUIRE(query.done.load());
    CHECK(query.matched == query.results.size());
    for (const unit::FlowInfo& info : query.results) {
      ports.push_back(info.cs_client_port);
    }
    begin = query.next;
  } while (begin != 0);
  std::sort(ports.begin(), ports.end());
  REQUIRE(ports.size() == 10);
  CHECK(ports.front() == 1000);
  CHECK(ports.back() == 1009);

  unit::FlowQuery young;
  young.action = unit::FlowQuery::Action::kCount;
  young.filter.age_ticks_min = TicksIn(100 * kSecond);
  REQUIRE(device.unit().Post(0, young));
  device.Pass(20 * kMillisecond);
  CHECK(young.matched == 0);
}

TEST_CASE("unit: a silent neighbour loses the held packets, with the reason", "[unit]") {
  Device device(2);
  device.Send(0, 0, Syn(1000));
  device.Pass(5 * kSecond);
  CHECK(device.Dropped(DropReason::kNeighbourUnresolved) == 1);
  CHECK(device.Sum(&pipeline::WorkerCounters::held) == 0);
}

}  // namespace tandem
