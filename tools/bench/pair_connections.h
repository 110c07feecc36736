// SPDX-License-Identifier: Apache-2.0
//
// Connections that come and go on a device at a steady rate.
#pragma once

#include <rte_tcp.h>

#include <cstdint>
#include <iterator>
#include <span>

#include "dataplane/base/limits.h"
#include "tools/bench/pair_device.h"

namespace tandem::bench {

// New connections at a steady rate, each with its handshake and, some time later, its end.
class Connections {
 public:
  Connections(PairDevice& device, uint32_t first_flow, Nanos gap)
      : device_(device), first_flow_(first_flow), gap_(gap) {}

  // The packets due at `now`; `told(flow)` for each whose flow is established by them.
  template <class Told>
  std::span<const net::Packet> Due(Nanos now, const Told& told) {
    if (began_ == 0) began_ = now;
    size_t count = 0;
    while (next_ * gap_ <= now - began_ && count + std::size(kSteps) <= kBurstMax) {
      for (const Step& step : kSteps)
        Add(step, count, told);
      ++next_;
    }
    return ring_.packets().first(count);
  }
  uint64_t begun() const { return next_; }

 private:
  static constexpr uint32_t kLife = 4096;
  static constexpr uint32_t kNumbers = kMembers * 2048;
  struct Step {
    uint32_t after;
    flow::Side side;
    uint8_t flags;
    uint32_t sent;
    uint32_t acknowledged;
  };
  static constexpr Step kSteps[] = {
      {0, flow::Side::kClient, RTE_TCP_SYN_FLAG, 0, 0},
      {8, flow::Side::kServer, RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG, 0, 0},
      {16, flow::Side::kClient, RTE_TCP_ACK_FLAG, 0, 0},
      {kLife, flow::Side::kClient, RTE_TCP_FIN_FLAG | RTE_TCP_ACK_FLAG, 0, 0},
      {kLife + 8, flow::Side::kServer, RTE_TCP_FIN_FLAG | RTE_TCP_ACK_FLAG, 0, 1},
      {kLife + 16, flow::Side::kClient, RTE_TCP_ACK_FLAG, 1, 1}};

  template <class Told>
  void Add(const Step& step, size_t& count, const Told& told) {
    if (next_ < step.after) return;
    const auto flow = first_flow_ + static_cast<uint32_t>((next_ - step.after) % kNumbers);
    device_.traffic().MakePacket(ring_, count++, flow, step.side, step.flags, step.sent,
                                 step.acknowledged);
    if (step.after == 16) told(flow);
  }

  PairDevice& device_;
  uint32_t first_flow_;
  Nanos gap_;
  Nanos began_ = 0;
  uint64_t next_ = 0;
  FrameRing ring_;
};

}  // namespace tandem::bench
