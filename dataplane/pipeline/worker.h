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
  // Its steps, for who wants to clock them. In order: what each packet is, and the line of the index that its
  // flow is looked for in asked of memory; the lines of flows asked of memory; all else.
  void Arrive(std::span<const net::Packet> packets, Origin origin) noexcept;
  void Probe() noexcept;
  void Settle() noexcept;

  // Housekeeping of a turn, each piece bounded: held packets whose neighbour is settled, timers,
  // and, on worker 0, the neighbour table.
  void Tidy() noexcept;

 private:
  // So many packets ahead a flow comes into the first-level cache.
  static constexpr size_t kNear = 3;

  // The packets of a family whose flows are to be found: each looks for the key that stands in its Work.
  template <class Hot>
  struct Batch {
    std::array<flow::Lookup<Hot>, kBurstMax + kNear> lookups;
    flow::Lookup<Hot>* end = nullptr;  // of those that are meant; what is behind is anything
    std::span<flow::Lookup<Hot>> all() { return {lookups.data(), end}; }
    void Clear() { end = lookups.data(); }
  };

  void CountArrivals(uint16_t port, uint64_t count, uint64_t bytes, Origin origin) noexcept;
  void ArriveUncommon(Work& work) noexcept;
  template <class Hot>
  void StartFind(const Work& work) noexcept;
  template <class Hot>
  void SettleAll() noexcept;
  template <class Hot>
  void SettleOnce() noexcept;
  template <class Hot>
  bool SettleOne(Context& context, Work& work, const flow::Lookup<Hot>& lookup) noexcept;
  template <class Hot>
  bool Begin(Work& work, const flow::Lookup<Hot>& lookup, bool had_flow) noexcept;
  void ReleaseHeld() noexcept;
  void ReleaseForCommit() noexcept;
  void ReleaseHandedOver() noexcept;

  Context& context_;
  std::array<Work, kBurstMax> works_;
  std::tuple<Batch<flow::FlowHot4>, Batch<flow::FlowHot6>> batches_;
  std::tuple<Admission<flow::FlowHot4>, Admission<flow::FlowHot6>> admissions_;
  Tick tidied_ = 0;
};

}  // namespace tandem::pipeline
