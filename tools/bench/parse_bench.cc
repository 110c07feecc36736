// SPDX-License-Identifier: Apache-2.0
//
// Nanoseconds per packet of net::Parse alone, over a burst whose headers are in the L1 cache.
//
//   build/tools/bench/parse_bench
#include <benchmark/benchmark.h>

#include <array>

#include "dataplane/base/limits.h"
#include "dataplane/net/frame.h"
#include "dataplane/net/parse.h"

namespace {

using namespace tandem;

constexpr uint16_t kVlan = 10;

// A TCP segment; Parse takes the same way through one of ours as through anybody's.
size_t WriteSegment(net::FrameBuffer out, bool is_v4, uint16_t vlan) {
  net::ResetSpec spec;
  spec.source = *IpAddress::Parse(is_v4 ? "10.0.0.1" : "2001:db8::1");
  spec.destination = *IpAddress::Parse(is_v4 ? "192.0.2.10" : "2001:db8::10");
  spec.source_port = 1000;
  spec.destination_port = 80;
  return net::BuildTcpReset(out, {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, vlan}, spec);
}

void Run(benchmark::State& state, bool is_v4, uint16_t vlan, uint16_t flags) {
  std::array<std::array<uint8_t, kOriginatedFrameMax>, kBurstMax> frames;
  std::array<net::Packet, kBurstMax> packets;
  for (size_t i = 0; i < kBurstMax; ++i) {
    packets[i].data = frames[i].data();
    packets[i].length = static_cast<uint32_t>(WriteSegment(frames[i], is_v4, vlan));
    packets[i].contiguous = packets[i].length;
    packets[i].flags = flags;
  }
  std::array<net::Parsed, kBurstMax> parsed;
  for (auto _ : state) {
    for (size_t i = 0; i < kBurstMax; ++i)
      net::Parse(packets[i], parsed[i]);
    benchmark::DoNotOptimize(parsed.data());
    benchmark::ClobberMemory();
  }
  if (parsed[0].kind == net::Kind::kNone) state.SkipWithError("the frame was dropped");
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kBurstMax));
  state.counters["per_packet"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * static_cast<double>(kBurstMax),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void Tcp4(benchmark::State& state) {
  Run(state, true, net::kUntagged, 0);
}
void Tcp4Vouched(benchmark::State& state) {
  Run(state, true, net::kUntagged, net::kIpChecksumGood);
}
void Tcp4Tagged(benchmark::State& state) {
  Run(state, true, kVlan, 0);
}
void Tcp6(benchmark::State& state) {
  Run(state, false, net::kUntagged, 0);
}

BENCHMARK(Tcp4);
BENCHMARK(Tcp4Vouched);
BENCHMARK(Tcp4Tagged);
BENCHMARK(Tcp6);

}  // namespace

BENCHMARK_MAIN();
