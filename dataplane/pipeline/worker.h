// SPDX-License-Identifier: Apache-2.0
//
// The life of a packet, for one burst, on one worker. Start reading here.
//
// Thread safety: one worker's thread.
#pragma once

#include <array>
#include <span>
#include <tuple>

#include "dataplane/pipeline/admit.h"
#include "dataplane/pipeline/context.h"

namespace tandem::pipeline {

enum class Origin : uint8_t { kWire, kOtherWorker, kHeld };

class Worker {
 public:
  explicit Worker(Context& context) : context_(context), admissions_(context, context) {}

  // Takes at most kBurstMax packets through the pipeline. The context's turn is set; each packet is
  // transmitted, held, handed off or dropped when this returns.
  void ProcessBurst(std::span<const net::Packet> packets, Origin origin) noexcept;

  // Housekeeping of a turn, each piece bounded: held packets whose neighbour is settled, timers,
  // and, on worker 0, the neighbour table.
  void Tidy() noexcept;

 private:
  template <class Hot>
  struct Batch {
    std::array<flow::Lookup<Hot>, kBurstMax> lookups;
    size_t count = 0;
  };

  void CountArrivals(std::span<const net::Packet> packets, Origin origin) noexcept;
  void Parse(std::span<const net::Packet> packets) noexcept;
  size_t Classify(size_t count) noexcept;
  void StartFind(const net::Parsed& parsed) noexcept;
  void SettleAll(size_t traffic) noexcept;
  size_t SettleOnce(size_t traffic) noexcept;
  template <class Hot>
  bool Settle(Work& work, const flow::Lookup<Hot>& lookup) noexcept;
  template <class Hot>
  bool Begin(Work& work, const flow::Lookup<Hot>& lookup, bool had_flow) noexcept;
  void ReleaseHeld() noexcept;
  void ReleaseForCommit() noexcept;
  void ReleaseHandedOver() noexcept;

  Context& context_;
  std::array<Work, kBurstMax> works_;
  std::array<Work*, kBurstMax> traffic_ = {};  // of works_, those whose flow is to be found
  Batch<flow::FlowHot4> batch4_;
  Batch<flow::FlowHot6> batch6_;
  std::tuple<Admission<flow::FlowHot4>, Admission<flow::FlowHot6>> admissions_;
  Tick tidied_ = 0;
};

}  // namespace tandem::pipeline
