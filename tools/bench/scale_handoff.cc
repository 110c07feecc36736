// SPDX-License-Identifier: Apache-2.0
//
// The rings between workers: what it takes to hand a packet to another worker, in one thread (the
// instructions) and between two on cores of their own (the lines that move from core to core).
#include <rte_pause.h>
#include <x86intrin.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <numeric>
#include <thread>
#include <utility>
#include <vector>

#include "dataplane/pipeline/exchange.h"
#include "tools/bench/bench_traffic.h"
#include "tools/bench/cycles.h"
#include "tools/bench/scale_parts.h"

namespace tandem::bench {
namespace {

using pipeline::Exchange;

constexpr size_t kBurst = 32;
constexpr size_t kFrames = 2048;  // more than fit into a ring
constexpr size_t kPacketsARound = 200;

double NanosOf(uint64_t cycles, size_t packets) {
  return static_cast<double>(cycles) * NanosPerCycle() / static_cast<double>(packets);
}

// Without the slowest twentieth, in which the machine did something else. A median would be a multiple of
// what the counter counts in, which is as much as a packet takes.
double MeanOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  values.resize(values.size() - values.size() / 20);
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

class Frames {
 public:
  Frames() : memory_(kFrames * kFrameStride) {
    for (size_t i = 0; i < kFrames; ++i)
      packets_.push_back(PacketIn(memory_.data() + i * kFrameStride, 0));
  }
  const net::Packet& operator[](size_t number) const { return packets_[number % kFrames]; }

 private:
  std::vector<uint8_t> memory_;
  std::vector<net::Packet> packets_;
};

struct Halves {
  double handing;
  double collecting;
};

// Worker 0 gives `burst` packets to all others in turn, then they collect.
Halves InOneThread(unsigned workers, size_t burst, size_t rounds) {
  Exchange exchange(workers);
  const Frames frames;
  std::vector<double> handing;
  std::vector<double> collecting;
  std::array<net::Packet, kBurstMax> collected;
  for (size_t round = 0; round < rounds; ++round) {
    const uint64_t begin = __rdtsc();
    bool fits = true;
    for (size_t i = 0; i < burst; ++i)
      fits &= exchange.HandOff(0, static_cast<unsigned>(1 + i % (workers - 1)), frames[i]);
    const uint64_t middle = __rdtsc();
    size_t count = 0;
    for (unsigned worker = 1; worker < workers; ++worker)
      count += exchange.Collect(worker, collected);
    const uint64_t end = __rdtsc();
    if (!fits || count != burst) std::abort();
    handing.push_back(NanosOf(middle - begin, burst));
    collecting.push_back(NanosOf(end - middle, burst));
  }
  return {MeanOf(std::move(handing)), MeanOf(std::move(collecting))};
}

// How the receiving worker behaves.
struct Receiving {
  Nanos turn = 0;      // between two looks into the ring, as if it did something else
  bool touch = false;  // the frame's headers are read by the one worker and written by the other
};

// Worker 0 gives `packets` to worker 1 as fast as it takes them.
double BetweenCores(std::pair<size_t, size_t> cpus, size_t packets, const Receiving& receiving) {
  Exchange exchange(2);
  const Frames frames;
  std::atomic<bool> ready{false};
  std::thread receiver([&] {
    PinTo(cpus.second);
    std::array<net::Packet, kBurstMax> collected;
    const auto turn = static_cast<uint64_t>(static_cast<double>(receiving.turn) / NanosPerCycle());
    ready.store(true, std::memory_order_release);
    for (size_t count = 0; count < packets;) {
      const uint64_t begin = __rdtsc();
      const size_t got = exchange.Collect(1, collected);
      for (size_t i = 0; receiving.touch && i < got; ++i)
        ++*collected[i].data;
      count += got;
      while (__rdtsc() - begin < turn)
        rte_pause();
    }
  });
  uint64_t cycles = 0;
  std::thread sender([&] {
    PinTo(cpus.first);
    while (!ready.load(std::memory_order_acquire))
      rte_pause();
    uint64_t sum = 0;
    const uint64_t begin = __rdtsc();
    for (size_t i = 0; i < packets; ++i) {
      if (receiving.touch) sum += *static_cast<volatile const uint8_t*>(frames[i].data);
      while (!exchange.HandOff(0, 1, frames[i]))
        rte_pause();
    }
    cycles = __rdtsc() - begin + (sum & 0);
  });
  sender.join();
  receiver.join();
  return NanosOf(cycles, packets);
}

// From handing a packet over to its being collected: half of the way there and back.
double OneWay(std::pair<size_t, size_t> cpus, size_t packets) {
  Exchange exchange(2);
  const Frames frames;
  std::thread mirror([&] {
    PinTo(cpus.second);
    std::array<net::Packet, kBurstMax> collected;
    for (size_t count = 0; count < packets;) {
      const size_t got = exchange.Collect(1, collected);
      for (size_t i = 0; i < got; ++i)
        if (!exchange.HandOff(1, 0, collected[i])) std::abort();
      count += got;
    }
  });
  std::vector<double> nanos;
  std::thread asker([&] {
    PinTo(cpus.first);
    std::array<net::Packet, kBurstMax> collected;
    for (size_t i = 0; i < packets; ++i) {
      const uint64_t begin = __rdtsc();
      if (!exchange.HandOff(0, 1, frames[i])) std::abort();
      while (exchange.Collect(0, collected) == 0)
        rte_pause();
      nanos.push_back(NanosOf(__rdtsc() - begin, 2));
    }
  });
  asker.join();
  mirror.join();
  return MedianOf(std::move(nanos));
}

double MedianRun(const ScaleExtent& extent, auto measure) {
  std::vector<double> runs;
  for (size_t run = 0; run < extent.runs; ++run)
    runs.push_back(measure());
  return MedianOf(std::move(runs));
}

Table MeasureOneThread(const ScaleExtent& extent) {
  Table table(
      "handoff_one_thread",
      "The hand-off ring in one thread: ns per packet handed to the other workers in turn, and "
      "collected by "
      "them.",
      {{"workers", 10, 0}, {"burst", 8, 0}, {"hand_ns", 10}, {"collect_ns", 12}, {"both_ns", 10}});
  for (const unsigned workers : {2U, 4U, 8U}) {
    for (const size_t burst : {size_t{1}, size_t{8}, kBurst}) {
      const Halves halves = InOneThread(workers, burst, extent.runs * extent.rounds);
      table.Add({Number(workers), static_cast<double>(burst), halves.handing, halves.collecting,
                 halves.handing + halves.collecting});
    }
  }
  return table;
}

Table MeasureTwoThreads(const ScaleExtent& extent) {
  Table table(
      "handoff_two_threads",
      "The hand-off ring between two cores, ns per packet that one gives and the other takes: "
      "while "
      "that one does nothing but look (every packet moves the ring's lines), while it looks every "
      "microsecond, as a worker that has work, and that with the frames' headers going along; and "
      "how long one packet is on its way.",
      {{"polled_ns", 10}, {"worked_ns", 11}, {"with_frame_ns", 15}, {"one_way_ns", 12}});
  const auto cpus = TwoCpus();
  if (!cpus) {
    std::printf("not measured: this process has one CPU\n");
    return table;
  }
  const size_t packets = extent.rounds * kPacketsARound;
  constexpr std::array<Receiving, 3> kReceiving = {
      {{}, {.turn = 1000}, {.turn = 1000, .touch = true}}};
  std::vector<Cell> cells;
  for (const Receiving& receiving : kReceiving) {
    cells.emplace_back(
        MedianRun(extent, [&] { return BetweenCores(*cpus, packets * 10, receiving); }));
  }
  cells.emplace_back(MedianRun(extent, [&] { return OneWay(*cpus, packets); }));
  table.Add(std::move(cells));
  return table;
}

}  // namespace

std::vector<Table> MeasureHandoff(const ScaleExtent& extent) {
  Table one = MeasureOneThread(extent);
  return {std::move(one), MeasureTwoThreads(extent)};
}

}  // namespace tandem::bench
