// SPDX-License-Identifier: Apache-2.0
//
// How soon the standby knows: single changes under load, and all flows of a new session.
#include <netinet/in.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <vector>

#include "tools/bench/pair_connections.h"
#include "tools/bench/pair_lockstep.h"
#include "tools/bench/pair_scenarios.h"

namespace tandem::bench {
namespace {

using Part = Lockstep::Part;

double Millis(Nanos span) {
  return static_cast<double>(span) / kMillisecond;
}

PairDeviceOptions Of(uint8_t unit_id, uint32_t capacity, uint16_t mtu) {
  return {.protocol = IPPROTO_TCP,
          .capacity = capacity,
          .unit_id = unit_id,
          .mtu = mtu,
          .bulk_rate = 100'000'000'000};
}

bool IsInSync(Lockstep& pair) {
  return pair.standby().unit().mirroring()->InSync(kGroup);
}

uint64_t ShadowFlows(Lockstep& pair) {
  return pair.standby().mirror().FindReceiver(kGroup)->counters().flows.Get();
}

bool HasSession(Lockstep& pair) {
  const mirror::FlowReceiver* receiver = pair.standby().mirror().FindReceiver(kGroup);
  return receiver->counters().session.Get() != 0;
}

void PrintBusy(const Lockstep& pair, Nanos span) {
  const auto share = [&](Part part) {
    return 100 * static_cast<double>(pair.busy(part)) / static_cast<double>(span);
  };
  std::printf(
      "    busy: worker %.0f %%, mirror %.0f %%; standby's mirror %.0f %%, worker %.0f %%\n",
      share(Part::kActive), share(Part::kActiveMirror), share(Part::kStandbyMirror),
      share(Part::kStandby));
}

void Lag(uint32_t per_second, Nanos span) {
  constexpr uint32_t kEstablished = kMembers * 256;
  Lockstep pair(Of(1, 1U << 20, 1500), Of(2, 1U << 20, 1500));
  pair.active().Establish(kEstablished, pair.clock());
  for (int i = 0; i < 300'000 && !IsInSync(pair); ++i)
    pair.Step(100'000);
  if (!IsInSync(pair)) {
    std::printf("    not in sync after 30 s\n");
    return;
  }
  struct Probe {
    uint32_t flow;
    Nanos at;
  };
  std::deque<Probe> probes;
  std::vector<Nanos> lags;
  Connections connections(pair.active(), kEstablished, kSecond / per_second);
  flow::FlowTable<flow::FlowHot4>& shadow = pair.standby().mirror().tables().flows4;
  const Nanos end = pair.now() + span;
  pair.ResetBusy();
  while (pair.now() < end) {
    uint32_t told = 0;
    const auto packets = connections.Due(pair.now(), [&](uint32_t flow) {
      if (told++ == 0) probes.push_back({flow, pair.now()});
    });
    pair.Round(packets, 200);
    while (!probes.empty() &&
           shadow.FindOne(pair.active().traffic().ClientKey(probes.front().flow), IPPROTO_TCP)) {
      lags.push_back(pair.now() - probes.front().at);
      probes.pop_front();
    }
  }
  std::sort(lags.begin(), lags.end());
  const auto at = [&](double share) {
    return Millis(lags[static_cast<size_t>(share * static_cast<double>(lags.size() - 1))]);
  };
  if (lags.empty()) {
    std::printf("    nothing came\n");
    return;
  }
  std::printf("%7u connections/s: lag p50 %.3f ms, p99 %.3f ms, most %.3f ms (%zu of %llu)\n",
              per_second, at(0.5), at(0.99), at(1), lags.size(),
              static_cast<unsigned long long>(connections.begun()));
  PrintBusy(pair, span);
}

void Bulk(uint32_t flows, uint32_t capacity) {
  Lockstep pair(Of(1, capacity, 9000), Of(2, capacity, 9000));
  pair.active().Establish(flows, pair.clock());
  for (int i = 0; i < 300'000 && !HasSession(pair); ++i)
    pair.Step(100'000);
  Connections connections(pair.active(), flows, kSecond / 50'000);
  const uint64_t bytes = pair.wire(0).bytes();
  const uint64_t frames = pair.wire(0).frames();
  const Nanos begin = pair.now();
  pair.ResetBusy();
  Nanos told = 0;
  Nanos in_sync = 0;
  uint64_t rounds = 0;
  while (in_sync == 0 && pair.now() < begin + 20 * kSecond) {
    pair.Round(connections.Due(pair.now(), [](uint32_t) {}), 200);
    ++rounds;
    const bool is_told =
        pair.standby().mirror().FindReceiver(kGroup)->counters().writer_state.Get() >
        static_cast<uint64_t>(mirror::StreamState::kSyncing);
    if (told == 0 && is_told) told = pair.now();
    if (IsInSync(pair)) in_sync = pair.now();
  }
  const auto since = [&](Nanos time) { return time == 0 ? -1 : Millis(time - begin); };
  std::printf(
      "%8u flows, 50000 connections/s: told after %.0f ms, proved equal after %.0f ms; "
      "%llu in the shadow\n",
      flows, since(told), since(in_sync), static_cast<unsigned long long>(ShadowFlows(pair)));
  std::printf("    %.1f MB, %llu frames, %llu rounds\n",
              static_cast<double>(pair.wire(0).bytes() - bytes) / 1e6,
              static_cast<unsigned long long>(pair.wire(0).frames() - frames),
              static_cast<unsigned long long>(rounds));
  PrintBusy(pair, pair.now() - begin);
}

}  // namespace

void MeasureLag() {
  std::printf("from a connection's last handshake packet to its flow in the standby's table\n");
  Lag(1'000, 2 * kSecond);
  Lag(50'000, kSecond);
  Lag(200'000, kSecond / 2);
}

void MeasureBulk() {
  std::printf("a new session, from its beginning; 9000-byte packets\n");
  Bulk(kMembers * 7812, 1'100'000);
  Bulk(kMembers * 29'000, 4U << 20);
}

}  // namespace tandem::bench
