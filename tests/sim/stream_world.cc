// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/stream_world.h"

#include <algorithm>

#include "dataplane/mirror/frame.h"

namespace tandem::sim {
namespace {

constexpr int kFramesMax = 8;  // a turn, each way

}  // namespace

size_t SizeOf(const StreamParcel& parcel) {
  return mirror::kHeaderSize + parcel.body.size() + mirror::kTagSize;
}
// The seal does not open.
bool Damage(StreamParcel&, Chance&) {
  return false;
}

StreamOptions StreamOptions::Random(uint64_t seed) {
  Chance chance(seed * 7919);
  StreamOptions options;
  options.seed = seed;
  options.one_writer = !chance.OneIn(3);
  options.flows_target = chance.OneIn(4) ? chance.Between(1, 20) : chance.Between(50, 1500);
  if (options.one_writer && chance.OneIn(8)) {  // until it is full
    options.flows_target = options.flows_max = 9000;
    options.flows_ipv4 = 8192;
    options.flows_ipv6 = 8192;
  }
  if (chance.OneIn(3)) options.first_birth = flow::kBirthMax / 2 - chance.Below(5);
  options.with_faults = !chance.OneIn(10);
  options.with_restarts = !chance.OneIn(3);
  options.with_config = chance.OneIn(2);
  return options;
}

StreamWorld::StreamWorld(const StreamOptions& options, Journal& journal)
    : options_(options),
      journal_(journal),
      chance_(options.seed),
      scratch_(std::make_unique<mirror::FrameSlot>()) {
  for (unsigned device = 0; device < 2; ++device) {
    wires_[device] = std::make_unique<Wire<StreamParcel>>(chance_);
    offset_[device] = chance_.Span(0, 3600 * kSecond);
    NewDevice(device, options.first_birth);
  }
  for (unsigned group = 0; group < kGroups; ++group) {
    writer_[group] = options.one_writer ? 0 : group;
    Reconnect(group);
  }
  devices_[0]->Translate(*devices_[1]);
  devices_[1]->Translate(*devices_[0]);
}

void StreamWorld::NewDevice(unsigned device, flow::Birth first_birth) {
  devices_[device] =
      std::make_unique<StreamDevice>(DeviceOptions{.unit = device + 1,
                                                   .flows_ipv4 = options_.flows_ipv4,
                                                   .flows_ipv6 = options_.flows_ipv6,
                                                   .first_birth = first_birth,
                                                   .seed = options_.seed * 31 + ++incarnations_});
}

// ---- what happens -------------------------------------------------------------------------------

void StreamWorld::Run(unsigned steps) {
  for (unsigned i = 0; i < steps; ++i) {
    if (chance_.OneIn(400)) ChangeWeather();
    if (options_.with_config && chance_.OneIn(3000)) ChangeConfig();
    if (options_.with_restarts && chance_.OneIn(12000)) Restart(chance_.Below(2));
    if (chance_.OneIn(8000)) Reconnect(chance_.Below(kGroups));
    if (chance_.OneIn(5000)) offset_[chance_.Below(2)] += chance_.Span(0, 60 * kSecond);
    if (chance_.OneIn(1500)) trend_ = static_cast<int>(chance_.Below(4));
    Nanos span = chance_.Span(5'000, 500'000);
    if (chance_.OneIn(500)) span = chance_.Span(kMillisecond, 300 * kMillisecond);
    if (chance_.OneIn(20000)) span = chance_.Span(kSecond, 11 * kSecond);
    Step(span, chance_.OneIn(4) ? chance_.Between(1, 40) : chance_.Below(3));
  }
}

void StreamWorld::Step(Nanos span, unsigned operations) {
  ++steps_;
  now_ += span;
  for (unsigned i = 0; i < operations; ++i)
    Operate(chance_.Below(kGroups));
  for (unsigned group = 0; group < kGroups; ++group)
    Associate(group);
  const unsigned first = chance_.Below(2);
  for (const unsigned device : {first, 1 - first}) {
    if (paused_until_[device] > now_ || (faults_on_ && chance_.OneIn(8))) continue;
    Turn(device);
  }
  CheckSteps();
}

void StreamWorld::ChangeWeather() {
  if (!options_.with_faults) return;
  for (unsigned device = 0; device < 2; ++device) {
    if (!chance_.OneIn(3)) wires_[device]->faults = RandomFaults(chance_);
    const WireFaults& faults = wires_[device]->faults;
    journal_.Note(now_, "wire from %u: loss %u%% twice %u%% delay %.3f ms jitter %.3f ms%s max %zu",
                  device, faults.loss_percent, faults.duplicate_percent,
                  static_cast<double>(faults.delay) / 1e6, static_cast<double>(faults.jitter) / 1e6,
                  faults.cut ? " cut" : "", faults.size_max);
    if (chance_.OneIn(12)) {
      const Nanos pause = chance_.Span(kMillisecond, 3 * kSecond);
      journal_.Note(now_, "device %u pauses for %.3f s", device, static_cast<double>(pause) / 1e9);
      paused_until_[device] = now_ + pause;
    }
  }
}

void StreamWorld::ChangeConfig() {
  const unsigned which = chance_.Below(2);
  std::array<bool, kVirtuals + 1> has_virtual;
  std::array<bool, kMembers + 1> has_member;
  has_virtual.fill(true);
  has_member.fill(true);
  // Only the standby's copy lacks objects: the writer's flows of a deleted object end with it, which
  // is the pipeline's business. One of two writers would have to lack its own.
  if (options_.one_writer && which == 1 && !chance_.OneIn(3)) {
    has_virtual[chance_.Between(1, kVirtuals)] = false;
    has_member[chance_.Between(1, kMembers)] = false;
  }
  devices_[which]->Configure(has_virtual, has_member);
  journal_.Note(now_, "device %u has configuration %llu", which,
                static_cast<unsigned long long>(devices_[which]->generation));
  // The dictionary is read some time later; until then frames cannot be translated.
  if (chance_.OneIn(2)) devices_[1 - which]->Translate(*devices_[which]);
  devices_[which]->Translate(*devices_[1 - which]);
}

void StreamWorld::SetFaults(const WireFaults& faults) {
  for (auto& wire : wires_)
    wire->faults = faults;
}

void StreamWorld::CalmDown() {
  faults_on_ = false;
  for (unsigned device = 0; device < 2; ++device) {
    wires_[device]->faults = kGoodWire;
    paused_until_[device] = 0;
  }
  std::array<bool, kVirtuals + 1> has_virtual;
  std::array<bool, kMembers + 1> has_member;
  has_virtual.fill(true);
  has_member.fill(true);
  if (options_.with_config) {
    for (auto& device : devices_)
      device->Configure(has_virtual, has_member);
  }
  devices_[0]->Translate(*devices_[1]);
  devices_[1]->Translate(*devices_[0]);
}

void StreamWorld::Restart(unsigned device) {
  journal_.Note(now_, "device %u restarts", device);
  NewDevice(device, chance_.OneIn(2) ? options_.first_birth : chance_.Below(1000));
  paused_until_[device] = now_ + chance_.Span(0, kSecond);
  for (unsigned group = 0; group < kGroups; ++group) {
    if (writer_[group] == device) {
      live_[group].clear();
      ++groups_[group].epoch;
      for (FlowBook& book : groups_[group].books)
        book.NewWriter();
    }
    Group& state = groups_[group];
    if (writer_[group] == device)
      state.sender_open = false;
    else {
      state.receiver_open = false;
      for (FlowBook& book : state.books)
        book.NewShadow();
    }
    Reconnect(group);
  }
  devices_[0]->Translate(*devices_[1]);
  devices_[1]->Translate(*devices_[0]);
}

void StreamWorld::Reconnect(unsigned group) {
  Group& state = groups_[group];
  state.receiver_opens_at = now_ + chance_.Span(0, 100 * kMillisecond);
  state.sender_opens_at = state.receiver_opens_at + chance_.Span(0, 100 * kMillisecond);
}

// What endpoints agree on.
void StreamWorld::Associate(unsigned group) {
  Group& state = groups_[group];
  mirror::SessionTerms terms;
  terms.epoch = state.epoch;
  terms.body_max = 1400;
  terms.wire_group = static_cast<uint8_t>(Writer(group).Group(group));
  if (state.receiver_opens_at != 0 && now_ >= state.receiver_opens_at) {
    state.receiver_opens_at = 0;
    terms.session = ++state.session;
    journal_.Note(now_, "group %u: receiver opens session %u", group, state.session);
    ReceiverOf(group).Open(terms, ClockOf(1 - writer_[group]));
    state.receiver_open = true;
  }
  if (state.sender_opens_at != 0 && now_ >= state.sender_opens_at) {
    state.sender_opens_at = 0;
    terms.session = state.session;
    journal_.Note(now_, "group %u: sender opens session %u", group, state.session);
    SenderOf(group).Open(terms, ClockOf(writer_[group]));
    state.sender_open = true;
  }
}

// ---- turns --------------------------------------------------------------------------------------

void StreamWorld::Turn(unsigned device) {
  for (int i = 0; i < kFramesMax; ++i) {
    auto parcel = wires_[1 - device]->Receive(now_);
    if (!parcel) break;
    Deliver(device, *parcel);
  }
  for (unsigned group = 0; group < kGroups; ++group) {
    if (writer_[group] == device) {
      SenderOf(group).OnClock(ClockOf(device));
      Transmit(device, group);
    } else if (groups_[group].receiver_open) {
      mirror::FlowReceiver& receiver = ReceiverOf(group);
      if (receiver.BuildAck(*scratch_, 64, ClockOf(device))) {
        wires_[device]->Send({group, scratch_->header, {}}, now_);
      }
      receiver.Tidy(Standby(group).translation.get(), *Standby(group).snapshot, 1024);
    }
  }
}

void StreamWorld::Deliver(unsigned device, StreamParcel& parcel) {
  const unsigned group = parcel.group;
  if (parcel.header.type == mirror::FrameType::kFlowsAck) {
    if (writer_[group] != device || !groups_[group].sender_open) return;
    SenderOf(group).OnAck(parcel.header, ClockOf(device));
    RememberRenewed(group);
    return;
  }
  if (writer_[group] == device || !groups_[group].receiver_open) return;
  scratch_->cargo = mirror::Cargo::kFrame;
  scratch_->group = Standby(group).Group(group);
  scratch_->header = parcel.header;
  scratch_->body_size = static_cast<uint16_t>(parcel.body.size());
  std::copy(parcel.body.begin(), parcel.body.end(), scratch_->body.begin());
  ReceiverOf(group).Apply(*scratch_, *Standby(group).translation, *Standby(group).snapshot,
                          ClockOf(device));
}

void StreamWorld::Transmit(unsigned device, unsigned group) {
  if (!groups_[group].sender_open) return;
  for (int i = 0; i < kFramesMax; ++i) {
    if (!SenderOf(group).Build(*scratch_, *devices_[device]->snapshot, ClockOf(device))) break;
    if (scratch_->body_size > 1400) Violate("a frame is larger than its path");
    wires_[device]->Send(
        {group, scratch_->header,
         test::Bytes(scratch_->body.begin(), scratch_->body.begin() + scratch_->body_size)},
        now_);
  }
  RememberRenewed(group);
}

bool StreamWorld::IsInSync(unsigned group) const {
  const Group& state = groups_[group];
  return state.sender_open && state.receiver_open && state.receiver_opens_at == 0 &&
         state.sender_opens_at == 0 && SenderOf(group).state() == mirror::StreamState::kInSync &&
         ReceiverOf(group).in_sync() &&
         ReceiverOf(group).is_bound(devices_[1 - writer_[group]]->snapshot->generation) &&
         SenderOf(group).counters().dirty.Get() == 0 &&
         SenderOf(group).counters().in_flight.Get() == 0;
}

void StreamWorld::Settle() {
  constexpr Nanos kBound = 300 * kSecond;
  CalmDown();
  journal_.Note(now_, "faults end");
  const Nanos began = now_;
  // What both ends show is brought up to date now and then.
  for (int i = 0; i < 20; ++i)
    Step(kMillisecond, 0);
  while (!IsInSync(0) || !IsInSync(1)) {
    if (now_ - began > kBound) {
      for (unsigned group = 0; group < kGroups; ++group)
        NoteState(group);
      Violate("I8: not in sync %.0f s after the last fault", static_cast<double>(kBound) / 1e9);
    }
    Step(now_ - began < kSecond ? 50'000 : 2 * kMillisecond, 0);
  }
  journal_.Note(now_, "in sync after %.3f s", static_cast<double>(now_ - began) / 1e9);
  CompareAll("in sync and quiet");
  for (unsigned group = 0; group < kGroups; ++group) {
    const mirror::ReceiverCounters& counters = ReceiverOf(group).counters();
    const uint64_t flows = Standby(group).Images(group, flow::kShadow).size();
    if (counters.flows.Get() != flows || counters.unbound.Get() != 0) {
      Violate("I5: group %u: %llu flows, %llu unbound are counted, %llu and 0 there are", group,
              static_cast<unsigned long long>(counters.flows.Get()),
              static_cast<unsigned long long>(counters.unbound.Get()),
              static_cast<unsigned long long>(flows));
    }
  }
  faults_on_ = true;
}

void StreamWorld::NoteState(unsigned group) {
  const auto number = [](const Counter& counter) {
    return static_cast<unsigned long long>(counter.Get());
  };
  const mirror::SenderCounters& sent = SenderOf(group).counters();
  const mirror::ReceiverCounters& got = ReceiverOf(group).counters();
  journal_.Note(now_, "group %u: state %u, in sync there %d, dirty %llu, in flight %llu, lost %llu",
                group, static_cast<unsigned>(SenderOf(group).state()), ReceiverOf(group).in_sync(),
                number(sent.dirty), number(sent.in_flight), number(sent.lost_frames));
  journal_.Note(now_,
                "  frames %llu, early updates %llu, no room %llu, not translatable %llu, skipped "
                "audits %llu, mismatches %llu, displaced %llu",
                number(got.frames), number(got.early_updates), number(got.no_room),
                number(got.not_translatable), number(got.audits_skipped),
                number(got.audit_mismatches), number(got.displaced));
  for (size_t error = 0; error < mirror::kBatchErrorCount; ++error)
    if (got.malformed[error].Get() != 0)
      journal_.Note(now_, "  malformed, error %zu: %llu", error, number(got.malformed[error]));
}

void StreamWorld::Empty() {
  for (unsigned group = 0; group < kGroups; ++group)
    Drain(group);
  Settle();
  for (unsigned device = 0; device < 2; ++device) {
    if (devices_[device]->flows4.size() != 0 || devices_[device]->flows6.size() != 0)
      Violate("I5: device %u has flows left", device);
    for (unsigned v = 1; v <= kVirtuals; ++v) {
      const auto count = devices_[device]->live.OfVirtual(devices_[device]->Number(v));
      if (device != writer_[v % kGroups] && count != 0)
        Violate("I5: device %u counts %u connections of virtual %u", device, count, v);
    }
  }
}

uint64_t StreamWorld::AuditMismatches() const {
  uint64_t total = 0;
  for (unsigned group = 0; group < kGroups; ++group)
    total += SenderOf(group).counters().audit_mismatches.Get();
  return total;
}

}  // namespace tandem::sim
