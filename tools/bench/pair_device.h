// SPDX-License-Identifier: Apache-2.0
//
// A whole one-worker device for benchmarks of mirroring: unit::Unit with the traffic of
// bench_traffic.h, mirrored or not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/pipeline/output.h"
#include "dataplane/unit/mirroring.h"
#include "dataplane/unit/unit.h"
#include "tools/bench/bench_traffic.h"
#include "tools/bench/huge_memory.h"

namespace tandem::bench {

inline constexpr config::TrafficGroupId kGroup = 1;

struct PairDeviceOptions {
  uint8_t protocol = 6;
  ClientPorts client_ports = ClientPorts::kInTurn;
  uint32_t capacity = 1U << 20;
  bool mirrors = true;
  uint8_t unit_id = 1;  // 2: the standby
  uint16_t mtu = 1500;
  uint64_t bulk_rate = 250'000'000;
  Nanos udp_idle_timeout = 60 * kSecond;
  config::MirrorAt mirror_at = config::MirrorAt::kEstablished;
  bool persists = false;  // by source address, which each flow has one of its own of
  Nanos record_timeout = 180 * kSecond;
  bool mirrors_records = false;  // if it mirrors
};

class PairDevice {
 public:
  explicit PairDevice(const PairDeviceOptions& options);

  // One turn of the worker; returns the cycles it took.
  uint64_t Turn(std::span<const net::Packet> burst, Nanos now);
  // Makes flows 0 .. count-1 (a multiple of kMembers), established. Exits with a message when one does
  // not come to be. `now` moves on by 100 ns a packet.
  void Establish(uint32_t count, Nanos& now);
  // Every member asks for the device, which so knows them for half a minute more; the news takes a few
  // ticks, by which `now` moves on.
  void Greet(Nanos& now);

  unit::Unit& unit() { return *unit_; }
  const Traffic& traffic() const { return traffic_; }
  mirror::WorkerMirror& mirror() { return unit_->mirroring()->worker(0); }
  uint64_t forwarded() const { return unit_->counters(0).forwarded.Get(); }
  uint64_t flows() const { return unit_->counters(0).flows_ipv4.Get(); }

 private:
  void SendAll(uint32_t count, flow::Side side, uint8_t tcp_flags, Nanos& now);

  Traffic traffic_;
  uint8_t protocol_;
  std::vector<std::unique_ptr<HugeMemory>> memory_;
  std::unique_ptr<pipeline::Output> out_ = std::make_unique<pipeline::Output>();
  std::unique_ptr<unit::Unit> unit_;
};

// A peer that acknowledges all it is told at once, and costs the active's caches next to nothing.
class WillingPeer {
 public:
  explicit WillingPeer(mirror::WorkerMirror& active) : active_(active) {}
  void Open(uint16_t body_max);
  void Answer();

 private:
  struct Stream {
    config::TrafficGroupId group;
    mirror::FrameType acknowledgement;
    uint64_t answers = 0;
    uint64_t highest = 0;  // not answered yet; 0: nothing
    uint32_t stamp = 0;
  };
  void Answer(Stream& stream);

  mirror::WorkerMirror& active_;
  Stream records_{0, mirror::FrameType::kPersistAck};
  Stream flows_{kGroup, mirror::FrameType::kFlowsAck};
};

}  // namespace tandem::bench
