// SPDX-License-Identifier: Apache-2.0
//
// A one-worker device for benchmarks, all neighbours known, and its traffic (bench_traffic.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/flow/flow.h"
#include "dataplane/pipeline/context.h"
#include "dataplane/pipeline/worker.h"
#include "tools/bench/bench_traffic.h"
#include "tools/bench/huge_memory.h"

namespace tandem::bench {

class BenchDevice {
 public:
  // `protocol`: IPPROTO_UDP or IPPROTO_TCP. `persistent`: by source address, so that each flow has a record
  // of its own. REQUIRES: 0 < capacity <= kFlowsMax.
  BenchDevice(uint8_t protocol, uint32_t capacity, bool persistent = false,
              ClientPorts ports = ClientPorts::kInTurn);

  void MakePacket(FrameRing& ring, size_t index, uint32_t flow, flow::Side side,
                  uint8_t tcp_flags) const {
    traffic_.MakePacket(ring, index, flow, side, tcp_flags);
  }

  // Makes flows 0 .. count-1: with their first packets, and established. Exits with a message when one does
  // not come to be. Establish REQUIRES ClientPorts::kInTurn.
  void Begin(uint32_t count);
  void Establish(uint32_t count);
  void EndAll();  // flows; records stay
  void ForgetRecords();

  // A turn of the clock, 100 ns a packet, and an empty output.
  void BeginTurn(size_t packets);
  // BeginTurn and one burst through the worker.
  void Turn(std::span<const net::Packet> burst);

  pipeline::Context& context() { return *context_; }
  pipeline::Worker& worker() { return *worker_; }
  uint64_t forwarded() const { return context_->counters.forwarded.Get(); }

 private:
  void AddNeighbours();
  void SendAll(uint32_t count, flow::Side side, uint8_t tcp_flags);
  void LearnFirstMember();

  uint8_t protocol_;
  Traffic traffic_;
  HugeMemory memory_;
  HugeMemory record_memory_;
  persist::Table records_;
  std::unique_ptr<config::Snapshot> snapshot_;
  pipeline::Shared shared_;
  Nanos now_ = kSecond;
  std::unique_ptr<pipeline::Context> context_;
  std::unique_ptr<pipeline::Worker> worker_;
  std::unique_ptr<pipeline::Output> out_;
};

}  // namespace tandem::bench
