// SPDX-License-Identifier: Apache-2.0
//
// The first packets of flows: virtual server, member, way out, source address and port, and the new
// flow. Each step may refuse, with a reason; what a refused packet had taken is given back.
//
// Theory of operation. Those of a burst go through it in groups, each step for all of a group before the
// next, so that what a step reads (a persistence record, the line of the index that the server's key
// belongs to) was asked of memory while it was done for the others. Two packets of one flow may not do
// that: the second one's flow begins with the first. Whether a key was added before, a small filter of
// hashes says, sometimes wrongly.
//
// Thread safety: one worker's thread.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <span>

#include "dataplane/pipeline/context.h"
#include "dataplane/pipeline/plan.h"

namespace tandem::pipeline {

template <class Hot>
class Admission {
 public:
  explicit Admission(Context& context) : context_(context) {}

  // `hash`: of a packet's key in the flow table. Whether a packet of the same flow may have been added; this
  // one has to be looked for again after Run.
  bool MayHave(uint64_t hash) const noexcept { return hashes_.test(BitOf(hash)); }
  // REQUIRES: the table has no such flow, this worker owns it, and !MayHave(hash). `work` stays as it is
  // until Run.
  void Add(Work& work, uint64_t hash) noexcept;
  // All that were added end here: transmitted, held or dropped.
  void Run() noexcept;

 private:
  // As many as it takes for memory to answer; what is planned for them fits well into the first-level cache.
  static constexpr size_t kGroupMax = 8;
  static constexpr size_t kBits = 512;

  struct Added {
    Work* work = nullptr;
    uint64_t hash = 0;
  };

  static size_t BitOf(uint64_t hash) noexcept { return (hash >> 16) % kBits; }
  void RunGroup(std::span<const Added> group) noexcept;
  bool Start(const Added& added, Plan<Hot>& plan) noexcept;
  bool Prepare(Plan<Hot>& plan) noexcept;
  DropReason ChooseServer(Plan<Hot>& plan) noexcept;
  void FinishAll(std::span<Plan<Hot>*> plans) noexcept;
  static bool KeepsPort(const Plan<Hot>& plan) noexcept {
    return plan.flow.server.destination_port == plan.flow.client.source_port;
  }
  void PassOverTaken(Plan<Hot>& plan) noexcept;
  void Finish(Plan<Hot>& plan) noexcept;
  DropReason Insert(Plan<Hot>& plan, uint32_t& slot) noexcept;
  void Fill(const Plan<Hot>& plan, uint32_t slot) noexcept;
  void GiveBack(const Plan<Hot>& plan) noexcept;
  void Refuse(const Plan<Hot>& plan, DropReason reason) noexcept;

  Context& context_;
  std::array<Added, kBurstMax> added_;
  size_t count_ = 0;
  std::bitset<kBits> hashes_;  // of them
  std::array<Plan<Hot>, kGroupMax> plans_;
  std::array<uint32_t, kBurstMax> begun_;  // slots, of flows that are to be noted
  size_t begun_count_ = 0;
};

extern template class Admission<flow::FlowHot4>;
extern template class Admission<flow::FlowHot6>;

}  // namespace tandem::pipeline
