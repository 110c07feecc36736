// SPDX-License-Identifier: Apache-2.0
//
// What mirroring costs the admission of flows, their first packets alone: a table is filled with UDP flows
// that have source translation and a persistence record each, from clients' ports at random, with mirroring
// off and on; how they end is not measured (pair_cost.cc measures whole lives). On, half of the ports are
// the peer's to give, and the peer is told of every flow as it begins, and where
// records are mirrored, of every record that is made or has not been told of for long.
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "tools/bench/pair_contest.h"
#include "tools/bench/pair_scenarios.h"

namespace tandem::bench {
namespace {

// Flows are idle for as long, then records run out. The table is filled in less.
constexpr Nanos kFlowTimeout = kSecond;
constexpr Nanos kShortRecord = 2 * kSecond;
constexpr Nanos kLongRecord = 1000 * kSecond;
// A packet comes about as often as one can be admitted.
constexpr Nanos kGap = 3 * kPacketGap;
// Between two fillings: until both have run out, and the peer has heard of it.
constexpr Nanos kPause = 16 * kSecond;
constexpr Nanos kPauseGap = 100'000;

// Until the peer was told of every bucket of records.
constexpr int kSettlingTurns = 20'000;

struct Extent {
  uint32_t flows;
  int fillings;  // measured
};
constexpr Extent kMeasured{kMembers * 7808, 2};  // a million
constexpr Extent kProfiled{kMembers * 64, 1};

// Flows 0 .. flows-1 begin, on both devices in turns.
void Fill(Contest& contest, uint32_t flows, std::array<Samples, 2>& samples) {
  FrameRing ring;
  for (uint32_t first = 0; first < flows; first += FrameRing::kFrames) {
    const uint32_t count = std::min<uint32_t>(FrameRing::kFrames, flows - first);
    for (size_t k = 0; k < Contest::kDevices; ++k) {
      const size_t number = (first / FrameRing::kFrames + k) % Contest::kDevices;
      for (uint32_t i = 0; i < count; ++i) {
        contest.device(number).traffic().MakePacket(ring, i, first + i, flow::Side::kClient, 0);
      }
      samples[number].Add(contest.Send(number, ring.packets().first(count), kGap));
    }
  }
  for (size_t number = 0; number < Contest::kDevices; ++number) {
    if (contest.device(number).flows() != flows) std::printf("not all begun: ");
  }
}

void Admission(PairDeviceOptions options, const Extent& extent, const char* what) {
  options.protocol = IPPROTO_UDP;
  options.client_ports = ClientPorts::kRandom;
  options.capacity = kMeasured.flows;
  options.udp_idle_timeout = kFlowTimeout;
  options.persists = true;
  options.mirror_at = config::MirrorAt::kSyn;
  Contest contest(options, 0, kSettlingTurns);
  std::array<Samples, 2> samples;
  Told before;
  for (int filling = 0; filling <= extent.fillings; ++filling) {
    if (filling ==
        1) {  // the first one only touched all memory, and made records that may be followed
      samples = {};
      before = contest.told();
    }
    contest.Greet();
    Fill(contest, extent.flows, samples);
    contest.Idle(static_cast<int>(kPause / kPauseGap), kPauseGap);
    for (size_t number = 0; number < Contest::kDevices; ++number) {
      if (contest.device(number).flows() != 0) std::printf("not all ended: ");
    }
  }
  contest.Print(what, samples[0].Mean(), samples[1].Mean(), FrameRing::kFrames);
  contest.PrintTold(before, static_cast<double>(extent.fillings) * extent.flows);
}

}  // namespace

void MeasureAdmission(std::string_view only, bool is_profiled) {
  const Extent& extent = is_profiled ? kProfiled : kMeasured;
  const auto admitted = [&](Nanos record_timeout, bool mirrors_records, std::string_view what,
                            uint16_t mtu = 9000) {
    if (what.find(only) == what.npos) return;
    Admission({.mtu = mtu, .record_timeout = record_timeout, .mirrors_records = mirrors_records},
              extent, what.data());
  };
  std::printf(
      "per connection, its first packet alone; 9000-byte packets to the peer or, small, 1500\n");
  admitted(kShortRecord, false, "admitted udp, record made");
  admitted(kLongRecord, false, "admitted udp, record followed");
  admitted(kShortRecord, false, "admitted udp, small, record made", 1500);
  admitted(kLongRecord, false, "admitted udp, small, record followed", 1500);
  admitted(kShortRecord, true, "admitted udp, mirrored record made");
  admitted(kLongRecord, true, "admitted udp, mirrored record followed");
}

}  // namespace tandem::bench
