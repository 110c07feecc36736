// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/pair_world.h"

#include <algorithm>

namespace tandem::sim {

using config::Role;

size_t SizeOf(const MirrorParcel& parcel) {
  return parcel.frame.size();
}

bool Damage(MirrorParcel& parcel, Chance& chance) {
  test::Bytes& frame = parcel.frame;
  if (chance.OneIn(3)) {
    frame.resize(chance.Below(static_cast<uint32_t>(frame.size())));
  } else {
    frame[chance.Below(static_cast<uint32_t>(frame.size()))] ^=
        static_cast<uint8_t>(1U << chance.Below(8));
  }
  return true;
}

PairOptions PairOptions::Random(uint64_t seed) {
  Chance chance(seed * 104729);
  PairOptions options;
  options.seed = seed;
  options.config.workers = chance.OneIn(2) ? 1 : 2;
  options.config.at_syn = chance.OneIn(4);
  options.config.authenticated = !chance.OneIn(4);
  options.config.mtu = chance.OneIn(4) ? 9000 : 1500;
  options.config.active = {0, chance.OneIn(3) ? 1U : 0U};
  options.conversations = chance.OneIn(4) ? chance.Between(1, 8) : chance.Between(20, 150);
  options.client_ports = chance.OneIn(3) ? 12 : 200;
  options.pace = chance.Span(5 * kMillisecond, 500 * kMillisecond);
  options.with_faults = !chance.OneIn(10);
  options.with_restarts = chance.OneIn(2);
  options.with_config = chance.OneIn(2);
  options.with_flips = !chance.OneIn(3);
  options.is_direct = chance.OneIn(3);
  options.with_crashes = chance.OneIn(2);
  return options;
}

namespace {

LanOptions LanOptionsOf(const PairOptions& options) {
  LanOptions lan;
  lan.services = PairServices();
  lan.clients = PairClients();
  lan.conversations = options.conversations;
  lan.ports = options.client_ports;
  lan.pace = options.pace;
  return lan;
}

}  // namespace

PairWorld::PairWorld(const PairOptions& options, Journal& journal)
    : options_(options),
      journal_(journal),
      chance_(options.seed),
      lan_(chance_, LanOptionsOf(options)),
      direct_(chance_, journal) {
  for (const test::Host& host : PairHosts())
    lan_.AddHost(host);
  active_ = options.config.active;
  for (unsigned group = 0; group < kPairGroups; ++group)
    lan_.SetActive(group, active_[group]);
  for (unsigned device = 0; device < 2; ++device) {
    wires_[device] = std::make_unique<Wire<MirrorParcel>>(chance_);
    applied_[device] = wanted_[device] = options.config;
    Start(device);
  }
  for (unsigned device = 0; device < 2; ++device)
    lan_.Meet(device, devices_[device]->rig());
}

void PairWorld::Restart(unsigned device) {
  Start(device);
  lan_.Meet(device, devices_[device]->rig());
}

// A new process: new tables, new incarnation, a clock of its own.
void PairWorld::Start(unsigned device) {
  journal_.Note(now_, "device %u starts", device);
  ++incarnations_;
  if (devices_[device] != nullptr) devices_[device]->rig().Stop();
  PairDeviceOptions options;
  applied_[device].active = active_;
  options.config = TextOf(applied_[device], device);
  options.rig.flows_ipv4 = options_.flows_ipv4;
  options.rig.flows_ipv6 = options_.flows_ipv6;
  options.rig.seed = options_.seed * 1000 + incarnations_;
  options.rig.start = kSecond + chance_.Span(0, 3600 * kSecond);
  if (chance_.OneIn(3)) options.first_birth = flow::kBirthMax / 2 - chance_.Below(20);
  devices_[device].reset();
  devices_[device] = std::make_unique<PairDevice>(options);
  direct_.Restarted(device);
  activity_[device] = {};
  for (unsigned group = 0; group < kPairGroups; ++group) {
    for (unsigned worker = 0; worker < kWorkersMost; ++worker) {
      for (const bool is_ipv6 : {false, true}) {
        Book& book = BookOf(group, worker, is_ipv6);
        if (active_[group] != device) {
          book.flows.NewShadow();
          continue;
        }
        book.flows.NewWriter();
        book.births.clear();
      }
    }
  }
}

// ---- what happens -------------------------------------------------------------------------------

void PairWorld::Run(unsigned steps) {
  for (unsigned i = 0; i < steps; ++i) {
    if (chance_.OneIn(300)) ChangeWeather();
    if (options_.with_config && chance_.OneIn(2500)) ChangeConfig();
    if (options_.with_restarts && chance_.OneIn(10'000)) Restart(chance_.Below(2));
    if (options_.with_crashes && chance_.OneIn(3000)) Crash(chance_.Below(2));
    if (chance_.OneIn(4000)) {
      const unsigned device = chance_.Below(2);
      devices_[device]->rig().Skip(chance_.Span(0, 3 * kSecond));  // its clock jumps
    }
    Nanos span = chance_.Span(10'000, kMillisecond);
    if (chance_.OneIn(200)) span = chance_.Span(kMillisecond, 200 * kMillisecond);
    Step(span);
  }
}

void PairWorld::Steps(unsigned steps, Nanos span) {
  for (unsigned i = 0; i < steps; ++i)
    Step(span);
}

void PairWorld::Step(Nanos span) {
  ++steps_;
  now_ += span;
  for (auto& device : devices_)
    device->rig().Skip(span);
  ApplyConfigs();
  lan_.Step(now_, traffic_);
  const unsigned first = chance_.Below(2);
  for (const unsigned device : {first, 1 - first})
    Turn(device);
  CheckSteps();
}

void PairWorld::Turn(unsigned device) {
  PairDevice& one = *devices_[device];
  const Pauses& paused = paused_[device];
  if (paused.all > now_) return;
  for (unsigned worker = 0; worker < one.workers(); ++worker) {
    if (paused.worker[worker] > now_) continue;
    for (const test::Sent& sent : one.rig().Turn(worker))
      lan_.FromDevice(device, sent, now_);
    Remember(device, worker);
  }
  if (paused.mirror > now_) return;
  if (options_.is_direct) return direct_.Turn(devices_, device, now_);
  constexpr size_t kBurst = 64;
  std::vector<test::Bytes> received;
  while (received.size() < kBurst) {
    auto parcel = wires_[1 - device]->Receive(now_);
    if (!parcel) break;
    received.push_back(std::move(parcel->frame));
  }
  for (test::Bytes& frame : one.MirrorTurn(received))
    wires_[device]->Send({std::move(frame)}, now_);
}

void PairWorld::ChangeWeather() {
  if (!options_.with_faults) return;
  for (unsigned device = 0; device < 2; ++device) {
    if (!chance_.OneIn(3)) SetMirrorFaults(device, RandomFaults(chance_));
    const WireFaults& faults = wires_[device]->faults;
    journal_.Note(now_, "mirror wire from %u: loss %u%% twice %u%% delay %.3f ms jitter %.3f ms%s",
                  device, faults.loss_percent, faults.duplicate_percent,
                  static_cast<double>(faults.delay) / 1e6, static_cast<double>(faults.jitter) / 1e6,
                  faults.cut ? " cut" : "");
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

void PairWorld::Configure(unsigned device, const PairConfig& config) {
  applied_[device] = config;
  applied_[device].active = active_;
  const absl::Status status = devices_[device]->rig().Reload(TextOf(applied_[device], device));
  if (!status.ok()) Violate("configuration refused: %s", status.ToString().c_str());
  applies_at_[device] = 0;
  journal_.Note(now_, "device %u: virtuals %02x mirrored %02x third %d disabled %d", device,
                config.virtuals, config.mirrored, config.has_third_member, config.second_disabled);
}

// Both devices get it, one of them later.
void PairWorld::ChangeConfig() {
  PairConfig next = wanted_[0];
  switch (chance_.Below(4)) {
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
  }
  const Nanos late = chance_.OneIn(2) ? 0 : chance_.Span(0, 30 * kSecond);
  const unsigned first = chance_.Below(2);
  wanted_ = {next, next};
  applies_at_[first] = now_;
  applies_at_[1 - first] = now_ + late;
}

void PairWorld::ApplyConfigs() {
  for (unsigned device = 0; device < 2; ++device) {
    if (applies_at_[device] == 0 || applies_at_[device] > now_ || paused_[device].all > now_)
      continue;
    // A reload waits for every worker's turn.
    paused_[device] = {};
    Configure(device, wanted_[device]);
  }
}

void PairWorld::SetMirrorFaults(unsigned device, const WireFaults& faults) {
  wires_[device]->faults = faults;
  direct_.WireFrom(device).faults = faults;
}

void PairWorld::CalmDown() {
  faults_on_ = false;
  paused_ = {};
  for (unsigned device = 0; device < 2; ++device)
    SetMirrorFaults(device, kGoodWire);
  lan_.to_devices().faults = kGoodWire;
  lan_.from_devices().faults = kGoodWire;
  for (unsigned device = 0; device < 2; ++device) {
    if (applies_at_[device] != 0) applies_at_[device] = now_;
  }
}

// ---- quiet points -------------------------------------------------------------------------------

bool PairWorld::SaysInSync(unsigned group) {
  PairDevice& standby = *devices_[1 - active_[group]];
  const config::TrafficGroupId id = standby.GroupNamed(kGroupNames[group]);
  return options_.is_direct ? standby.mirroring().HasCompleteShadow(id)
                            : standby.mirroring().InSync(id);
}

bool PairWorld::IsInSync(unsigned group) {
  PairDevice& active = *devices_[active_[group]];
  const config::TrafficGroupId id = active.GroupNamed(kGroupNames[group]);
  for (unsigned worker = 0; worker < active.workers(); ++worker) {
    const mirror::FlowSender* sender = active.mirroring().worker(worker).FindSender(id);
    if (sender == nullptr || !sender->is_open() ||
        sender->counters().state.Get() != static_cast<uint64_t>(mirror::StreamState::kInSync) ||
        sender->counters().dirty.Get() != 0 || sender->counters().in_flight.Get() != 0) {
      return false;
    }
  }
  return SaysInSync(group);
}

void PairWorld::Settle() {
  constexpr Nanos kBound = 300 * kSecond;
  CalmDown();
  SetTraffic(false);
  journal_.Note(now_, "faults and new conversations end");
  const Nanos began = now_;
  Steps(100, kMillisecond);
  while (!IsInSync(0) || !IsInSync(1)) {
    if (now_ - began > kBound)
      Violate("I8: not in sync %.0f s after the last fault", static_cast<double>(kBound) / 1e9);
    Step(now_ - began < 2 * kSecond ? 200'000 : 2 * kMillisecond);
  }
  journal_.Note(now_, "in sync after %.3f s", static_cast<double>(now_ - began) / 1e9);
  Compare("in sync and quiet");
  SetTraffic(true);
  faults_on_ = true;
}

void PairWorld::SetRoles(unsigned group, unsigned active) {
  active_[group] = active;
  devices_[1 - active]->rig().SetRole(kGroupNames[group], Role::kStandby);
  devices_[active]->rig().SetRole(kGroupNames[group], Role::kActive);
  lan_.SetActive(group, active);
  for (unsigned worker = 0; worker < kWorkersMost; ++worker) {
    for (const bool is_ipv6 : {false, true}) {
      Book& book = BookOf(group, worker, is_ipv6);
      book.flows.NewShadow();
      book.flows.NewWriter();
      book.births.clear();
    }
  }
  activity_ = {};
  journal_.Note(now_, "device %u is active for group %u", active, group);
}

void PairWorld::Flip(unsigned group) {
  Settle();
  SetRoles(group, 1 - active_[group]);
  ProbeAll(group);
}

void PairWorld::Rest() {
  if (options_.with_flips && chance_.OneIn(2)) {
    Flip(chance_.Below(kPairGroups));
  } else {
    Settle();
  }
}

void PairWorld::ProbeAll(unsigned group) {
  CalmDown();
  SetTraffic(false);
  const unsigned active = active_[group];
  // What the device now active has, by the client's end.
  std::map<std::tuple<uint8_t, test::Endpoint, test::Endpoint>, bool> there;
  test::Rig& rig = devices_[active]->rig();
  for (const unit::FlowInfo& flow : rig.Flows()) {
    there[{flow.protocol,
           {flow.cs_client, flow.cs_client_port},
           {flow.cs_server, flow.cs_server_port}}] = true;
  }
  lan_.Probe(
      [&](const Lan::Conversation& one) {
        return one.service->group == group &&
               there.contains({one.service->protocol, one.client, one.service->endpoint});
      },
      now_);
  Steps(200, kMillisecond);
  const auto unheard = lan_.Unheard();
  if (!unheard.empty()) {
    const Lan::Conversation& one = *unheard.front();
    Violate(
        "I10: %zu conversations were cut off by the change of roles, among them %u of %s: "
        "client %s, server %s",
        unheard.size(), one.number, one.service->name.c_str(),
        one.client_heard ? "heard" : "heard nothing", one.server_heard ? "heard" : "heard nothing");
  }
  lan_.Probe([](const Lan::Conversation&) { return false; }, now_);
  SetTraffic(true);
  faults_on_ = true;
}

void PairWorld::Finish() {
  CalmDown();
  SetTraffic(false);
  lan_.EndAll(now_);
  // Time-outs do the rest.
  Steps(300, 200 * kMillisecond + options_.config.idle_timeout * 5 * kMillisecond);
  Settle();
  SetTraffic(false);
  for (unsigned device = 0; device < 2; ++device) {
    for (const unit::FlowInfo& flow : devices_[device]->rig().Flows())
      Violate("I5: device %u has a flow left, of %s", device, flow.cs_client.ToString().c_str());
    if (!devices_[device]->rig().IsEmpty())
      Violate("I5: device %u counts flows that are not there", device);
  }
}

}  // namespace tandem::sim
