// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/pair_world.h"

#include <algorithm>
#include <utility>

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

namespace {

LanOptions LanOptionsOf(const PairOptions& options) {
  LanOptions lan;
  lan.services = PairServices();
  lan.clients = PairClients();
  lan.conversations = options.conversations;
  lan.ports = options.client_ports;
  lan.pace = options.pace;
  lan.hasty = options.config.strict | options.config.bounded;
  return lan;
}

// A time at which one of the stamps made of it wraps, or half of them are over: Tick, Tick's low half
// in records (persist::kToldShift), the microseconds of a frame's header.
Nanos ClockEnd(Chance& chance) {
  const std::array<Nanos, 4> ends = {NanosIn(UINT32_MAX) + NanosIn(1), NanosIn(1U << 31),
                                     NanosIn(1U << (16 + persist::kToldShift)),
                                     (Nanos{UINT32_MAX} + 1) * 1000};
  return ends[chance.Below(ends.size())];
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
  lan_.on_inject = [this](unsigned device, const LanParcel& parcel) {
    commit_.Injected(device, parcel);
  };
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

void PairWorld::RestartAs(unsigned device, Platform platform) {
  journal_.Note(now_, "device %u becomes platform %u", device, static_cast<unsigned>(platform));
  platform_[device] = platform;
  refused_at_ = now_;
  Restart(device);
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
  applied_[device].workers = options_.config.workers;
  if (platform_[device] == Platform::kOtherWorkers)
    applied_[device].workers = kWorkersMost + 1 - options_.config.workers;
  options.config = TextOf(applied_[device], device);
  options.rig.flows_ipv4 = options_.flows_ipv4;
  options.rig.flows_ipv6 = options_.flows_ipv6;
  options.rig.persistence_records = options_.records;
  options.rig.rss_key_hash = platform_[device] == Platform::kOtherKey ? 1 : 0;
  options.rig.around_turn = options_.around_turn;
  options.rig.seed = options_.seed * 1000 + incarnations_;
  options.rig.start = kSecond + chance_.Span(0, 3600 * kSecond);
  if (chance_.OneIn(3)) options.first_birth = flow::kBirthMax / 2 - chance_.Below(20);
  if (options_.near_ends) {
    options.rig.start = ClockEnd(chance_) - chance_.Span(0, 20 * kSecond);
    options.rig.first_generation =
        (uint64_t{1} << (chance_.OneIn(2) ? 16 : 32)) - chance_.Between(1, 4);
    // The wrap is soon, and no two runs begin with the same.
    options.rig.first_session = UINT32_MAX - static_cast<uint32_t>(incarnations_ % 16) * 5;
    // A reader takes none that leaves a successor too few.
    options.first_birth = flow::kBirthMax - (flow::Birth{1} << 32) - 1'000'000 - chance_.Below(20);
  }
  devices_[device].reset();
  devices_[device] = std::make_unique<PairDevice>(options);
  devices_[device]->rig().GiveTurnsBy(
      [this, device](unsigned worker) { WorkerTurn(device, worker, true); });
  direct_.Restarted(device);
  activity_[device] = {};
  commit_.Forget(device);
  for (unsigned group = 0; group < kPairGroups; ++group) {
    if (active_[group] != device) {
      records_.NewShadow(group);
    } else {
      commit_.NewWriter(group);
      PairDevice* const standby = devices_[1 - device].get();
      records_.NewWriter(group, standby == nullptr ? 0 : RecordWatch::SessionOf(*standby));
    }
    for (unsigned worker = 0; worker < kWorkersMost; ++worker) {
      for (const bool is_ipv6 : {false, true}) {
        Book& book = BookOf(group, worker, is_ipv6);
        if (active_[group] != device) {
          book.flows.NewShadow();
          continue;
        }
        book.NewWriter();
      }
    }
  }
}

// ---- what happens -------------------------------------------------------------------------------

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

void PairWorld::WorkerTurn(unsigned device, unsigned worker, bool is_lost) {
  PairDevice& one = *devices_[device];
  commit_.BeforeTurn(one, worker);
  for (const test::Sent& sent : one.rig().Turn(worker)) {
    commit_.Left(device, one, *devices_[1 - device], sent, lan_, applied_[device]);
    lan_.FromDevice(device, sent, now_, is_lost);
  }
  Remember(device, worker);
  RememberRecords(device);
}

void PairWorld::Turn(unsigned device) {
  PairDevice& one = *devices_[device];
  const Pauses& paused = paused_[device];
  if (paused.all > now_) return;
  for (unsigned worker = 0; worker < one.workers(); ++worker) {
    if (paused.worker[worker] <= now_) WorkerTurn(device, worker, false);
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

void PairWorld::Configure(unsigned device, const PairConfig& config) {
  const unsigned workers = applied_[device].workers;  // no reload changes it
  applied_[device] = config;
  applied_[device].workers = workers;
  applied_[device].active = active_;
  const absl::Status status = devices_[device]->rig().Reload(TextOf(applied_[device], device));
  if (!status.ok()) Violate("configuration refused: %s", status.ToString().c_str());
  applies_at_[device] = 0;
  journal_.Note(
      now_, "device %u: virtuals %02x mirrored %02x persistent %02x third %d disabled %d hash %d",
      device, config.virtuals, config.mirrored, config.persistent, config.has_third_member,
      config.second_disabled, config.hash_mirrored);
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
  if (PlatformsDiffer()) {
    SettleRecords();
    RestartAs(platform_[0] != Platform::kSame ? 0 : 1, Platform::kSame);
  }
  const Nanos began = now_;
  bool has_made_room = false;
  Steps(100, kMillisecond);
  while (!IsInSync(0) || !IsInSync(1)) {
    if (now_ - began > kBound)
      Violate("I8: not in sync %.0f s after the last fault", static_cast<double>(kBound) / 1e9);
    if (options_.is_tight && !has_made_room && now_ - began > 20 * kSecond) {
      has_made_room = true;
      MakeRoom();
    }
    Step(now_ - began < 2 * kSecond ? 200'000 : 2 * kMillisecond);
  }
  journal_.Note(now_, "in sync after %.3f s", static_cast<double>(now_ - began) / 1e9);
  Compare("in sync and quiet");
  SettleRecords();
  SetTraffic(true);
  faults_on_ = true;
}

void PairWorld::SettleRecords() {
  if (!HasMirroredRecords()) return;
  const auto is_in_sync = [this] {
    return RecordWatch::IsInSync(*devices_[0], *devices_[1]) &&
           RecordWatch::IsInSync(*devices_[1], *devices_[0]);
  };
  if (!StepUntil(300 * kSecond, kMillisecond, is_in_sync))
    Violate("I8: records are not in sync long after the last fault");
  // Those that just ran out, and copies that nobody confirmed, take a moment.
  std::string difference;
  const auto is_equal = [&] { return (difference = CompareRecords()).empty(); };
  if (!StepUntil(5 * kSecond, 10 * kMillisecond, is_equal))
    Violate("I3: records, in sync and quiet: %s", difference.c_str());
  const auto skipped = std::exchange(skipped_, {});
  if (!CompareRecords().empty()) skipped_ = skipped;  // some are missing for it still
}

// Flows that the standby has no room for end, as soon as it has been seen that it says so.
void PairWorld::MakeRoom() {
  uint64_t no_room = 0;
  for (unsigned group = 0; group < kPairGroups; ++group) {
    PairDevice& standby = *devices_[1 - active_[group]];
    for (unsigned worker = 0; worker < standby.workers(); ++worker) {
      const auto id = standby.GroupNamed(kGroupNames[group]);
      no_room += standby.mirroring().worker(worker).FindReceiver(id)->counters().no_room.Get();
    }
  }
  journal_.Note(now_, "no room for %llu frames: conversations end",
                static_cast<unsigned long long>(no_room));
  if (no_room == 0) Violate("not in sync, and not for lack of room");
  lan_.EndAll(now_);
}

void PairWorld::SetRoles(unsigned group, unsigned active) {
  active_[group] = active;
  lan_.SetActive(group, active);
  for (unsigned worker = 0; worker < kWorkersMost; ++worker) {
    for (const bool is_ipv6 : {false, true}) {
      Book& book = BookOf(group, worker, is_ipv6);
      book.flows.NewShadow();
      book.NewWriter();
    }
  }
  activity_ = {};
  records_.NewWriter(group, 0);
  commit_.NewWriter(group);
  commit_.TakenOver(group, lan_);
  devices_[1 - active]->rig().SetRole(kGroupNames[group], Role::kStandby);
  devices_[active]->rig().SetRole(kGroupNames[group], Role::kActive);
  journal_.Note(now_, "device %u is active for group %u", active, group);
}

void PairWorld::Flip(unsigned group) {
  Settle();
  const std::vector<Promise> promises = PromisesOf(group);
  SetRoles(group, 1 - active_[group]);
  ProbeAll(group, promises);
}

void PairWorld::Rest() {
  if (options_.with_flips && chance_.OneIn(2)) {
    Flip(chance_.Below(kPairGroups));
  } else {
    Settle();
  }
}

void PairWorld::ProbeAll(unsigned group, const std::vector<Promise>& promises) {
  const unsigned active = active_[group];
  const Pauses& paused = paused_[active];
  const bool was_paused = std::max(paused.all, std::ranges::max(paused.worker)) > now_;
  CalmDown();
  SetTraffic(false);
  // What a worker finds in its queue when it wakes in another role is dropped, with all that comes until
  // then.
  if (was_paused) Steps(5, kMillisecond);
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
  std::vector<uint32_t> calls;
  for (const Promise& promise : promises)
    calls.push_back(lan_.Call(*promise.service, promise.client, now_));
  Steps(200, kMillisecond);
  for (size_t i = 0; i < calls.size(); ++i) {
    const auto call = lan_.conversations().find(calls[i]);
    if (call == lan_.conversations().end()) continue;
    const Lan::Conversation& one = call->second;
    if (!one.is_tuple_known && options_.is_tight) continue;
    if (!one.is_tuple_known || one.server.address != promises[i].member) {
      Violate("I10: a record leads %s of %s to %s, it came to %s",
              promises[i].client.ToString().c_str(), one.service->name.c_str(),
              promises[i].member.ToString().c_str(),
              one.is_tuple_known ? one.server.address.ToString().c_str() : "nobody");
    }
  }
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
      Violate("I5: device %u counts flows or held packets that are not there", device);
  }
}

}  // namespace tandem::sim
