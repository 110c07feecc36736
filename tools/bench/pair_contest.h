// SPDX-License-Identifier: Apache-2.0
//
// Two devices, one that mirrors and one that does not, which get the same packets in turns. Only the time
// within Unit::Turn counts: mirroring frames are built there, sealed and sent by another thread, and
// acknowledged here by a peer that takes no time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tools/bench/pair_device.h"

namespace tandem::bench {

inline constexpr Nanos kPacketGap = 100;

// Nanoseconds of each sample. The mean, for samples that differ in what they hold (the ends of flows come
// in heaps, when their timers do), leaves out the slowest twentieth: there, the machine did something else.
class Samples {
 public:
  void Add(uint64_t cycles);
  double Median();
  double Mean();

 private:
  std::vector<double> nanos_;
};

// What the streams' writers have told so far.
struct Told {
  uint64_t creates = 0, updates = 0, closes = 0, digests = 0, frames = 0, bytes = 0;
  uint64_t records = 0;  // made, changed, or in use still
  uint64_t records_expired = 0;
};

class Contest {
 public:
  static constexpr size_t kDevices = 2;  // 1 mirrors
  // Both with flows 0 .. established-1 (a multiple of kMembers), told of in `settling` turns.
  Contest(const PairDeviceOptions& options, uint32_t established, int settling);

  PairDevice& device(size_t number) { return number == 0 ? off_ : on_; }
  // Cycles within Unit::Turn of these packets, in bursts; `gap` of time for each.
  uint64_t Send(size_t number, std::span<const net::Packet> packets, Nanos gap);
  // So many turns of both without traffic, with `gap` of time between.
  void Idle(int turns, Nanos gap);
  // Neighbours are known for a while more.
  void Greet();
  Told told();
  bool is_in_sync();

  // `off`, `on`: nanoseconds of a sample; `count`: of packets or connections in it.
  void Print(const char* what, double off, double on, size_t count);
  // What was told since `before`, for each of `count` connections.
  void PrintTold(const Told& before, double count);

 private:
  PairDevice off_;
  PairDevice on_;
  WillingPeer peer_;
  std::array<Nanos, kDevices> now_{kSecond, kSecond};
};

}  // namespace tandem::bench
