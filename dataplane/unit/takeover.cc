// SPDX-License-Identifier: Apache-2.0
#include "dataplane/unit/takeover.h"

#include <rte_pause.h>

#include <algorithm>
#include <utility>

#include "dataplane/base/mutation.h"
#include "dataplane/ha/heartbeat_codec.h"

namespace tandem::unit {

using config::Role;
using config::TrafficGroupId;
using Kind = ha::Action::Kind;

Takeover::Takeover(const TakeoverOptions& options, Nanos now, config::Roles& roles,
                   Mirroring& mirroring, neighbour::Announcer& announcer,
                   pipeline::Successors& successors)
    : roles_(roles),
      mirroring_(mirroring),
      announcer_(announcer),
      successors_(successors),
      told_(kTrafficGroupsMax + 1),
      body_(ha::kHeartbeatBodyMax),
      status_(std::make_shared<const TakeoverStatus>()) {
  if (options.witness != nullptr) {
    witness_ =
        std::make_unique<witness::Link>(witness::LinkOptions{.path = options.witness,
                                                             .key = options.witness_key,
                                                             .device = options.settings.self,
                                                             .run = options.incarnation,
                                                             .lease = options.settings.lease});
  }
  device_ = std::make_unique<ha::Device>(options.settings, options.ballot, options.forced_offline,
                                         options.incarnation, now, actions_);
  Perform();
  HandOver();
  Publish(now);
}

Takeover::~Takeover() = default;

// ---- what comes in ------------------------------------------------------------------------------

void Takeover::OnHeartbeat(std::string_view bytes, unsigned path, Nanos now) {
  const auto heartbeat =
      ha::DecodeHeartbeat({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  if (!heartbeat) {
    bad_heartbeats_.Add(1);
    return;
  }
  Step(ha::HeartbeatCame{*heartbeat, path}, now);
}

void Takeover::TakeEvents(Nanos now) {
  if (!has_events_.load(std::memory_order_acquire)) return;
  std::vector<ha::Event> events;
  std::optional<mirror::PresharedKey> key;
  // While control is at it, the next turn takes them.
  if (!at_events_.Try([&] {
        events.swap(events_);
        key.swap(witness_key_);
        has_events_.store(false, std::memory_order_relaxed);
      })) {
    return;
  }
  if (key && witness_ != nullptr) witness_->SetKey(*key);
  for (const ha::Event& event : events) {
    if (std::holds_alternative<ha::Reconfigured>(event)) {
      // An id may belong to another group by now.
      if (witness_ != nullptr) witness_->Forget();
      const auto& groups = std::get<ha::Reconfigured>(event).settings.groups;
      for (TrafficGroupId id = 1; id < told_.size(); ++id) {
        if (std::ranges::find(groups, id, &ha::GroupSettings::id) == groups.end()) told_[id] = {};
      }
    }
    Step(event, now);
    status_changed_ = true;
  }
}

void Takeover::SayShadows(Nanos now) {
  for (const ha::Group& group : device_->groups()) {
    const TrafficGroupId id = group.id();
    Told& told = told_[id];
    mirror::SyncClaim claim;
    ha::Epoch epoch;
    // Its writer is the device whose epoch is followed.
    const config::PeerIndex writer = mirroring_.peers().Find(told.duty.device());
    if (writer != config::kNoPeer) {
      claim = mirroring_.endpoint(writer).claim(id);
      epoch = ha::Epoch::FromBits(mirroring_.endpoint(writer).epoch_read(id, claim.session));
    }
    const bool in_sync = !epoch.is_none() && mirroring_.InSync(id, writer);
    if (in_sync == told.in_sync && claim.session == told.session && epoch == told.epoch) continue;
    told.in_sync = in_sync;
    told.session = claim.session;
    told.epoch = epoch;
    Step(ha::ShadowSays{id, in_sync, claim.session, epoch}, now);
  }
}

void Takeover::SayDrained(Nanos now) {
  if (!roles_.any_frozen()) return;
  for (const ha::Group& group : device_->groups()) {
    if (group.state() != ha::State::kSwitchingOut) continue;
    const uint32_t session = mirroring_.DrainedSession(group.id());
    if (session != 0) Step(ha::Drained{group.id(), session}, now);
  }
}

void Takeover::HearWitness(Nanos now) {
  if (witness_ == nullptr) return;
  while (const auto answer = witness_->Receive(now))
    Step(*answer, now);
  witness_->Turn(now);
}

void Takeover::Step(const ha::Event& event, Nanos now) {
  device_->Step(event, now, actions_);
  if (!Mutated(Mutation::kToldBeforeSilent)) Perform();
}

// ---- what is done -------------------------------------------------------------------------------

void Takeover::Perform() {
  for (const ha::Action& action : actions_)
    Perform(action);
  actions_.clear();
}

void Takeover::Perform(const ha::Action& action) {
  switch (action.kind) {
    case Kind::kSetRole: {
      Told& told = told_[action.group];
      told.is_decided = true;
      if (action.role == Role::kActive) told.duty = action.epoch;
      duties_changed_ = true;
      // Who begins to act does so under the fence of this moment; who ends, knows it before it is lifted.
      if (action.role == Role::kActive) SetFence();
      if (action.role == Role::kActive) roles_.SetStraysUntil(action.group, 0);
      if (!action.is_pause) roles_.Set(action.group, action.role);
      roles_.SetPaused(action.group, action.is_pause);
      // Last: a worker that finds it not frozen any more finds it silent too.
      roles_.SetFrozen(action.group, false);
      SetFence();
      break;
    }
    case Kind::kFollow:
      told_[action.group].duty = action.epoch;
      duties_changed_ = true;
      break;
    case Kind::kFreeze:
      roles_.SetFrozen(action.group, true);
      break;
    case Kind::kUnfreeze:
      roles_.SetFrozen(action.group, false);
      break;
    case Kind::kAnnounce:
      announcer_.Ask(action.group);
      break;
    case Kind::kForwardStrays:
      successors_.Forget();
      roles_.SetStraysUntil(action.group, action.until);
      break;
    case Kind::kMirrorTo: {
      // While nobody may take over, whom it was mirrored to keeps its shadow.
      const config::PeerIndex peer = mirroring_.peers().Find(action.device);
      if (peer != config::kNoPeer) roles_.SetMirrorTo(action.group, peer);
      break;
    }
    case Kind::kDropBacklog:  // workers do so with every change to active
      break;
    case Kind::kAskLease:
    case Kind::kReleaseLease:
      AskWitness(action);
      break;
    case Kind::kTransition:
      status_changed_ = true;
      for_control_.push_back(action);
      break;
    case Kind::kPersist:
    case Kind::kAnswer:
    case Kind::kStopped:
      for_control_.push_back(action);
      break;
  }
}

// Of a group that the configuration has no more, the lease ends by itself.
void Takeover::AskWitness(const ha::Action& action) {
  const ha::Group* const group = device_ != nullptr ? device_->Find(action.group) : nullptr;
  if (witness_ == nullptr || group == nullptr) return;
  const uint64_t name_hash = group->settings().name_hash;
  if (action.kind == Kind::kAskLease) {
    witness_->Ask(action.group, name_hash, action.ticket);
  } else {
    witness_->Release(name_hash);
  }
}

// The earliest of the groups that act: they differ by nothing but a witness's lease.
void Takeover::SetFence() {
  Nanos fence = config::Roles::kNoFence;
  for (const ha::Group& group : device_->groups()) {
    if (group.acts()) fence = std::min(fence, device_->ActiveUntil(group.id()));
  }
  roles_.SetFence(fence);
}

void Takeover::SetDuties() {
  for (const ha::Group& group : device_->groups()) {
    const Told& told = told_[group.id()];
    if (told.is_decided) mirroring_.SetDuty(group.id(), told.duty.bits());
  }
}

void Takeover::SendHeartbeats(Nanos now, mirror::FrameSink& sink) {
  for (const ha::Heartbeat& heartbeat : device_->MakeHeartbeats(now)) {
    const size_t size = ha::EncodeHeartbeat(heartbeat, body_);
    if (size == 0) continue;
    mirroring_.SendHeartbeat({reinterpret_cast<const char*>(body_.data()), size}, now, sink);
  }
}

void Takeover::Turn(Nanos now, mirror::FrameSink& sink) {
  TakeEvents(now);
  const bool looks = now - looked_at_ >= kLookEvery;
  if (looks) {
    looked_at_ = now;
    SayShadows(now);
    HearWitness(now);
  }
  SayDrained(now);
  Step(ha::Tick{}, now);
  if (device_->HeartbeatDue(now)) SendHeartbeats(now, sink);
  if (Mutated(Mutation::kToldBeforeSilent)) Perform();
  SetFence();
  // Again and again: the mirror forgets them with a group that the configuration renames.
  if (looks || std::exchange(duties_changed_, false)) SetDuties();
  if (!for_control_.empty()) HandOver();
  if (status_changed_ || now - published_at_ >= kPublishEvery) Publish(now);
}

// ---- control ------------------------------------------------------------------------------------

void Takeover::HandOver() {
  // While control is at it, the next turn does.
  const bool is_done = at_actions_.Try(
      [&] { handed_over_.insert(handed_over_.end(), for_control_.begin(), for_control_.end()); });
  if (is_done) for_control_.clear();
}

void Takeover::Post(ha::Event event) {
  while (!at_events_.Try([&] {
    events_.push_back(std::move(event));
    has_events_.store(true, std::memory_order_release);
  })) {
    rte_pause();
  }
}

void Takeover::SetWitnessKey(const mirror::PresharedKey& key) {
  while (!at_events_.Try([&] {
    witness_key_ = key;
    has_events_.store(true, std::memory_order_release);
  })) {
    rte_pause();
  }
}

ha::Actions Takeover::Take() {
  ha::Actions taken;
  while (!at_actions_.Try([&] { taken.swap(handed_over_); }))
    rte_pause();
  return taken;
}

std::shared_ptr<const TakeoverStatus> Takeover::status() const {
  std::shared_ptr<const TakeoverStatus> copy;
  while (!at_status_.Try([&] { copy = status_; }))
    rte_pause();
  return copy;
}

void Takeover::Publish(Nanos now) {
  auto next = std::make_shared<TakeoverStatus>();
  next->self = device_->settings().self;
  next->forced_offline = device_->forced_offline();
  next->incarnation = device_->incarnation();
  next->stalls = device_->detector().counters().stalls.Get();
  if (witness_ != nullptr) next->witness = witness_->status(now);
  for (const ha::Group& group : device_->groups()) {
    next->groups.push_back(
        {.id = group.id(),
         .state = group.state(),
         .since = group.since(),
         .reason = group.reason(),
         .epoch = group.epoch(),
         .active = group.acts() ? device_->settings().self : group.active_device(),
         .next_active = group.heir(),
         .fault = group.fault(),
         .has_score = group.settings().method == ha::Method::kHaScore,
         .score = group.score(),
         .lease_until = group.lease_until()});
  }
  for (const ha::Peer& peer : device_->detector().peers()) {
    TakeoverStatus::Peer shown{.device = peer.device,
                               .is_alive = peer.is_alive,
                               .said_goodbye = peer.goodbye,
                               .heard_on = peer.hears_us ? peer.hears_on : 0,
                               .heard_at = peer.heard_at,
                               .round_trip = peer.round_trip,
                               .detection = peer.detection};
    for (unsigned path = 0; path < device_->settings().paths; ++path) {
      if (peer.Hears(path, now)) shown.paths |= 1U << path;
    }
    for (const ha::PeerGroup& group : peer.groups)
      shown.groups.emplace_back(group.says.name_hash, group.says.state);
    next->peers.push_back(std::move(shown));
  }
  std::shared_ptr<const TakeoverStatus> shown_until_now = std::move(next);
  // While somebody looks at it, the next turn says it.
  status_changed_ = !at_status_.Try([&] { status_.swap(shown_until_now); });
  if (!status_changed_) published_at_ = now;
}

}  // namespace tandem::unit
