// SPDX-License-Identifier: Apache-2.0
//
// Nanoseconds per packet of the whole pipeline without I/O, full NAT of IPv4, one worker, bursts of
// 32 in random order over all flows and both directions, beside the floor of memory in the same run.
//
//   Floor        one index line and one flow line read, the flow line written (floor.h)
//   Established  packets of established flows, received to transmitted
//   Stage        the same, step by step over the burst, with the clock read between them
//   New          packets that each begin a flow (UDP, or TCP SYN), in a table of so many flows, from ports at
//                random; also with persistence: of clients that have no record yet, and of clients that
//                return to theirs
//
// Frames are 60 bytes and in the second-level cache, as after a NIC's DMA. A sample is 16 bursts;
// what is reported is the median sample, which a busy machine disturbs least. At the end a table
// puts everything side by side.
#include <benchmark/benchmark.h>
#include <netinet/in.h>
#include <rte_tcp.h>
#include <x86intrin.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tools/bench/bench_device.h"
#include "tools/bench/cycles.h"
#include "tools/bench/floor.h"

namespace tandem::bench {
namespace {

using flow::FlowHot4;
using flow::Side;

constexpr uint8_t kSyn = RTE_TCP_SYN_FLAG;
constexpr uint8_t kAck = RTE_TCP_ACK_FLAG;
constexpr size_t kPhases = 3;
constexpr std::array<const char*, kPhases> kPhaseNames = {"arrive", "probe", "settle"};
constexpr std::array<int64_t, 5> kFlowCounts = {1, 1000, 100'000, 1'000'000, 4'000'000};

// Samples of one phase, each over FrameRing::kFrames packets.
class Samples {
 public:
  void Add(uint64_t cycles) {
    nanos_.push_back(static_cast<double>(cycles) * NanosPerCycle() / FrameRing::kFrames);
  }
  double Median() {
    if (nanos_.empty()) return 0;
    const auto middle = nanos_.begin() + static_cast<std::ptrdiff_t>(nanos_.size() / 2);
    std::nth_element(nanos_.begin(), middle, nanos_.end());
    return *middle;
  }

 private:
  std::vector<double> nanos_;
};

// Column -> flows -> nanoseconds, for the closing table.
std::map<std::string, std::map<int64_t, double>>& Results() {
  static std::map<std::string, std::map<int64_t, double>> results;
  return results;
}

void Report(benchmark::State& state, const std::string& column, Samples& samples) {
  const double median = samples.Median();
  state.counters["ns/packet"] = median;
  Results()[column][state.range(0)] = median;
}

void SetTime(benchmark::State& state, uint64_t cycles) {
  state.SetIterationTime(static_cast<double>(cycles) * NanosPerCycle() * 1e-9);
}

// The device of a protocol and size, established; kept from one benchmark to the next.
BenchDevice& Established(uint8_t protocol, uint32_t flows) {
  static std::unique_ptr<BenchDevice> kept;
  static std::pair<uint8_t, uint32_t> kept_for;
  if (kept_for != std::pair(protocol, flows)) {
    kept.reset();
    kept = std::make_unique<BenchDevice>(protocol, flows);
    kept->Establish(flows);
    kept_for = {protocol, flows};
  }
  return *kept;
}

// Half of a burst comes from each side: queues are read one after the other.
void MakeRandomPackets(const BenchDevice& device, FrameRing& ring, uint32_t flows, Prng& prng) {
  for (size_t i = 0; i < FrameRing::kFrames; ++i) {
    const Side side = i % kBurst < kBurst / 2 ? Side::kClient : Side::kServer;
    device.MakePacket(ring, i, prng.Below(flows), side, kAck);
  }
}

void BM_Floor(benchmark::State& state) {
  Floor floor(static_cast<uint32_t>(state.range(0)));
  Prng prng(1);
  Samples samples;
  for (auto _ : state) {
    const uint64_t begin = __rdtsc();
    for (size_t i = 0; i < FrameRing::kFrames; i += kBurst)
      floor.WriteBurst(prng);
    const uint64_t cycles = __rdtsc() - begin;
    samples.Add(cycles);
    SetTime(state, cycles);
  }
  benchmark::DoNotOptimize(floor.sum());
  Report(state, "floor", samples);
}

void BM_Established(benchmark::State& state, uint8_t protocol, const char* name) {
  const auto flows = static_cast<uint32_t>(state.range(0));
  BenchDevice& device = Established(protocol, flows);
  FrameRing ring;
  Prng prng(2);
  Samples samples;
  const uint64_t before = device.forwarded();
  uint64_t sent = 0;
  for (auto _ : state) {
    MakeRandomPackets(device, ring, flows, prng);
    const uint64_t begin = __rdtsc();
    for (size_t i = 0; i < FrameRing::kFrames; i += kBurst) {
      device.Turn(ring.packets().subspan(i, kBurst));
    }
    const uint64_t cycles = __rdtsc() - begin;
    samples.Add(cycles);
    SetTime(state, cycles);
    sent += FrameRing::kFrames;
  }
  if (device.forwarded() - before != sent) state.SkipWithError("not all forwarded");
  Report(state, name, samples);
}

// Adds the cycles of each step.
void RunSteps(pipeline::Worker& worker, std::span<const net::Packet> burst,
              std::array<uint64_t, kPhases>& cycles) {
  uint64_t then = __rdtsc();
  const auto lap = [&](size_t phase) {
    const uint64_t now = __rdtsc();
    cycles[phase] += now - then;
    then = now;
  };
  worker.Arrive(burst, pipeline::Origin::kWire);
  lap(0);
  worker.Probe();
  lap(1);
  worker.Settle();
  lap(2);
}

void BM_Stage(benchmark::State& state, uint8_t protocol, const char* name) {
  const auto flows = static_cast<uint32_t>(state.range(0));
  BenchDevice& device = Established(protocol, flows);
  FrameRing ring;
  Prng prng(3);
  std::array<Samples, kPhases> samples;
  for (auto _ : state) {
    MakeRandomPackets(device, ring, flows, prng);
    std::array<uint64_t, kPhases> cycles{};
    const uint64_t before = device.forwarded();
    for (size_t i = 0; i < FrameRing::kFrames; i += kBurst) {
      device.BeginTurn(kBurst);
      RunSteps(device.worker(), ring.packets().subspan(i, kBurst), cycles);
    }
    if (device.forwarded() - before != FrameRing::kFrames) state.SkipWithError("not all forwarded");
    uint64_t all = 0;
    for (size_t phase = 0; phase < kPhases; ++phase) {
      samples[phase].Add(cycles[phase]);
      all += cycles[phase];
    }
    SetTime(state, all);
  }
  for (size_t phase = 0; phase < kPhases; ++phase) {
    const double median = samples[phase].Median();
    state.counters[kPhaseNames[phase]] = median;
    Results()[std::string(name) + " " + kPhaseNames[phase]][state.range(0)] = median;
  }
}

enum class Clients : uint8_t { kAny, kFirst, kReturning };  // without persistence; with

void BM_New(benchmark::State& state, uint8_t protocol, Clients clients, const char* name) {
  // A sample's worth at least.
  const auto flows = std::max(static_cast<uint32_t>(state.range(0)), uint32_t{FrameRing::kFrames});
  BenchDevice device(protocol, flows, clients != Clients::kAny, ClientPorts::kRandom);
  const auto begin_anew = [&] {
    device.EndAll();
    if (clients == Clients::kFirst) device.ForgetRecords();
  };
  device.Begin(flows);  // so that no page is touched for the first time later
  begin_anew();
  FrameRing ring;
  Samples samples;
  uint32_t next = 0;
  for (auto _ : state) {
    if (next + FrameRing::kFrames > flows) {
      begin_anew();
      next = 0;
    }
    for (size_t i = 0; i < FrameRing::kFrames; ++i) {
      device.MakePacket(ring, i, next++, Side::kClient, kSyn);
    }
    const uint64_t begin = __rdtsc();
    for (size_t i = 0; i < FrameRing::kFrames; i += kBurst) {
      device.Turn(ring.packets().subspan(i, kBurst));
    }
    const uint64_t cycles = __rdtsc() - begin;
    samples.Add(cycles);
    SetTime(state, cycles);
    if (device.context().flows4.table.size() != next) state.SkipWithError("not all begun");
  }
  Report(state, name, samples);
}

void PrintTable() {
  constexpr std::array<const char*, 13> kColumns = {
      "floor",         "udp", "udp arrive", "udp probe", "udp settle", "udp new", "udp new, first",
      "udp new, back", "tcp", "tcp arrive", "tcp probe", "tcp settle", "tcp new"};
  std::printf("\n%-18s", "ns per packet");
  for (const int64_t flows : kFlowCounts)
    std::printf("%12lld", static_cast<long long>(flows));
  std::printf("  flows\n");
  for (const char* column : kColumns) {
    const auto& row = Results()[column];
    if (row.empty()) continue;
    std::printf("%-18s", column);
    for (const int64_t flows : kFlowCounts) {
      row.contains(flows) ? std::printf("%12.1f", row.at(flows)) : std::printf("%12s", "-");
    }
    std::printf("\n");
  }
  for (const char* column : {"udp", "tcp"}) {
    const auto& row = Results()[column];
    const auto& floor = Results()["floor"];
    if (row.empty() || floor.empty()) continue;
    std::printf("%s / floor       ", column);
    for (const int64_t flows : kFlowCounts) {
      const bool known = row.contains(flows) && floor.contains(flows);
      known ? std::printf("%12.2f", row.at(flows) / floor.at(flows)) : std::printf("%12s", "-");
    }
    std::printf("\n");
  }
  const std::string_view kind = HugeMemory::Kind();
  std::printf("memory: %.*s\n", static_cast<int>(kind.size()), kind.data());
}

void Register(const std::string& name, int64_t flows, auto function, auto... arguments) {
  benchmark::RegisterBenchmark(name.c_str(), function, arguments...)
      ->Arg(flows)
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
}

}  // namespace
}  // namespace tandem::bench

int main(int argc, char** argv) {
  using namespace tandem::bench;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  for (const int64_t flows : kFlowCounts) {
    Register("Floor", flows, BM_Floor);
    Register("Established/udp", flows, BM_Established, IPPROTO_UDP, "udp");
    Register("Stage/udp", flows, BM_Stage, IPPROTO_UDP, "udp");
    Register("Established/tcp", flows, BM_Established, IPPROTO_TCP, "tcp");
    Register("Stage/tcp", flows, BM_Stage, IPPROTO_TCP, "tcp");
    Register("New/udp", flows, BM_New, IPPROTO_UDP, Clients::kAny, "udp new");
    Register("New/tcp", flows, BM_New, IPPROTO_TCP, Clients::kAny, "tcp new");
    Register("New/udp_first", flows, BM_New, IPPROTO_UDP, Clients::kFirst, "udp new, first");
    Register("New/udp_back", flows, BM_New, IPPROTO_UDP, Clients::kReturning, "udp new, back");
  }
  benchmark::RunSpecifiedBenchmarks();
  PrintTable();
  return 0;
}
