// SPDX-License-Identifier: Apache-2.0
//
// What mirroring costs the active's packet path: two devices, one that mirrors and one that does not,
// get the same packets in turns. Only the time within Unit::Turn counts: mirroring frames are built
// there, sealed and sent by another thread, and acknowledged here by a peer that takes no time.
#include <netinet/in.h>
#include <rte_tcp.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <numeric>

#include "dataplane/base/prng.h"
#include "tools/bench/cycles.h"
#include "tools/bench/pair_device.h"
#include "tools/bench/pair_scenarios.h"

namespace tandem::bench {
namespace {

using flow::Side;

constexpr uint8_t kSyn = RTE_TCP_SYN_FLAG;
constexpr uint8_t kAck = RTE_TCP_ACK_FLAG;
constexpr uint8_t kFin = RTE_TCP_FIN_FLAG;
constexpr size_t kBurst = 32;
constexpr Nanos kPacketGap = 100;
constexpr uint16_t kBodyMax = 1400;

// How much is done: enough to measure, or as little as a profiler needs.
struct Extent {
  size_t samples;
  size_t warm_up;          // rounds of new connections
  int settling;            // turns
  Nanos udp_idle_timeout;  // of new connections: they end within warm_up
};
constexpr Extent kMeasured{1500, 16'000, 200'000, 200 * kMillisecond};
constexpr Extent kProfiled{100, 1200, 3000, 40 * kMillisecond};

// Nanoseconds of each sample. The mean, for samples that differ in what they hold (the ends of flows come
// in heaps, when their timers do), leaves out the slowest twentieth: there, the machine did something else.
class Samples {
 public:
  void Add(uint64_t cycles) { nanos_.push_back(static_cast<double>(cycles) * NanosPerCycle()); }
  double Median() {
    std::sort(nanos_.begin(), nanos_.end());
    return nanos_[nanos_.size() / 2];
  }
  double Mean() {
    std::sort(nanos_.begin(), nanos_.end());
    const size_t kept = nanos_.size() - nanos_.size() / 20;
    return std::accumulate(nanos_.begin(), nanos_.begin() + static_cast<std::ptrdiff_t>(kept),
                           0.0) /
           static_cast<double>(kept);
  }

 private:
  std::vector<double> nanos_;
};

// What the stream's writer has told so far.
struct Told {
  uint64_t creates = 0, updates = 0, closes = 0, digests = 0, frames = 0, bytes = 0;
};

// The two devices, each with its clock.
class Contest {
 public:
  Contest(PairDeviceOptions options, uint32_t established, int settling)
      : off_(WithoutMirroring(options)), on_(options), peer_(on_.mirror()) {
    off_.Establish(established, now_[0]);
    on_.Establish(established, now_[1]);
    peer_.Open(kBodyMax);
    // Until all is told and every digest was compared.
    for (int i = 0; i < settling; ++i) {
      on_.Turn({}, now_[1] += 50'000);
      peer_.Answer();
      off_.Turn({}, now_[0] += 50'000);
    }
  }

  static constexpr size_t kDevices = 2;
  PairDevice& device(size_t number) { return number == 0 ? off_ : on_; }

  // Cycles within Unit::Turn of one sample's packets.
  uint64_t Send(size_t number, std::span<const net::Packet> packets, Nanos gap) {
    uint64_t cycles = 0;
    for (size_t i = 0; i < packets.size(); i += kBurst) {
      const size_t burst = std::min(kBurst, packets.size() - i);
      cycles += device(number).Turn(packets.subspan(i, burst), now_[number] += gap * burst);
    }
    if (number == 1) peer_.Answer();
    return cycles;
  }
  Told told() {
    const mirror::SenderCounters& counters = on_.mirror().sender(kGroup).counters();
    return {counters.creates.Get(), counters.updates.Get(), counters.closes.Get(),
            counters.audits.Get(),  counters.frames.Get(),  counters.bytes.Get()};
  }
  bool is_in_sync() { return on_.mirror().sender(kGroup).state() == mirror::StreamState::kInSync; }

 private:
  static PairDeviceOptions WithoutMirroring(PairDeviceOptions options) {
    options.mirrors = false;
    return options;
  }

  PairDevice off_;
  PairDevice on_;
  WillingPeer peer_;
  std::array<Nanos, kDevices> now_{kSecond, kSecond};
};

// `count`: of packets or connections in a sample.
void Print(const char* what, double off, double on, size_t count, Contest& contest) {
  const auto per = static_cast<double>(count);
  std::printf("%-36s off %7.1f ns  on %7.1f ns  speed %5.1f %%%s\n", what, off / per, on / per,
              100 * off / on, contest.is_in_sync() ? "" : "  NOT IN SYNC");
}

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
  Print(what, samples[0].Median(), samples[1].Median(), FrameRing::kFrames, contest);
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
  Print(what, samples[0].Mean(), samples[1].Mean(), kRounds * kConnections, contest);
  const Told after = contest.told();
  const double counted = static_cast<double>(extent.samples) * 4.0 * kConnections;
  const auto each = [&](uint64_t Told::*member) {
    return static_cast<double>(after.*member - before.*member) / counted;
  };
  std::printf(
      "    each: %.2f creates, %.2f updates, %.2f closes, %.2f digests; %.3f frames, %.1f bytes\n",
      each(&Told::creates), each(&Told::updates), each(&Told::closes), each(&Told::digests),
      each(&Told::frames), each(&Told::bytes));
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
}

}  // namespace tandem::bench
