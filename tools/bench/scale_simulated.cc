// SPDX-License-Identifier: Apache-2.0
//
// Devices of more workers than there are cores: packets are spread over the workers' queues as a NIC
// would, and the workers run in turn on one core, a few bursts each. What counts is the time within
// their turns.
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "dataplane/base/prng.h"
#include "tools/bench/cycles.h"
#include "tools/bench/scale_device.h"
#include "tools/bench/scale_parts.h"

namespace tandem::bench {
namespace {

using flow::Side;

constexpr size_t kBurst = 32;
constexpr size_t kRoundPackets = 512;
constexpr size_t kBurstsInARow = 4;
// Beside a round's: what queues keep for want of a full burst, and what is on the way between workers.
constexpr size_t kFramesMax = 4 * kRoundPackets;

class Simulation {
 public:
  Simulation(ScaleDevice& device, Arrival arrival)
      : device_(device), arrival_(arrival), queues_(device.workers()) {}

  // Nanoseconds per packet of one round, over all workers.
  double Round() {
    const uint64_t before = device_.forwarded();
    Receive();
    uint64_t cycles = 0;
    for (bool is_busy = true; is_busy;) {
      is_busy = false;
      for (unsigned worker = 0; worker < device_.workers(); ++worker)
        is_busy |= TakeBursts(worker, cycles);
    }
    return static_cast<double>(cycles) * NanosPerCycle() /
           static_cast<double>(device_.forwarded() - before);
  }

 private:
  void Receive() {
    for (size_t i = 0; i < kRoundPackets; ++i) {
      const Side side = prng_.Below(2) == 0 ? Side::kClient : Side::kServer;
      const net::Packet packet = device_.MakePacket(pool_, prng_.Below(device_.flows()), side);
      const unsigned queue =
          arrival_ == Arrival::kOwner ? device_.QueueOf(packet) : prng_.Below(device_.workers());
      queues_[queue].push_back(packet);
    }
  }

  // Full bursts only, so that workers of few packets are not taken for slow ones. False: it had none.
  bool TakeBursts(unsigned worker, uint64_t& cycles) {
    std::vector<net::Packet>& queue = queues_[worker];
    const size_t bursts = std::min(queue.size() / kBurst, kBurstsInARow);
    for (size_t i = 0; i < bursts; ++i) {
      cycles += device_.Turn(worker, {&queue[i * kBurst], kBurst}, *out_);
      pool_.TakeBack(*out_);
    }
    queue.erase(queue.begin(), queue.begin() + static_cast<std::ptrdiff_t>(bursts * kBurst));
    return bursts > 0;
  }

  ScaleDevice& device_;
  const Arrival arrival_;
  FramePool pool_{kFramesMax};
  Prng prng_{1};
  std::vector<std::vector<net::Packet>> queues_;
  std::unique_ptr<pipeline::Output> out_ = std::make_unique<pipeline::Output>();
};

struct Measured {
  double nanos;       // per packet
  double unevenness;  // packets of the worker with most, of the mean
  double handed_off;  // share of those that arrived
};

std::vector<uint64_t> ForwardedByWorker(const ScaleDevice& device) {
  std::vector<uint64_t> counts;
  for (unsigned worker = 0; worker < device.workers(); ++worker)
    counts.push_back(device.counters(worker).forwarded.Get());
  return counts;
}

Measured Measure(ScaleDevice& device, Arrival arrival, const ScaleExtent& extent) {
  Simulation simulation(device, arrival);
  const std::vector<uint64_t> before = ForwardedByWorker(device);
  const uint64_t handed_before = device.handed_off();
  std::vector<double> runs;
  for (size_t run = 0; run < extent.runs; ++run) {
    std::vector<double> rounds;
    for (size_t round = 0; round < extent.rounds; ++round)
      rounds.push_back(simulation.Round());
    runs.push_back(MedianOf(std::move(rounds)));
  }
  std::vector<uint64_t> counts = ForwardedByWorker(device);
  uint64_t sum = 0;
  for (size_t worker = 0; worker < counts.size(); ++worker)
    sum += counts[worker] -= before[worker];
  const auto all = static_cast<double>(sum);
  return {.nanos = MedianOf(std::move(runs)),
          .unevenness = static_cast<double>(*std::max_element(counts.begin(), counts.end())) *
                        static_cast<double>(counts.size()) / all,
          .handed_off = static_cast<double>(device.handed_off() - handed_before) / all};
}

}  // namespace

std::vector<Table> MeasureSimulated(const ScaleExtent& extent) {
  Table table(
      "simulated",
      "Workers, SIMULATED on one core: they run in turn, so caches are shared in time and not in "
      "space, and no line moves between cores. ns: time of all workers' turns per packet. "
      "max/mean: "
      "packets of the worker with most. Mpps: what so many cores would forward by these figures.",
      {{"protocol", 10},
       {"flows", 10, 0},
       {"arrival", 12},
       {"workers", 9, 0},
       {"ns", 9},
       {"max_mean", 10, 3},
       {"handed_off", 12, 3},
       {"mpps", 9}});
  for (const auto& [protocol, name] : {std::pair{IPPROTO_UDP, "udp"}, {IPPROTO_TCP, "tcp"}}) {
    for (const uint32_t flows : extent.flow_counts) {
      for (const unsigned workers : kWorkerCounts) {
        ScaleDevice device(static_cast<uint8_t>(protocol), workers, flows);
        for (const Arrival arrival : {Arrival::kOwner, Arrival::kAny}) {
          if (workers == 1 && arrival == Arrival::kAny) continue;
          const Measured measured = Measure(device, arrival, extent);
          table.Add({name, Number(flows), NameOf(arrival), Number(workers), measured.nanos,
                     measured.unevenness, measured.handed_off,
                     1e3 * workers / (measured.nanos * measured.unevenness)});
        }
      }
    }
  }
  return {table};
}

}  // namespace tandem::bench
