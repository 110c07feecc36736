// SPDX-License-Identifier: Apache-2.0
//
// Heartbeats over a traffic VLAN: two devices that have nothing else, and what others send there.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "dataplane/unit/mirroring.h"
#include "dataplane/unit/takeover.h"
#include "tests/support/packet_builder.h"
#include "tests/support/pair.h"

namespace tandem::test {
namespace {

std::string ConfigOf(unsigned device, bool is_v4, const std::string& tag) {
  const std::string one = std::to_string(device + 1);
  const std::string net = is_v4 ? "192.0.2." : "2001:db8::";
  const std::string length = is_v4 ? "/24" : "/64";
  return R"(device { workers: 2 name: "unit)" + one + R"(" }
mirroring { device: "m" key: ")" +
         std::string(64, 'a') + R"(" unit_id: )" + one + R"( address: "10.255.0.)" + one +
         R"(/24" peer: "10.255.0.)" + std::to_string(2 - device) + R"(" }
port { name: "1.1" device: "a" }
vlan { name: "lan" port: "1.1" )" +
         tag + R"( }
self_ip { name: "s" address: ")" +
         net + one + length + R"(" vlan: "lan" }
traffic_group { name: "tg" }
device_group { name: "pair" boot_wait_ms: 1000
  device { name: "unit1" unit_id: 1 failover_address: ")" +
         net + R"(1" }
  device { name: "unit2" unit_id: 2 failover_address: ")" +
         net + R"(2" } })";
}

// Two devices on one LAN, without a mirroring wire.
struct Lan {
  Lan(bool is_v4, const std::string& tag)
      : rigs{std::make_unique<Rig>(ConfigOf(0, is_v4, tag), OptionsOf(1)),
             std::make_unique<Rig>(ConfigOf(1, is_v4, tag), OptionsOf(2))} {
    for (unsigned device = 0; device < 2; ++device) {
      rigs[device]->SetListener([this, device](const Sent& sent) {
        if (sent.originated) under_way[1 - device].push_back(sent.bytes);
      });
    }
  }

  static RigOptions OptionsOf(uint64_t seed) {
    RigOptions options;
    options.seed = seed;
    options.takeover.emplace();
    options.takeover->paths = 2;
    options.takeover->interval = 10 * kMillisecond;
    return options;
  }

  void Run(Nanos span) {
    for (const Nanos end = rigs[0]->now() + span; rigs[0]->now() < end;) {
      for (unsigned device = 0; device < 2; ++device) {
        rigs[device]->Advance(kMillisecond, kMillisecond);
        FrameCollector nowhere;
        rigs[device]->unit().MirrorTurn({}, rigs[device]->now(), nowhere);
        for (const ha::Action& action : rigs[device]->unit().takeover()->Take()) {
          if (action.kind == ha::Action::Kind::kPersist)
            rigs[device]->unit().takeover()->Post(
                ha::FactsDurable{action.ballot, action.forced_offline});
        }
      }
      for (unsigned device = 0; device < 2; ++device) {
        for (const Bytes& frame : under_way[device])
          rigs[device]->Inject(0, ++carried % 2, frame);
        under_way[device].clear();
      }
    }
  }
  const unit::TakeoverStatus::Peer PeerOf(unsigned device) {
    return rigs[device]->unit().takeover()->status()->peers.at(0);
  }
  uint64_t Sum(unsigned device, Counter pipeline::WorkerCounters::*counter) {
    return rigs[device]->Total(counter);
  }

  std::unique_ptr<Rig> rigs[2];
  std::vector<Bytes> under_way[2];  // by receiver
  unsigned carried = 0;
};

}  // namespace

TEST_CASE("failover path: two devices hear each other over a traffic VLAN alone", "[unit]") {
  const bool is_v4 = GENERATE(true, false);
  const std::string tag = GENERATE("", "tag: 10");
  CAPTURE(is_v4, tag);
  Lan lan(is_v4, tag);
  lan.Run(4 * kSecond);
  for (unsigned device = 0; device < 2; ++device) {
    CAPTURE(device);
    CHECK(lan.PeerOf(device).is_alive);
    CHECK(lan.PeerOf(device).paths == 2U);
    CHECK(lan.PeerOf(device).heard_on == 2U);
    const auto& counters = lan.rigs[device]->unit().mirroring()->endpoint().counters();
    CHECK(counters.beside_received.Get() > 100);
    CHECK(counters.forged.Get() == 0);
    CHECK(lan.Sum(device, &pipeline::WorkerCounters::consumed) > 100);
  }
  // One of them acts, and the other knows.
  const auto acts = [&](unsigned device) {
    return ha::Acts(lan.rigs[device]->unit().takeover()->status()->groups.at(0).state);
  };
  CHECK(acts(0) != acts(1));
  // Without it they are alone.
  lan.rigs[1]->SetListener({});
  lan.Run(kSecond);
  CHECK_FALSE(lan.PeerOf(0).is_alive);
}

TEST_CASE(
    "failover path: strangers' datagrams, and damaged or routed ones, are traffic like any other",
    "[unit]") {
  Lan lan(true, "");
  lan.Run(2 * kSecond);
  Rig& rig = *lan.rigs[0];
  const auto& endpoint = rig.unit().mirroring()->endpoint().counters();
  const auto take = [&](const Bytes& frame) {
    const uint64_t consumed = rig.Total(&pipeline::WorkerCounters::consumed);
    rig.Inject(0, 0, frame);
    rig.Turn(0);
    return rig.Total(&pipeline::WorkerCounters::consumed) - consumed;
  };
  const auto datagram = [&](const char* from, const char* to, uint8_t ttl, uint16_t port,
                            size_t size) {
    return PacketBuilder()
        .Ethernet("02:00:00:00:00:77", "02:00:00:00:01:01")
        .Ipv4(from, to)
        .Ttl(ttl)
        .Udp(1028, port)
        .Payload(size)
        .Build();
  };
  CHECK(take(datagram("192.0.2.2", "192.0.2.1", 64, 1028, 100)) == 0);
  CHECK(take(datagram("192.0.2.9", "192.0.2.1", 255, 1028, 100)) == 0);
  CHECK(take(datagram("192.0.2.2", "192.0.2.1", 255, 1029, 100)) == 0);
  Bytes damaged = datagram("192.0.2.2", "192.0.2.1", 255, 1028, 100);
  damaged.back() ^= 1;
  CHECK(take(damaged) == 0);
  CHECK(take(datagram("192.0.2.2", "192.0.2.1", 255, 1028, 0)) == 0);
  // In the right clothes they get as far as the seal; what is too long, not even there.
  const uint64_t before = endpoint.beside_received.Get();
  const uint64_t bad = endpoint.forged.Get() + endpoint.header_bad.Get();
  CHECK(take(datagram("192.0.2.2", "192.0.2.1", 255, 1028, 100)) == 1);
  CHECK(take(datagram("192.0.2.2", "192.0.2.1", 255, 1028, 1201)) == 1);
  FrameCollector nowhere;
  rig.Skip(2 * kMillisecond);
  rig.unit().MirrorTurn({}, rig.now(), nowhere);
  CHECK(endpoint.beside_received.Get() == before + 1);
  CHECK(endpoint.forged.Get() + endpoint.header_bad.Get() == bad + 1);
  // A flood finds the ring full, and is gone.
  for (int i = 0; i < 100; ++i)
    CHECK(take(datagram("192.0.2.2", "192.0.2.1", 255, 1028, 100)) == 1);
  rig.Skip(2 * kMillisecond);
  rig.unit().MirrorTurn({}, rig.now(), nowhere);
  CHECK(endpoint.beside_received.Get() == before + 1 + 16);
  CHECK(lan.PeerOf(0).is_alive);
}

}  // namespace tandem::test
