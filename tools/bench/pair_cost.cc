// SPDX-License-Identifier: Apache-2.0
//
// What mirroring costs the active's packet path, by packet of an established connection and by whole
// connection (pair_contest.h).
#include <netinet/in.h>
#include <rte_tcp.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "dataplane/base/prng.h"
#include "tools/bench/pair_contest.h"
#include "tools/bench/pair_scenarios.h"

namespace tandem::bench {
namespace {

using flow::Side;

constexpr uint8_t kSyn = RTE_TCP_SYN_FLAG;
constexpr uint8_t kAck = RTE_TCP_ACK_FLAG;
constexpr uint8_t kFin = RTE_TCP_FIN_FLAG;

// How much is done: enough to measure, or as little as a profiler needs.
struct Extent {
  size_t samples;
  size_t warm_up;          // rounds of new connections
  int settling;            // turns
  Nanos udp_idle_timeout;  // of new connections: they end within warm_up
};
constexpr Extent kMeasured{1500, 16'000, 200'000, 200 * kMillisecond};
constexpr Extent kProfiled{100, 1200, 3000, 40 * kMillisecond};

void Established(uint8_t protocol, uint32_t flows, const Extent& extent, const char* what) {
  Contest contest({.protocol = protocol, .capacity = std::max(flows * 2, 8192U)}, flows,
                  extent.settling);
  FrameRing ring;
  std::array<Samples, 2> samples;
  std::array<uint64_t, 2> before = {contest.device(0).forwarded(), contest.device(1).forwarded()};
  for (size_t sample = 0; sample < extent.samples; ++sample) {
    for (size_t k = 0; k < Contest::kDevices; ++k) {
      const size_t number = (sample + k) % 2;  // neither is always first
      Prng prng(sample);
      for (size_t i = 0; i < FrameRing::kFrames; ++i) {
        const uint32_t flow = prng.Below(flows);
        const Side side = prng.Below(2) == 0 ? Side::kClient : Side::kServer;
        contest.device(number).traffic().MakePacket(ring, i, flow, side, kAck);
      }
      samples[number].Add(contest.Send(number, ring.packets(), kPacketGap));
    }
  }
  for (size_t number = 0; number < 2; ++number) {
    if (contest.device(number).forwarded() - before[number] !=
        extent.samples * FrameRing::kFrames) {
      std::printf("not all forwarded: ");
    }
  }
  contest.Print(what, samples[0].Median(), samples[1].Median(), FrameRing::kFrames);
}

// A packet of a connection's life, so many connections after the first packet of this one.
struct Step {
  uint32_t after;
  Side side;
  uint8_t flags;
  uint32_t sent = 0;
  uint32_t acknowledged = 0;
};

// Connections come and go beside `established` that stay. Their packets are mixed: while one begins,
// earlier ones are at each of the other steps.
void New(const PairDeviceOptions& options, std::span<const Step> steps, Nanos gap,
         const Extent& extent, const char* what) {
  constexpr uint32_t kConnections = 64;  // a round
  constexpr size_t kRounds = 8;  // a sample: enough for some frames of the mirror's to be in each
  constexpr uint32_t kEstablished = kMembers * 256;
  constexpr uint32_t kNumbers = kMembers * 8192;  // flow numbers that come round
  Contest contest(options, kEstablished, extent.settling);
  const size_t warm_up = extent.warm_up;
  FrameRing ring;
  std::array<Samples, 2> samples;
  std::array<uint64_t, 2> cycles{};
  Told before;
  for (size_t round = 0; round < warm_up + extent.samples * 4; ++round) {
    if (round == warm_up) before = contest.told();
    for (size_t k = 0; k < Contest::kDevices; ++k) {
      const size_t number = (round + k) % 2;
      size_t count = 0;
      for (const Step& step : steps) {
        for (uint32_t i = 0; i < kConnections; ++i) {
          const uint64_t connection = round * kConnections + i;
          if (connection < step.after) continue;
          const auto flow =
              kEstablished + static_cast<uint32_t>((connection - step.after) % kNumbers);
          contest.device(number).traffic().MakePacket(ring, count++, flow, step.side, step.flags,
                                                      step.sent, step.acknowledged);
        }
      }
      cycles[number] += contest.Send(number, ring.packets().first(count), gap);
      if ((round + 1) % kRounds != 0) continue;
      if (round >= warm_up) samples[number].Add(cycles[number]);
      cycles[number] = 0;
    }
  }
  contest.Print(what, samples[0].Mean(), samples[1].Mean(), kRounds * kConnections);
  contest.PrintTold(before, static_cast<double>(extent.samples) * 4.0 * kConnections);
}

}  // namespace

void MeasureCost(std::string_view only, bool is_profiled) {
  const Extent& extent = is_profiled ? kProfiled : kMeasured;
  const auto established = [&](uint8_t protocol, uint32_t flows, std::string_view what) {
    if (what.find(only) != what.npos) Established(protocol, flows, extent, what.data());
  };
  std::printf("active's packet path, one worker, mirroring off and on; per packet\n");
  established(IPPROTO_UDP, kMembers * 8, "established udp, 1 k flows");
  established(IPPROTO_UDP, kMembers * 784, "established udp, 100 k flows");
  established(IPPROTO_TCP, kMembers * 8, "established tcp, 1 k flows");
  established(IPPROTO_TCP, kMembers * 784, "established tcp, 100 k flows");

  const auto begun = [&](PairDeviceOptions options, std::span<const Step> steps, Nanos gap,
                         std::string_view what) {
    options.udp_idle_timeout = extent.udp_idle_timeout;
    if (what.find(only) != what.npos) New(options, steps, gap, extent, what.data());
  };
  std::printf("per connection, from first packet to last\n");
  constexpr uint32_t kLife = 32'768;  // connections begun between its beginning and its end
  const auto tcp = [](uint32_t apart) {
    return std::array{Step{0, Side::kClient, kSyn},
                      Step{apart, Side::kServer, kSyn | kAck},
                      Step{2 * apart, Side::kClient, kAck},
                      Step{kLife, Side::kClient, kFin | kAck},
                      Step{kLife + apart, Side::kServer, kFin | kAck, 0, 1},
                      Step{kLife + 2 * apart, Side::kClient, kAck, 1, 1}};
  };
  begun({.protocol = IPPROTO_TCP}, tcp(64), kPacketGap, "new tcp, steps 40 us apart");
  begun({.protocol = IPPROTO_TCP}, tcp(2048), kPacketGap, "new tcp, steps 1.2 ms apart");
  const std::array udp = {Step{0, Side::kClient, 0}, Step{1024, Side::kServer, 0}};
  begun({.protocol = IPPROTO_UDP}, udp, 4 * kPacketGap, "new udp, until idle");
  begun({.protocol = IPPROTO_UDP, .persists = true}, udp, 4 * kPacketGap,
        "new udp, record followed, until idle");
  MeasureAdmission(only, is_profiled);
}

}  // namespace tandem::bench
