// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/ha_world.h"

#include <algorithm>

#include "dataplane/ha/heartbeat_codec.h"

namespace tandem::sim {

using ha::Command;

// Bytes that changed do not pass authentication.
bool Damage(HaParcel&, Chance&) {
  return false;
}

HaOptions HaOptions::Plain(unsigned devices) {
  HaOptions options;
  options.devices = devices;
  options.settings.boot_wait = 500 * kMillisecond;
  for (unsigned group = 0; group < kHaGroups; ++group) {
    ha::GroupSettings& settings = options.settings.groups.emplace_back();
    settings.id = static_cast<ha::TrafficGroupId>(group + 1);
    settings.name_hash = 0x100 + group;
    for (unsigned i = 0; i < devices; ++i)
      settings.ha_order.push_back(static_cast<ha::DeviceId>((group + i) % devices + 1));
  }
  return options;
}

HaOptions HaOptions::Random(uint64_t seed) {
  Chance chance(seed * 104729);
  HaOptions options = Plain(chance.OneIn(3) ? 2 : 3);
  options.seed = seed;
  options.paths = chance.Between(1, 3);
  struct Timers {
    Nanos interval;
    uint32_t multiplier;
  };
  constexpr std::array<Timers, 4> kTimers = {
      {{3'300'000, 3}, {10 * kMillisecond, 5}, {20 * kMillisecond, 3}, {50 * kMillisecond, 4}}};
  const Timers timers = kTimers[chance.OneIn(2) ? 1 : chance.Below(4)];
  options.settings.interval = timers.interval;
  options.settings.multiplier = timers.multiplier;
  options.settings.boot_wait = std::max(500 * kMillisecond, 5 * options.settings.detection());
  options.witness = options.settings.witness = chance.OneIn(3);
  for (ha::GroupSettings& group : options.settings.groups) {
    group.method = static_cast<ha::Method>(chance.Below(3));
    group.auto_failback = chance.OneIn(2);
    group.failback_hold = 500 * kMillisecond;
    group.move_hold = 200 * kMillisecond;
  }
  return options;
}

HaWorld::HaWorld(const HaOptions& options, Journal& journal)
    : options_(options), journal_(journal), chance_(options.seed) {
  step_ = options.settings.interval / 10;
  options_.settings.paths = static_cast<uint8_t>(options.paths);
  for (unsigned device = 0; device < options.devices; ++device)
    MakeNode(device);
  for (unsigned i = 0; i < options.devices * options.devices * options.paths; ++i)
    wires_.push_back(std::make_unique<Wire<HaParcel>>(chance_));
  witness_ = std::make_unique<ha::LeaseWitness>(options.settings.lease, now_);
  acted_.resize(options.devices);
  told_.resize(options.devices);
  turns_.resize(options.devices);
  forwards_since_.resize(options.devices);
  stopped_until_.resize(options.devices);
  heard_back_.resize(options.devices);
  for (auto& node : nodes_)
    node->Boot(now_);
}

void HaWorld::MakeNode(unsigned device) {
  ha::Settings settings = options_.settings;
  settings.self = static_cast<ha::DeviceId>(device + 1);
  for (unsigned peer = 0; peer < options_.devices; ++peer) {
    if (peer != device) settings.peers.push_back(static_cast<ha::DeviceId>(peer + 1));
  }
  HaNode::Hooks hooks;
  hooks.on_action = [this](HaNode& node, const ha::Action& action) { OnAction(node, action); };
  hooks.send = [this](HaNode& node, std::span<const ha::Heartbeat> heartbeats) {
    Send(node, heartbeats);
  };
  hooks.ask_witness = [this](HaNode& node, const ha::Action& action) {
    const Nanos at = now_ + chance_.Span(100'000, 3 * kMillisecond);
    questions_.push_back(
        {.at = at, .device = IndexOf(node), .action = action, .incarnation = node.incarnation()});
  };
  nodes_.push_back(std::make_unique<HaNode>(settings, chance_, journal_, std::move(hooks)));
  nodes_.back()->SetClock(chance_.Span(0, 3600 * kSecond),
                          static_cast<int>(chance_.Below(10'000)) - 5'000);
}

// ---- time ---------------------------------------------------------------------------------------

void HaWorld::Step() {
  now_ += chance_.Span(step_ / 2, step_ * 3 / 2);
  // Workers that come back from a stop may run before anybody else.
  CheckStep();
  TurnMirrors();
  TurnWitness();
  const unsigned first = chance_.Below(devices());
  for (unsigned i = 0; i < devices(); ++i)
    TurnNode((first + i) % devices());
  CheckStep();
}

void HaWorld::TurnNode(unsigned device) {
  HaNode& node = *nodes_[device];
  if (!node.is_up() && node.restart_at() != 0 && now_ >= node.restart_at()) {
    node.Boot(now_);
    told_[device] = {};
    stopped_until_[device] = 0;
  }
  if (!node.is_up()) Deliver(device);  // to nobody
  if (!node.IsRunning(now_) || (!is_calm_ && chance_.OneIn(8))) return;
  Deliver(device);
  node.TurnDisk(now_);
  node.EndTurn(now_);
}

void HaWorld::Deliver(unsigned device) {
  HaNode& node = *nodes_[device];
  for (unsigned from = 0; from < devices(); ++from) {
    for (unsigned path = 0; path < options_.paths; ++path) {
      while (auto parcel = WireOf(from, device, path).Receive(now_)) {
        auto heartbeat = ha::DecodeHeartbeat(*parcel->bytes);
        if (!heartbeat) Violate("a heartbeat of a device cannot be read");
        if (!node.is_up()) continue;
        const uint64_t before = node.device().detector().counters().heartbeats.Get();
        // Told, once it is taken for news; checked after the step.
        node.Give(ha::HeartbeatCame{*heartbeat, path}, now_);
        if (!node.is_up()) continue;
        if (node.device().detector().counters().heartbeats.Get() == before) continue;
        for (const ha::GroupSays& says : heartbeat->groups) {
          ha::Epoch& told = told_[device][says.name_hash - 0x100];
          if (says.acts) told = std::max(told, says.epoch);
        }
        if (parcel->sent_at >= stopped_until_[device]) heard_back_[device] = now_;
      }
    }
  }
}

void HaWorld::Send(HaNode& node, std::span<const ha::Heartbeat> heartbeats) {
  for (const ha::Heartbeat& heartbeat : heartbeats) {
    std::array<uint8_t, ha::kHeartbeatBodyMax> body;
    const size_t size = EncodeHeartbeat(heartbeat, body);
    if (size == 0) Violate("a heartbeat does not fit");
    const auto bytes =
        std::make_shared<const std::vector<uint8_t>>(body.begin(), body.begin() + size);
    for (const ha::GroupSays& says : heartbeat.groups) {
      const ha::HandOver& go = says.hand_over;
      if (go.target == 0 || go.epoch.is_none()) continue;
      const unsigned group = static_cast<unsigned>(says.name_hash - 0x100);
      given_[group][go.epoch.bits()] = {go.target, node.mirror(group).table};
    }
    const unsigned from = IndexOf(node);
    for (unsigned to = 0; to < devices(); ++to) {
      for (unsigned path = 0; to != from && path < options_.paths; ++path)
        WireOf(from, to, path).Send({bytes, path, now_}, now_);
    }
  }
}

void HaWorld::Pass(Nanos span) {
  for (const Nanos end = now_ + span; now_ < end;)
    Step();
}

void HaWorld::Run(Nanos span) {
  is_calm_ = clean_ = false;
  const Nanos end = now_ + span;
  for (auto& node : nodes_)
    node->SetCrashOneIn(chance_.OneIn(2) ? 0 : 500);
  // So many times a second.
  while (now_ < end) {
    const auto steps = static_cast<uint32_t>(kSecond / step_);
    if (chance_.OneIn(steps)) ChangeWeather();
    if (chance_.OneIn(steps / 2)) Trouble();
    if (chance_.OneIn(steps / 2)) RandomOrder();
    Step();
  }
}

// ---- faults -------------------------------------------------------------------------------------

void HaWorld::ChangeWeather() {
  for (unsigned from = 0; from < devices(); ++from) {
    for (unsigned to = 0; to < devices(); ++to) {
      if (from == to || chance_.OneIn(2)) continue;
      const bool is_split = chance_.OneIn(4);
      for (unsigned path = 0; path < options_.paths; ++path) {
        WireFaults& faults = WireOf(from, to, path).faults;
        faults = RandomFaults(chance_);
        faults.size_max = SIZE_MAX;
        faults.cut |= is_split;
      }
      if (is_split) journal_.Note(now_, "%u -> %u is cut", from + 1, to + 1);
    }
  }
  if (chance_.OneIn(3)) {  // both ways, all paths
    const unsigned a = chance_.Below(devices());
    for (unsigned b = 0; b < devices(); ++b) {
      if (a != b && !chance_.OneIn(3)) Cut(a, b, true), Cut(b, a, true);
    }
  }
  if (chance_.OneIn(3)) {
    for (auto& wire : wires_)
      wire->faults = kGoodWire;
    journal_.Note(now_, "all paths are good");
  }
  if (options_.witness && chance_.OneIn(3))
    witness_away_until_ = now_ + chance_.Span(kMillisecond, 3 * kSecond);
}

void HaWorld::Trouble() {
  const unsigned device = chance_.Below(devices());
  HaNode& node = *nodes_[device];
  switch (chance_.Below(6)) {
    case 0:
      if (node.is_up()) node.Crash(now_, now_ + chance_.Span(0, 2 * kSecond));
      break;
    case 1:
    case 2:
      Stop(device, chance_.OneIn(2) ? chance_.Span(kMillisecond, 5 * kSecond)
                                    : chance_.Span(0, 2 * options_.settings.detection()));
      break;
    case 3:
      node.JumpClock(chance_.Span(0, chance_.OneIn(2) ? kSecond : 100 * kSecond));
      journal_.Note(now_, "%u's clock jumps", device + 1);
      break;
    case 4:
      node.SetDisk(chance_.OneIn(3) ? 2 * kSecond : 20 * kMillisecond);
      break;
    default: {
      const auto group = static_cast<ha::TrafficGroupId>(chance_.Below(kHaGroups + 1));
      journal_.Note(now_, "%u has a fault of group %u, or none any more", device + 1, group);
      node.Give(ha::FaultSays{group, chance_.OneIn(2) ? "gateway failsafe" : nullptr}, now_);
    }
  }
}

void HaWorld::Stop(unsigned device, Nanos span) {
  HaNode& node = *nodes_[device];
  if (!node.IsRunning(now_)) return;
  const Nanos clock = node.Clock(now_);
  const Nanos heard = node.device().detector().last_heard();
  const ha::Settings& settings = options_.settings;
  const bool has_peers = heard != 0 && clock < heard + settings.boot_wait;
  journal_.Note(now_, "%u is stopped for %.3f s", device + 1, static_cast<double>(span) / 1e9);
  node.Pause(now_ + span);
  if (span > ha::LongOf(has_peers ? settings.detection() : settings.boot_wait)) {
    stopped_until_[device] = now_ + span;
    heard_back_[device] = 0;
  }
}

void HaWorld::RandomOrder() {
  const unsigned device = chance_.Below(devices());
  const auto group = static_cast<ha::TrafficGroupId>(chance_.Below(kHaGroups) + 1);
  Command command{.group = group, .ticket = static_cast<uint32_t>(chance_.Next()) | 1};
  switch (chance_.Below(10)) {
    case 0:
      command.kind = Command::Kind::kForcedOffline;
      break;
    case 1:
    case 2:
      command.kind = Command::Kind::kOnline;
      break;
    case 3:
      command.kind = Command::Kind::kStandbyAtOnce;
      break;
    case 4:
      command.kind = Command::Kind::kStop;
      break;
    case 5:
      nodes_[device]->Give(ha::ScoreSays{group, chance_.Below(100)}, now_);
      return;
    default:
      command.target = static_cast<ha::DeviceId>(chance_.Below(devices() + 1));
  }
  if (!nodes_[device]->IsRunning(now_)) return;
  journal_.Note(now_, "order to %u: %u of group %u", device + 1,
                static_cast<unsigned>(command.kind), group);
  Order(device, command);
}

void HaWorld::Cut(unsigned from, unsigned to, bool is_cut) {
  for (unsigned path = 0; path < options_.paths; ++path)
    CutPath(from, to, path, is_cut);
}

void HaWorld::CutPath(unsigned from, unsigned to, unsigned path, bool is_cut) {
  clean_ = false;
  WireOf(from, to, path).faults.cut = is_cut;
  journal_.Note(now_, "%u -> %u path %u %s", from + 1, to + 1, path, is_cut ? "cut" : "mended");
}

void HaWorld::CalmDown() {
  is_calm_ = true;
  journal_.Note(now_, "faults stop");
  for (auto& wire : wires_)
    wire->faults = kGoodWire;
  witness_away_until_ = 0;
  std::ranges::fill(stopped_until_, 0);  // they may come back sooner than that
  for (auto& node : nodes_) {
    node->Wake();
    node->SetCrashOneIn(0);
    node->SetDisk(20 * kMillisecond);
    if (!node->is_up()) node->RestartAt(std::min(node->restart_at(), now_ + 100 * kMillisecond));
    node->Give(ha::FaultSays{}, now_);
  }
}

// ---- the mirrors --------------------------------------------------------------------------------

void HaWorld::TurnMirrors() {
  for (unsigned group = 0; group < kHaGroups; ++group) {
    for (unsigned device = 0; device < devices(); ++device) {
      HaMirror& mirror = nodes_[device]->mirror(group);
      if (nodes_[device]->ForwardsFor(group, now_) && mirror.drains_to == 0 && chance_.OneIn(2))
        mirror.table = ++writes_;
    }
    for (unsigned device = 0; device < devices(); ++device)
      TurnMirror(device, group);
  }
}

// As reader, with what that means for the writer.
void HaWorld::TurnMirror(unsigned device, unsigned group) {
  HaNode& node = *nodes_[device];
  HaMirror& mirror = node.mirror(group);
  const unsigned writer_id = mirror.follows.device();
  if (!node.IsRunning(now_) || writer_id == 0 || writer_id == node.id()) return;
  HaNode& writer = *nodes_[writer_id - 1];
  HaMirror& source = writer.mirror(group);
  const HaWorker& worker = writer.worker(group);
  const bool writes = writer.IsRunning(now_) && worker.is_active && worker.epoch == mirror.follows;
  if (!writes || WireOf(writer_id - 1, device, 0).faults.cut ||
      WireOf(device, writer_id - 1, 0).faults.cut) {
    mirror.sync_at = 0;
    return;
  }
  const auto id = static_cast<ha::TrafficGroupId>(group + 1);
  if (source.mirror_to != node.id()) {
    if (mirror.in_sync) node.Give(ha::ShadowSays{id, false, 0, mirror.follows}, now_);
    mirror.in_sync = false;
    mirror.sync_at = 0;
    return;
  }
  if (mirror.in_sync) {
    if (chance_.Percent(90)) mirror.table = source.table;
    if (source.drains_to != node.id() || now_ < source.drained_at) return;
    if (mirror.table == source.table) writer.Give(ha::Drained{id, mirror.session}, now_);
    return;
  }
  if (mirror.sync_at == 0) mirror.sync_at = now_ + chance_.Span(kMillisecond, 200 * kMillisecond);
  if (now_ < mirror.sync_at) return;
  mirror.in_sync = true;
  mirror.table = source.table;
  mirror.session = ++sessions_;
  node.Give(ha::ShadowSays{id, true, mirror.session, mirror.follows}, now_);
}

void HaWorld::TurnWitness() {
  const bool is_away = now_ < witness_away_until_;
  for (size_t i = 0; i < questions_.size(); ++i) {
    const Question question = questions_[i];
    if (question.at > now_) continue;
    questions_[i] = questions_.back();
    questions_.pop_back();
    --i;
    if (is_away || (!is_calm_ && chance_.OneIn(10))) continue;
    HaNode& node = *nodes_[question.device];
    const ha::LeaseClient client{node.id(), question.incarnation, question.action.ticket};
    if (question.is_answer) {
      if (node.incarnation() != question.incarnation) continue;
      node.Give(ha::LeaseAnswered{question.action.group, client.ticket, question.is_granted}, now_);
    } else if (question.action.kind == ha::Action::Kind::kReleaseLease) {
      witness_->Release(question.action.group, client);
    } else {
      Question answer = question;
      answer.is_answer = true;
      answer.is_granted = witness_->Ask(question.action.group, client, now_);
      answer.at = now_ + chance_.Span(100'000, is_calm_ ? 3 * kMillisecond : 300 * kMillisecond);
      questions_.push_back(answer);
    }
  }
}

}  // namespace tandem::sim
