// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/pair_contest.h"

#include <algorithm>
#include <cstdio>
#include <numeric>

#include "tools/bench/cycles.h"
#include "tools/bench/floor.h"

namespace tandem::bench {
namespace {

constexpr uint16_t kOverhead = 100;  // of a packet's bytes, those that are not body
constexpr Nanos kSettlingGap = 50'000;

PairDeviceOptions WithoutMirroring(PairDeviceOptions options) {
  options.mirrors = false;
  return options;
}

}  // namespace

void Samples::Add(uint64_t cycles) {
  nanos_.push_back(static_cast<double>(cycles) * NanosPerCycle());
}

double Samples::Median() {
  std::sort(nanos_.begin(), nanos_.end());
  return nanos_[nanos_.size() / 2];
}

double Samples::Mean() {
  std::sort(nanos_.begin(), nanos_.end());
  const size_t kept = nanos_.size() - nanos_.size() / 20;
  return std::accumulate(nanos_.begin(), nanos_.begin() + static_cast<std::ptrdiff_t>(kept), 0.0) /
         static_cast<double>(kept);
}

Contest::Contest(const PairDeviceOptions& options, uint32_t established, int settling)
    : off_(WithoutMirroring(options)), on_(options), peer_(on_.mirror()) {
  off_.Establish(established, now_[0]);
  on_.Establish(established, now_[1]);
  peer_.Open(static_cast<uint16_t>(options.mtu - kOverhead));
  // Until all is told and every digest was compared.
  Idle(settling, kSettlingGap);
}

uint64_t Contest::Send(size_t number, std::span<const net::Packet> packets, Nanos gap) {
  uint64_t cycles = 0;
  for (size_t i = 0; i < packets.size(); i += kBurst) {
    const size_t burst = std::min(kBurst, packets.size() - i);
    cycles += device(number).Turn(packets.subspan(i, burst), now_[number] += gap * burst);
  }
  if (number == 1) peer_.Answer();
  return cycles;
}

void Contest::Idle(int turns, Nanos gap) {
  for (int i = 0; i < turns; ++i) {
    on_.Turn({}, now_[1] += gap);
    peer_.Answer();
    off_.Turn({}, now_[0] += gap);
  }
}

void Contest::Greet() {
  off_.Greet(now_[0]);
  on_.Greet(now_[1]);
}

Told Contest::told() {
  const mirror::SenderCounters& flows = on_.mirror().sender(kGroup).counters();
  const mirror::PersistCounters& records = on_.mirror().persist_sender().counters();
  return {flows.creates.Get(), flows.updates.Get(), flows.closes.Get(),    flows.audits.Get(),
          flows.frames.Get(),  flows.bytes.Get(),   records.upserts.Get(), records.expires.Get()};
}

bool Contest::is_in_sync() {
  return on_.mirror().sender(kGroup).state() == mirror::StreamState::kInSync;
}

void Contest::Print(const char* what, double off, double on, size_t count) {
  const auto per = static_cast<double>(count);
  std::printf("%-36s off %7.1f ns  on %7.1f ns  speed %5.1f %%%s\n", what, off / per, on / per,
              100 * off / on, is_in_sync() ? "" : "  NOT IN SYNC");
}

void Contest::PrintTold(const Told& before, double count) {
  const Told after = told();
  const auto each = [&](uint64_t Told::*member) {
    return static_cast<double>(after.*member - before.*member) / count;
  };
  std::printf(
      "    each: %.2f creates, %.2f updates, %.2f closes, %.2f digests; %.3f frames, %.1f bytes\n",
      each(&Told::creates), each(&Told::updates), each(&Told::closes), each(&Told::digests),
      each(&Told::frames), each(&Told::bytes));
  if (after.records == 0) return;
  std::printf("    and %.2f records, %.2f ends of records\n", each(&Told::records),
              each(&Told::records_expired));
}

}  // namespace tandem::bench
