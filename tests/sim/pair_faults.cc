// SPDX-License-Identifier: Apache-2.0
//
// What goes wrong in the whole world, by chance.
#include <algorithm>

#include "tests/sim/pair_world.h"

namespace tandem::sim {

PairOptions PairOptions::Random(uint64_t seed) {
  Chance chance(seed * 104729);
  PairOptions options;
  PairConfig& config = options.config;
  options.seed = seed;
  config.workers = chance.OneIn(2) ? 1 : 2;
  config.at_syn = chance.OneIn(4);
  config.authenticated = !chance.OneIn(4);
  config.mtu = chance.OneIn(4) ? 9000 : 1500;
  config.active = {0, chance.OneIn(3) ? 1U : 0U};
  if (!chance.OneIn(4)) config.persistent = chance.Below(256);
  config.source_timeout = chance.Between(2, 40);
  config.hash_timeout = chance.Between(1, 20);
  config.across_services = chance.OneIn(4);
  if (chance.OneIn(2)) config.strict = chance.Below(256);
  if (chance.OneIn(3)) config.bounded = chance.Below(256);
  options.conversations = chance.OneIn(4) ? chance.Between(1, 8) : chance.Between(20, 150);
  options.client_ports = chance.OneIn(3) ? 12 : 200;
  options.pace = chance.Span(5 * kMillisecond, 500 * kMillisecond);
  if (chance.OneIn(6)) {
    options.is_tight = true;
    options.flows_ipv4 = chance.Between(20, 150);
    options.flows_ipv6 = chance.Between(20, 150);
    options.records = chance.Between(4, 40);
  }
  options.near_ends = chance.OneIn(3);
  options.with_faults = !chance.OneIn(10);
  options.with_restarts = chance.OneIn(2);
  options.with_config = chance.OneIn(2);
  options.with_flips = !chance.OneIn(3);
  options.with_crashes = chance.OneIn(2);
  options.is_direct = chance.OneIn(4);
  options.with_platforms = !options.is_direct && chance.OneIn(4);
  return options;
}

void PairWorld::Run(unsigned steps) {
  for (unsigned i = 0; i < steps; ++i) {
    if (chance_.OneIn(300)) ChangeWeather();
    if (options_.with_config && chance_.OneIn(2500)) ChangeConfig();
    if (options_.with_restarts && chance_.OneIn(10'000)) Restart(chance_.Below(2));
    if (options_.with_crashes && !PlatformsDiffer() && chance_.OneIn(3000)) Crash(chance_.Below(2));
    if (options_.with_platforms && chance_.OneIn(3000)) ChangePlatform();
    if (options_.with_faults && chance_.OneIn(4000))
      Skip(chance_.Below(2), chance_.Span(0, 3 * kSecond));
    if (chance_.OneIn(1500)) AgeVersions();
    Nanos span = chance_.Span(10'000, kMillisecond);
    if (chance_.OneIn(200)) span = chance_.Span(kMillisecond, 200 * kMillisecond);
    Step(span);
  }
}

void PairWorld::ChangeWeather() {
  if (!options_.with_faults) return;
  for (unsigned device = 0; device < 2; ++device) {
    if (!chance_.OneIn(3)) {
      WireFaults faults = RandomFaults(chance_);
      // A path that carries less than its ends think, but what every path carries (RFC 8200).
      if (chance_.OneIn(6)) faults.size_max = 14 + chance_.Between(1280, options_.config.mtu);
      SetMirrorFaults(device, faults);
    }
    const WireFaults& faults = wires_[device]->faults;
    journal_.Note(
        now_, "mirror wire from %u: loss %u%% twice %u%% delay %.3f ms jitter %.3f ms%s max %zu",
        device, faults.loss_percent, faults.duplicate_percent,
        static_cast<double>(faults.delay) / 1e6, static_cast<double>(faults.jitter) / 1e6,
        faults.cut ? " cut" : "", faults.size_max);
    if (!chance_.OneIn(12)) continue;
    const Nanos until = now_ + chance_.Span(kMillisecond, 3 * kSecond);
    const uint32_t which = chance_.Below(3);
    journal_.Note(now_, "device %u: pause of kind %u", device, which);
    if (which == 0) PauseDevice(device, until);
    if (which == 1) PauseMirror(device, until);
    if (which == 2) PauseWorker(device, chance_.Below(options_.config.workers), until);
  }
  for (Wire<LanParcel>* wire : {&lan_.to_devices(), &lan_.from_devices()}) {
    wire->faults = {};
    if (chance_.OneIn(3)) wire->faults.loss_percent = chance_.Between(1, 20);
    if (chance_.OneIn(6)) wire->faults.duplicate_percent = chance_.Between(1, 20);
    if (chance_.OneIn(3)) wire->faults.jitter = chance_.Span(0, 5 * kMillisecond);
  }
}

// Both devices get it, one of them later.
void PairWorld::ChangeConfig() {
  PairConfig next = wanted_[0];
  switch (chance_.Below(6)) {
    case 0:
      next.mirrored ^= 1U << chance_.Below(7);
      break;
    case 1:
      next.virtuals ^= 1U << chance_.Below(8);
      break;
    case 2:
      next.has_third_member = !next.has_third_member;
      break;
    case 3:
      next.second_disabled = !next.second_disabled;
      break;
    case 4:
      next.persistent ^= 1U << chance_.Below(8);
      break;
    case 5:
      next.hash_mirrored = !next.hash_mirrored;
      break;
  }
  const Nanos late = chance_.OneIn(2) ? 0 : chance_.Span(0, 30 * kSecond);
  const unsigned first = chance_.Below(2);
  wanted_ = {next, next};
  applies_at_[first] = now_;
  applies_at_[1 - first] = now_ + late;
}

void PairWorld::ChangePlatform() {
  if (PlatformsDiffer()) {
    RestartAs(platform_[0] != Platform::kSame ? 0 : 1, Platform::kSame);
  } else {
    RestartAs(chance_.Below(2), chance_.OneIn(2) ? Platform::kOtherKey : Platform::kOtherWorkers);
  }
}

void PairWorld::Skip(unsigned device, Nanos span) {
  devices_[device]->rig().Skip(span);
  skipped_[device] += span;
}

template <class Hot>
void PairWorld::AgeVersionsOf(unsigned group, unsigned worker) {
  PairDevice& active = *devices_[active_[group]];
  const config::TrafficGroupId id = active.GroupNamed(kGroupNames[group]);
  flow::FlowTable<Hot>& table = active.tables(worker).Of<Hot>();
  std::vector<FlowImage> images;
  CollectImages(table, id, flow::kMirrored, images);
  if (images.empty()) return;
  const FlowImage& one = images[chance_.Below(static_cast<uint32_t>(images.size()))];
  const uint32_t slot = table.pages().SlotAt(id, one.logical);
  const uint32_t changes = chance_.Between(1, flow::kVersionMax + 2);
  for (uint32_t i = 0; i < changes; ++i)
    active.mirroring().worker(worker).sender(id).template Change<Hot>(slot);
}

void PairWorld::AgeVersions() {
  const unsigned group = chance_.Below(kPairGroups);
  const unsigned device = active_[group];
  const unsigned worker = chance_.Below(devices_[device]->workers());
  // Between two turns, a device that has yet to act on its role writes to no stream.
  if (paused_[device].all > now_ || paused_[device].worker[worker] > now_) return;
  AgeVersionsOf<flow::FlowHot4>(group, worker);
  AgeVersionsOf<flow::FlowHot6>(group, worker);
  activity_[device][worker] = 0;
  Remember(device, worker);
}

}  // namespace tandem::sim
