// SPDX-License-Identifier: Apache-2.0
//
// Two workers that really run at once, each pinned to a core of its own, beside one that runs while the
// other core is idle. Both make a round of packets, then both take them, so that their turns fall
// together. Two devices that have nothing in common are the measure of what the machine itself takes
// (memory, the last cache, the host): what one device takes beyond that is lines that its workers share.
#include <netinet/in.h>
#include <pthread.h>
#include <rte_pause.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <thread>
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
constexpr size_t kFramesMax = 4 * kRoundPackets;
constexpr uint32_t kNewFlows = 400'000;  // of two workers, a run

// Where all of `parties` wait for each other.
class Meeting {
 public:
  explicit Meeting(unsigned parties) : parties_(parties) {}
  void Wait() {
    const uint64_t mine = arrived_.fetch_add(1, std::memory_order_acq_rel);
    const uint64_t all = (mine / parties_ + 1) * parties_;
    while (arrived_.load(std::memory_order_acquire) < all)
      rte_pause();
  }

 private:
  const unsigned parties_;
  alignas(64) std::atomic<uint64_t> arrived_{0};
};

// What the packets are.
enum class Load : uint8_t {
  kOwn,  // of established flows, on their owner
  kAny,  // of established flows, on any worker
  kNew,  // each the first of a flow, on its owner
};

const char* NameOf(Load load) {
  switch (load) {
    case Load::kOwn:
      return "owner";
    case Load::kAny:
      return "any worker";
    case Load::kNew:
      break;
  }
  return "new flows";
}

// A worker, its core, and its packets.
class Lane {
 public:
  Lane(ScaleDevice& device, unsigned worker, Load load, size_t cpu)
      : device_(device), worker_(worker), load_(load), cpu_(cpu), prng_(worker + 1) {}

  // As if nothing had been sent yet.
  void Rewind() {
    if (load_ == Load::kNew) device_.EndAll();
    next_ = 0;
  }

  // Cycles of each of `rounds` rounds, and how many packets of it this worker forwarded.
  void Run(size_t rounds, Meeting& meeting) {
    PinTo(cpu_);
    samples_.clear();
    for (size_t round = 0; round < rounds; ++round) {
      const size_t count = Receive();
      meeting.Wait();
      Take(count);
      meeting.Wait();
    }
  }

  struct Sample {
    uint64_t cycles;
    uint64_t forwarded;
  };
  const std::vector<Sample>& samples() const { return samples_; }

 private:
  size_t Receive() {
    size_t count = 0;
    // Frames go where their packets are handed to, and come back with others'.
    while (count < kRoundPackets && !pool_.empty()) {
      if (load_ == Load::kNew && next_ == device_.FlowsOf(worker_).size()) break;
      received_[count++] = MakePacket();
    }
    return count;
  }

  net::Packet MakePacket() {
    const std::span<const uint32_t> own = device_.FlowsOf(worker_);
    if (load_ == Load::kNew) return device_.MakeFirstPacket(pool_, own[next_++]);
    const uint32_t flow = load_ == Load::kOwn ? own[prng_.Below(static_cast<uint32_t>(own.size()))]
                                              : prng_.Below(device_.flows());
    const Side side = prng_.Below(2) == 0 ? Side::kClient : Side::kServer;
    return device_.MakePacket(pool_, flow, side);
  }

  void Take(size_t count) {
    const Counter& forwarded = device_.counters(worker_).forwarded;
    const uint64_t before = forwarded.Get();
    uint64_t cycles = 0;
    for (size_t i = 0; i < count; i += kBurst) {
      cycles += device_.Turn(worker_, {&received_[i], std::min(kBurst, count - i)}, *out_);
      pool_.TakeBack(*out_);
    }
    samples_.push_back({cycles, forwarded.Get() - before});
  }

  ScaleDevice& device_;
  const unsigned worker_;
  const Load load_;
  const size_t cpu_;
  Prng prng_;
  size_t next_ = 0;  // of its flows, to begin
  FramePool pool_{kFramesMax};
  std::array<net::Packet, kRoundPackets> received_;
  std::unique_ptr<pipeline::Output> out_ = std::make_unique<pipeline::Output>();
  std::vector<Sample> samples_;
};

using Lanes = std::vector<std::unique_ptr<Lane>>;

// Nanoseconds per packet of the lanes' workers, the median round.
double RunAtOnce(const Lanes& lanes, size_t rounds) {
  Meeting meeting(static_cast<unsigned>(lanes.size()));
  std::vector<std::thread> threads;
  for (const auto& lane : lanes)
    threads.emplace_back([&lane, &meeting, rounds] { lane->Run(rounds, meeting); });
  for (std::thread& thread : threads)
    thread.join();
  std::vector<double> nanos;
  for (size_t round = 0; round < rounds; ++round) {
    uint64_t cycles = 0;
    uint64_t forwarded = 0;
    for (const auto& lane : lanes) {
      cycles += lane->samples()[round].cycles;
      forwarded += lane->samples()[round].forwarded;
    }
    if (forwarded == 0) continue;
    nanos.push_back(static_cast<double>(cycles) * NanosPerCycle() / static_cast<double>(forwarded));
  }
  return MedianOf(std::move(nanos));
}

struct Contest {
  double alone = std::numeric_limits<double>::quiet_NaN();
  double together = 0;
};

double RunAnew(const Lanes& lanes, size_t rounds) {
  for (const auto& lane : lanes)
    lane->Rewind();
  return RunAtOnce(lanes, rounds);
}

// By turns, so that what the machine does meanwhile meets both. Alone is the mean of each by itself.
Contest Compare(Lanes& lanes, Load load, const ScaleExtent& extent) {
  std::vector<double> alone;
  std::vector<double> together;
  for (size_t run = 0; run < extent.runs; ++run) {
    together.push_back(RunAnew(lanes, extent.rounds));
    if (load == Load::kAny) continue;  // nobody alone can take what is handed over
    double sum = 0;
    for (auto& lane : lanes) {
      Lanes one;
      one.push_back(std::move(lane));
      sum += RunAnew(one, extent.rounds);
      lane = std::move(one.front());
    }
    alone.push_back(sum / static_cast<double>(lanes.size()));
  }
  return {MedianOf(std::move(alone)), MedianOf(std::move(together))};
}

// All loads of one protocol and number of flows; every device is made once.
class Scene {
 public:
  Scene(int protocol, uint32_t flows, std::pair<size_t, size_t> cpus, const ScaleExtent& extent,
        Table& table)
      : protocol_(static_cast<uint8_t>(protocol)),
        flows_(flows),
        cpus_(cpus),
        extent_(extent),
        table_(table) {}

  void TwoDevices(std::initializer_list<Load> loads) {
    ScaleDevice first(protocol_, 1, flows_ / 2);
    ScaleDevice second(protocol_, 1, flows_ / 2);
    for (const Load load : loads)
      Run("2 devices", load, {first, 0}, {second, 0});
  }

  void OneDevice(std::initializer_list<Load> loads) {
    ScaleDevice device(protocol_, 2, flows_);
    for (const Load load : loads)
      Run("1 device", load, {device, 0}, {device, 1});
  }

 private:
  struct Place {
    ScaleDevice& device;
    unsigned worker;
  };

  void Run(const char* what, Load load, Place first, Place second) {
    Lanes lanes;
    lanes.push_back(std::make_unique<Lane>(first.device, first.worker, load, cpus_.first));
    lanes.push_back(std::make_unique<Lane>(second.device, second.worker, load, cpus_.second));
    const Contest contest = Compare(lanes, load, extent_);
    table_.Add({protocol_ == IPPROTO_UDP ? "udp" : "tcp", Number(flows_), what, NameOf(load),
                contest.alone, contest.together, contest.together / contest.alone});
  }

  const uint8_t protocol_;
  const uint32_t flows_;
  const std::pair<size_t, size_t> cpus_;
  const ScaleExtent& extent_;
  Table& table_;
};

}  // namespace

std::optional<std::pair<size_t, size_t>> TwoCpus() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return std::nullopt;
  std::vector<size_t> cpus;
  for (size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  if (cpus.size() < 2) return std::nullopt;
  return std::pair{cpus[0], cpus[1]};
}

void PinTo(size_t cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

std::vector<Table> MeasureParallel(const ScaleExtent& extent) {
  Table table(
      "parallel",
      "Two workers at once, REALLY in parallel on two cores, and each alone with the other core "
      "idle. ns: "
      "time of the workers' turns per packet. 2 devices have nothing in common: their ratio is the "
      "machine's; that of 1 device beyond it is what its workers share.",
      {{"protocol", 10},
       {"flows", 10, 0},
       {"what", 12},
       {"load", 12},
       {"alone_ns", 10},
       {"both_ns", 10},
       {"ratio", 8, 3}});
  const auto cpus = TwoCpus();
  if (!cpus) {
    std::printf("not measured: this process has one CPU\n");
    return {table};
  }
  for (const int protocol : {IPPROTO_UDP, IPPROTO_TCP}) {
    for (const uint32_t flows : extent.flow_counts) {
      Scene scene(protocol, flows, *cpus, extent, table);
      scene.TwoDevices({Load::kOwn});
      scene.OneDevice({Load::kOwn, Load::kAny});
    }
    Scene scene(protocol, kNewFlows, *cpus, extent, table);
    scene.TwoDevices({Load::kNew});
    scene.OneDevice({Load::kNew});
  }
  return {table};
}

}  // namespace tandem::bench
