// SPDX-License-Identifier: Apache-2.0
//
// A one-worker device for benchmarks: full NAT from one virtual server to 64 members behind one SNAT
// address, clients on port 0, servers on port 1, all neighbours known. Flow n has a tuple that can be
// computed from n on both sides, so that the benchmark reads no table of its own beside Tandem's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/flow/flow.h"
#include "dataplane/pipeline/context.h"
#include "dataplane/pipeline/worker.h"
#include "tools/bench/huge_memory.h"

namespace tandem::bench {

// Frames in buffers as a driver would have them: 60 bytes, headroom, checksum verified by the NIC.
class FrameRing {
 public:
  static constexpr size_t kFrames = 512;

  FrameRing();
  std::span<net::Packet> packets() { return packets_; }
  uint8_t* Reset(size_t index, uint16_t port);  // the frame's first byte; packets()[index] shows it

 private:
  static constexpr size_t kStride = 256;
  static constexpr size_t kHeadroom = 64;

  std::vector<uint8_t> buffer_;
  std::vector<net::Packet> packets_;
};

class BenchDevice {
 public:
  static constexpr uint32_t kFlowsMax = 64 * 64000;  // 64 members, 64000 ports of one address

  // `protocol`: IPPROTO_UDP or IPPROTO_TCP. REQUIRES: 0 < capacity <= kFlowsMax.
  BenchDevice(uint8_t protocol, uint32_t capacity);

  // Packet number `index` of `ring` becomes one of flow `flow` from `side`; `tcp_flags` for TCP.
  void MakePacket(FrameRing& ring, size_t index, uint32_t flow, flow::Side side,
                  uint8_t tcp_flags) const;

  // Makes flows 0 .. count-1, established. Exits with a message when one does not come to be.
  void Establish(uint32_t count);
  void EndAll();

  // A turn of the clock, 100 ns a packet, and an empty output.
  void BeginTurn(size_t packets);
  // BeginTurn and one burst through the worker.
  void Turn(std::span<const net::Packet> burst);

  pipeline::Context& context() { return *context_; }
  uint64_t forwarded() const { return context_->counters.forwarded.Get(); }

 private:
  void AddNeighbours();
  void SendAll(uint32_t count, flow::Side side, uint8_t tcp_flags);
  void LearnFirstMember();

  uint8_t protocol_;
  HugeMemory memory_;
  HugeMemory record_memory_;
  persist::Table records_;
  std::unique_ptr<config::Snapshot> snapshot_;
  pipeline::Shared shared_;
  Nanos now_ = kSecond;
  std::unique_ptr<pipeline::Context> context_;
  std::unique_ptr<pipeline::Worker> worker_;
  std::unique_ptr<pipeline::Output> out_;
  uint32_t first_member_ = 0;  // of flow 0; round robin goes on from there
};

}  // namespace tandem::bench
