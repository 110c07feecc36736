// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/mirror/stream_rig.h"

#include <netinet/in.h>

#include <algorithm>

#include "dataplane/base/assert.h"

namespace tandem::mirror::test {

using config::Dictionary;
using config::ObjectKind;
using flow::FlowHot4;
using flow::FlowHot6;
using flow::FlowTable;

namespace {

net::Ipv6Bytes Address6(uint32_t number) {
  net::Ipv6Bytes result;
  result.bytes[0] = 0x20;
  for (size_t i = 0; i < 4; ++i)
    result.bytes[12 + i] = static_cast<uint8_t>(number >> (24 - 8 * i));
  return result;
}
void SetAddress(uint32_t& field, uint32_t number) {
  field = htonl(number);
}
void SetAddress(net::Ipv6Bytes& field, uint32_t number) {
  field = Address6(number);
}

std::string NameOf(const char* kind, uint16_t number) {
  return kind + std::to_string(number);
}

std::vector<uint16_t> Join(ObjectKind kind, const Dictionary& peer, const Dictionary& ours) {
  std::vector<uint16_t> result;
  for (const config::DictionaryEntry& entry : peer.All(kind)) {
    result.push_back(entry.name_hash == 0 ? uint16_t{0} : ours.NumberOf(kind, entry.name_hash));
  }
  return result;
}

uint32_t WithPages(uint32_t capacity, uint32_t pages) {
  return capacity + pages * static_cast<uint32_t>(kFlowsPerPage);
}

}  // namespace

Slots::Slots(uint32_t capacity4, uint32_t capacity6, uint64_t seed)
    : memory4_(FlowTable<FlowHot4>::BytesNeeded(capacity4)),
      memory6_(FlowTable<FlowHot6>::BytesNeeded(capacity6)),
      flows4(memory4_, capacity4, seed),
      flows6(memory6_, capacity6, seed + 1) {}

std::unique_ptr<config::Snapshot> MakeSnapshot(uint16_t first, uint64_t generation,
                                               const std::vector<std::string>& without) {
  auto snapshot = std::make_unique<config::Snapshot>();
  auto dictionary = std::make_shared<Dictionary>();
  snapshot->generation = generation;
  const auto end = static_cast<uint16_t>(first + kObjects);
  snapshot->virtuals.resize(end);
  snapshot->members.resize(end);
  snapshot->interfaces.resize(end);
  const auto add = [&](auto& object, ObjectKind kind, const char* prefix, uint16_t id) {
    const std::string name = NameOf(prefix, static_cast<uint16_t>(id - first));
    if (std::ranges::find(without, name) != without.end()) return;
    object.id = id;
    object.name = name;
    dictionary->Add(kind, id, {.name_hash = std::hash<std::string>()(name)});
  };
  for (uint16_t id = first; id < end; ++id) {
    add(snapshot->virtuals[id], ObjectKind::kVirtual, "v", id);
    add(snapshot->members[id], ObjectKind::kMember, "m", id);
    add(snapshot->interfaces[id], ObjectKind::kInterface, "i", id);
  }
  dictionary->Finish();
  snapshot->dictionary = dictionary;
  return snapshot;
}

std::unique_ptr<Translation> Translate(const config::Snapshot& writer,
                                       const config::Snapshot& reader) {
  auto result = std::make_unique<Translation>();
  result->peer = writer.dictionary;
  result->version = static_cast<uint16_t>(writer.generation);
  result->snapshot_generation = reader.generation;
  const Dictionary& ours = *reader.dictionary;
  result->virtuals = Join(ObjectKind::kVirtual, *writer.dictionary, ours);
  result->members = Join(ObjectKind::kMember, *writer.dictionary, ours);
  result->interfaces = Join(ObjectKind::kInterface, *writer.dictionary, ours);
  return result;
}

StreamRig::StreamRig(const Options& options)
    : prng(options.seed),
      writer(options.capacity4, options.capacity6, options.seed),
      reader(WithPages(options.capacity4, options.readers_pages),
             WithPages(options.capacity6, options.readers_pages), options.seed + 77),
      writer_snapshot(MakeSnapshot(1, 1)),
      reader_snapshot(MakeSnapshot(4, 1)),
      translation(Translate(*writer_snapshot, *reader_snapshot)),
      sender(kGroup, kWorker, writer.tables(), batch_writer),
      receiver(kGroup, kWorker, reader.tables(), live, share) {
  terms.session = 100;
  terms.epoch = 7;
  terms.body_max = options.body_max;
  terms.wire_group = 9;
}

void StreamRig::OpenReceiver() {
  ++terms.session;
  receiver.Open(terms, now);
}

void StreamRig::Open() {
  OpenReceiver();
  sender.Open(terms, now);
}

void StreamRig::Put(const FrameSlot& frame, const LinkFaults& faults, bool is_ack) {
  if (Chance(faults.loss)) return;
  const int copies = Chance(faults.duplicates) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    const Nanos jitter = faults.jitter == 0 ? 0 : prng.Below(static_cast<uint32_t>(faults.jitter));
    auto copy = std::make_unique<FrameSlot>();
    copy->group = frame.group;
    copy->header = frame.header;
    copy->body_size = frame.body_size;
    std::copy_n(frame.body.begin(), frame.body_size, copy->body.begin());
    link_.emplace(now + faults.delay + jitter, InTransit{is_ack, std::move(copy)});
  }
}

void StreamRig::Turn() {
  while (!link_.empty() && link_.begin()->first <= now) {
    const InTransit transit = std::move(link_.extract(link_.begin()).mapped());
    FrameSlot& frame = *transit.frame;
    if (transit.is_ack) {
      if (on_ack) on_ack(frame);
      Guard(true);
      sender.OnAck(frame.header, now);
    } else {
      if (on_frame) on_frame(frame);
      Guard(true);
      receiver.Apply(frame, *translation, *reader_snapshot, now);
    }
    Guard(false);
  }
  Guard(true);
  sender.OnClock(now);
  for (int i = 0; i < 8 && sender.Build(*built_, *writer_snapshot, now); ++i) {
    Guard(false);
    ++frames_sent;
    Put(*built_, to_reader, false);
    Guard(true);
  }
  receiver.Tidy(translation.get(), *reader_snapshot, 1024);
  while (receiver.BuildAck(*built_, 64, now)) {
    Guard(false);
    Put(*built_, to_writer, true);
    Guard(true);
  }
  Guard(false);
}

void StreamRig::Run(Nanos span, Nanos step) {
  for (const Nanos end = now + span; now < end;) {
    now += step;
    Turn();
  }
}

bool StreamRig::RunUntil(const std::function<bool()>& done, Nanos limit, Nanos step) {
  for (const Nanos end = now + limit; now < end;) {
    if (done()) return true;
    now += step;
    Turn();
  }
  return done();
}

// ---- the writer's flows -----------------------------------------------------------------------------

template <class Hot>
uint32_t StreamRig::Create(uint32_t client) {
  FlowTable<Hot>& table = writer.Of<Hot>();
  typename Hot::Key from;
  typename Hot::Key back;
  const auto object = static_cast<uint16_t>(client % kObjects);
  SetAddress(from.source, 0x0a000000 + client);
  SetAddress(from.destination, 0xc0000200 + object);
  from.source_port = htons(static_cast<uint16_t>(1024 + client % 1000));
  from.destination_port = htons(80);
  SetAddress(back.source, 0x0b000000 + object);
  SetAddress(back.destination, 0x0a000000 + client);
  back.source_port = htons(8080);
  back.destination_port = from.source_port;
  const bool one_legged = client % 7 == 0;
  const auto result = table.Insert(kGroup, from, back, IPPROTO_TCP, one_legged);
  if (result.status != flow::InsertStatus::kInserted) return flow::kNoSlot;
  flow::FlowCommon& common = table.hot(result.slot).common;
  common.state = flow::State::kEstablished;
  common.virtual_id = static_cast<uint16_t>(1 + object);
  common.member_id = static_cast<uint16_t>(1 + (client / kObjects) % kObjects);
  common.client_interface = static_cast<uint16_t>(1 + (client / 3) % kObjects);
  common.client_mac = {2, 0, 0, 0, 0, static_cast<uint8_t>(client)};
  common.last_seen = TickOf(now);
  table.cold(result.slot).created = TickOf(now);
  sender.Begin<Hot>(result.slot);
  names_.push_back({Hot::kIsIpv6, result.slot});
  return result.slot;
}

template <class Hot>
void StreamRig::Change(uint32_t slot, bool waits) {
  flow::FlowCommon& common = writer.Of<Hot>().hot(slot).common;
  common.state = static_cast<flow::State>(1 + prng.Below(flow::kStateCount - 1));
  common.flags ^= flow::kFinAckedClient;
  if (waits) {
    sender.ChangeLater<Hot>(slot);
  } else {
    sender.Change<Hot>(slot);
  }
}

template <class Hot>
void StreamRig::Close(uint32_t slot) {
  sender.End<Hot>(slot);
  writer.Of<Hot>().Erase(slot);
  std::erase_if(names_, [slot](const Name& name) {
    return name.is_ipv6 == Hot::kIsIpv6 && name.slot == slot;
  });
}

void StreamRig::Churn(uint32_t clients) {
  const uint32_t what = prng.Below(10);
  if (what < 4 || names_.empty()) {
    const uint32_t client = prng.Below(clients);
    prng.Below(3) == 0 ? Create<FlowHot6>(client) : Create<FlowHot4>(client);
    return;
  }
  const size_t index = prng.Below(static_cast<uint32_t>(names_.size()));
  const Name name = names_[index];
  if (what < 7) {
    const bool waits = what < 6;
    name.is_ipv6 ? Change<FlowHot6>(name.slot, waits) : Change<FlowHot4>(name.slot, waits);
    return;
  }
  if (name.is_ipv6) {
    sender.End<FlowHot6>(name.slot);
    writer.flows6.Erase(name.slot);
  } else {
    sender.End<FlowHot4>(name.slot);
    writer.flows4.Erase(name.slot);
  }
  names_[index] = names_.back();
  names_.pop_back();
}

void StreamRig::CloseAll() {
  while (!names_.empty()) {
    const Name name = names_.back();
    name.is_ipv6 ? Close<FlowHot6>(name.slot) : Close<FlowHot4>(name.slot);
  }
}

template <class Hot>
std::string StreamRig::DifferenceOf() {
  FlowTable<Hot>& from = writer.Of<Hot>();
  FlowTable<Hot>& to = reader.Of<Hot>();
  uint32_t count = 0;
  for (uint32_t slot = 0; slot < from.pages().SlotsTouched(); ++slot) {
    if (!from.IsLive(slot) || from.pages().GroupOf(slot) != kGroup) continue;
    const Hot& ours = from.hot(slot);
    if ((ours.common.flags & flow::kMirrored) == 0) continue;
    ++count;
    const uint32_t logical = from.pages().LogicalSlot(slot);
    const std::string where = (Hot::kIsIpv6 ? "IPv6 " : "IPv4 ") + std::to_string(logical) + ": ";
    const uint32_t there = to.pages().SlotAt(kGroup, logical);
    if (there == flow::kNoSlot || !to.IsLive(there)) return where + "is missing";
    const Hot& theirs = to.hot(there);
    if (to.register_of(there) != from.register_of(slot)) return where + "register";
    if (theirs.common.state != ours.common.state) return where + "state";
    if (((theirs.common.flags ^ ours.common.flags) & kMirroredFlags) != 0) return where + "flags";
    if ((theirs.common.flags & flow::kShadow) == 0) return where + "no shadow";
    if (!(theirs.client == ours.client && theirs.server == ours.server)) return where + "keys";
    if (to.FindOne(ours.client, ours.common.protocol).slot != there) return where + "by client";
    const bool one_legged = (ours.common.flags & flow::kOneLegged) != 0;
    if (!one_legged && to.FindOne(ours.server, ours.common.protocol).slot != there) {
      return where + "by server";
    }
    const bool is_bound = (theirs.common.flags & flow::kUnbound) == 0;
    const int shift = is_bound ? 3 : 0;  // the reader's ids begin later
    if (theirs.common.virtual_id != ours.common.virtual_id + shift) return where + "virtual";
    if (theirs.common.member_id != ours.common.member_id + shift) return where + "member";
    if (theirs.common.client_mac != ours.common.client_mac) return where + "MAC";
  }
  if (to.size() == count) return {};
  return std::to_string(to.size()) + " flows instead of " + std::to_string(count);
}

std::string StreamRig::Difference() {
  const std::string difference = DifferenceOf<FlowHot4>();
  return difference.empty() ? DifferenceOf<FlowHot6>() : difference;
}

template <class Hot>
std::string StreamRig::ImpossibleOf() {
  const FlowTable<Hot>& from = writer.Of<Hot>();
  const FlowTable<Hot>& to = reader.Of<Hot>();
  for (uint32_t logical = 0; logical < to.pages().LogicalEnd(kGroup); ++logical) {
    const uint32_t there = to.pages().SlotAt(kGroup, logical);
    if (there == flow::kNoSlot) continue;
    const std::string where = (Hot::kIsIpv6 ? "IPv6 " : "IPv4 ") + std::to_string(logical) + ": ";
    const std::pair<bool, uint32_t> name{Hot::kIsIpv6, logical};
    const flow::Register value = to.register_of(there);
    if (!to.IsLive(there)) {
      if (auto it = seen_live_.find(name); it != seen_live_.end()) seen_dead_[name] = it->second;
      continue;
    }
    const uint32_t here = from.pages().SlotAt(kGroup, logical);
    if (here == flow::kNoSlot) return where + "the writer has no such page";
    if (value > from.register_of(here)) return where + "newer than the writer's";
    if (value < seen_live_[name]) return where + "regressed";
    if (auto it = seen_dead_.find(name); it != seen_dead_.end() && value <= it->second) {
      return where + "resurrected";
    }
    seen_live_[name] = value;
  }
  return {};
}

std::string StreamRig::Impossible() {
  const std::string impossible = ImpossibleOf<FlowHot4>();
  return impossible.empty() ? ImpossibleOf<FlowHot6>() : impossible;
}

template uint32_t StreamRig::Create<FlowHot4>(uint32_t);
template uint32_t StreamRig::Create<FlowHot6>(uint32_t);
template void StreamRig::Change<FlowHot4>(uint32_t, bool);
template void StreamRig::Change<FlowHot6>(uint32_t, bool);
template void StreamRig::Close<FlowHot4>(uint32_t);
template void StreamRig::Close<FlowHot6>(uint32_t);

}  // namespace tandem::mirror::test
