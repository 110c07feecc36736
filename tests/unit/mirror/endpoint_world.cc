// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/mirror/endpoint_world.h"

#include <algorithm>
#include <cstring>

namespace tandem::mirror::test {
namespace {

EndpointOptions OptionsOf(uint8_t unit, unsigned workers, unsigned devices) {
  const char* const names[] = {"", "one", "two", "three"};
  const auto address = [](unsigned of) { return "10.9.0." + std::to_string(of); };
  EndpointOptions options;
  options.first_session = unit * 1000U;
  options.mac = {2, 0, 0, 0, 0, unit};
  options.mirroring.enabled = true;
  options.mirroring.unit_id = unit;
  options.mirroring.device_name = names[unit];
  options.mirroring.address = *IpPrefix::Parse(address(unit) + "/24");
  for (config::UnitId other = 1; other <= devices; ++other) {
    if (other != unit)
      options.mirroring.peers.push_back({other, *IpAddress::Parse(address(other))});
  }
  options.mirroring.key.fill(0x5a);
  options.fingerprint = {.driver = "net_ixgbe",
                         .workers = workers,
                         .rss_key_hash = 7,
                         .reta_size = 128,
                         .reta_hash = 9,
                         .flows_ipv4_per_worker = 1000,
                         .flows_ipv6_per_worker = 1000};
  return options;
}

}  // namespace

Device::Device(uint8_t unit, unsigned count, unsigned devices)
    : options(OptionsOf(unit, count, devices)), publisher_(count + 1) {
  workers.resize(count);
  for (unsigned i = 0; i < count; ++i) {
    to_worker_.push_back(std::make_unique<FrameRing>());
    from_worker_.push_back(std::make_unique<FrameRing>());
  }
  publisher_.Online(count);
}

Device::~Device() {
  peers.reset();
  publisher_.Offline(static_cast<unsigned>(workers.size()));
}

void Device::Configure(const std::function<void(config::Snapshot&)>& wanted) {
  if (wanted) change = wanted;
  auto snapshot = std::make_unique<config::Snapshot>();
  snapshot->generation = ++generation_;
  snapshot->traffic_groups.resize(groups.size() + 1);
  for (size_t i = 0; i < groups.size(); ++i) {
    if (groups[i].empty()) continue;
    snapshot->traffic_groups[i + 1].id = static_cast<config::TrafficGroupId>(i + 1);
    snapshot->traffic_groups[i + 1].name = groups[i];
  }
  if (change) change(*snapshot);
  snapshot->Finish();
  publisher_.Publish(std::move(snapshot));
}

void Device::Start(uint64_t incarnation) {
  const auto count = static_cast<unsigned>(workers.size());
  workers.assign(count, {});
  PeersPorts ports;
  for (unsigned i = 0; i < count; ++i) {
    while (to_worker_[i]->Front() != nullptr)
      to_worker_[i]->Pop();
    while (from_worker_[i]->Front() != nullptr)
      from_worker_[i]->Pop();
    ports.to_worker.push_back(to_worker_[i].get());
    ports.from_worker.push_back(from_worker_[i].get());
  }
  ports.publish_translation = [this](config::PeerIndex, std::unique_ptr<const Translation> next) {
    translation = std::move(next);
    ++translations;
  };
  ports.state = [this](config::TrafficGroupId, uint32_t, uint64_t) { return streams; };
  ports.heartbeat = [this](std::string_view bytes, unsigned) { heard = bytes; };
  options.incarnation = incarnation;
  options.nonce.fill(static_cast<uint8_t>(incarnation));
  if (!publisher_.HasSnapshot()) Configure();
  peers = std::make_unique<Peers>(options, publisher_, count, roles, std::move(ports));
}

const EndpointStatus::Group& Device::group(size_t index) const {
  shown_ = status();
  return shown_->groups.at(index);
}

std::span<uint8_t> Device::Begin(size_t size) {
  if (room == 0) return {};
  begun_.assign(size, 0);
  return begun_;
}

void Device::Commit(size_t size) {
  if (room != UINT32_MAX) --room;
  begun_.resize(size);
  sent.push_back(begun_);
}

void Device::Turn(const std::vector<std::vector<uint8_t>>& frames, Nanos now) {
  sent.clear();
  std::vector<std::span<const uint8_t>> spans(frames.begin(), frames.end());
  const bool is_in_turn = peers->Receive(spans, now, *this);
  if (!heartbeat.empty()) peers->SendHeartbeat(heartbeat, now, *this);
  if (is_in_turn) peers->Send(now, *this);
  for (unsigned i = 0; i < workers.size(); ++i)
    Work(i);
}

void Device::Work(unsigned worker) {
  while (!workers[worker].is_stuck) {
    const FrameSlot* slot = to_worker_[worker]->Front();
    if (slot == nullptr) break;
    Take(worker, *slot);
    to_worker_[worker]->Pop();
  }
  Answer(worker);
}

void Device::Take(unsigned index, const FrameSlot& slot) {
  StubWorker& worker = workers[index];
  StubStream& writer = worker.writers[slot.group];
  StubStream& reader = worker.readers[slot.group];
  switch (slot.cargo) {
    case Cargo::kOpenSender:
      if (writer.is_open && writer.terms.session == slot.terms.session) {
        writer.terms = slot.terms;
        return;
      }
      writer = {.is_open = true, .peer = slot.peer, .terms = slot.terms};
      ++worker.opened;
      return;
    case Cargo::kOpenReceiver:
      reader = {.is_open = true, .peer = slot.peer, .terms = slot.terms};
      ++worker.opened;
      return;
    case Cargo::kCloseSender:
      writer.is_open = false;
      ++worker.closed;
      return;
    case Cargo::kCloseReceiver:
      reader.is_open = false;
      ++worker.closed;
      worker.discarded += slot.terms.discard;
      return;
    case Cargo::kFrame:
      break;
  }
  const bool is_ack =
      slot.header.type == FrameType::kFlowsAck || slot.header.type == FrameType::kPersistAck;
  StubStream& stream = is_ack ? writer : reader;
  if (!stream.is_open || slot.header.session != stream.terms.session) {
    ++worker.strays;
    return;
  }
  if (is_ack) {
    ++stream.answered;
    return;
  }
  ++stream.came;
  stream.unanswered = slot.header.sequence;
}

// One acknowledgement for all that came; when there is room for it.
void Device::Answer(unsigned index) {
  for (auto& [group, reader] : workers[index].readers) {
    if (reader.unanswered == 0 || !reader.is_open) continue;
    FrameSlot* answer = from_worker_[index]->Free();
    if (answer == nullptr) return;
    answer->cargo = Cargo::kFrame;
    answer->peer = reader.peer;
    answer->group = static_cast<config::TrafficGroupId>(group);
    answer->body_size = 0;
    answer->header = {.type = group == 0 ? FrameType::kPersistAck : FrameType::kFlowsAck,
                      .epoch = reader.terms.epoch,
                      .session = reader.terms.session,
                      .sequence = ++reader.sent,
                      .floor = reader.unanswered};
    reader.unanswered = 0;
    from_worker_[index]->Push();
  }
}

void Device::Write(size_t size) {
  ++writes_;
  for (unsigned i = 0; i < workers.size(); ++i) {
    std::map<unsigned, StubStream>& writers = workers[i].writers;
    for (size_t k = 0; k < writers.size(); ++k) {
      // Each is first in its turn: there may be room for one alone.
      const auto at =
          std::next(writers.begin(), static_cast<std::ptrdiff_t>((writes_ + k) % writers.size()));
      const unsigned group = at->first;
      StubStream& writer = at->second;
      FrameSlot* slot = writer.is_open ? from_worker_[i]->Free() : nullptr;
      if (slot == nullptr) continue;
      slot->cargo = Cargo::kFrame;
      slot->peer = to_peer.value_or(writer.peer);
      slot->group = static_cast<config::TrafficGroupId>(group);
      slot->header = {.type = group == 0 ? FrameType::kPersist : FrameType::kFlows,
                      .flags = static_cast<uint16_t>(StreamState::kSyncing),
                      .epoch = writer.terms.epoch,
                      .session = writer.terms.session,
                      .sequence = ++writer.sent,
                      .floor = writer.sent};
      slot->body_size = static_cast<uint16_t>(std::min<size_t>(size, writer.terms.body_max));
      std::memset(slot->body.data(), 0x33, slot->body_size);
      from_worker_[i]->Push();
    }
  }
}

World::World(uint64_t seed, unsigned workers) : random(seed), a(1, workers), b(2, workers) {
  b.roles.Set(1, config::Role::kStandby);
  a.Start(0xa1);
  b.Start(0xb1);
}

void World::Inject(int to, std::vector<uint8_t> frame) {
  flying_[to].push_back({now, std::move(frame)});
}

void World::Carry(int from) {
  const WireFaults& with = faults[from];
  for (const std::vector<uint8_t>& frame : (from == 0 ? a : b).sent) {
    if (is_recording) recorded[from].push_back(frame);
    if (with.is_cut || frame.size() - 14 > with.ip_max || random.Below(1000) < with.lost) continue;
    const unsigned copies = random.Below(1000) < with.repeated ? 2 : 1;
    for (unsigned i = 0; i < copies; ++i) {
      Flying flying{now, frame};
      if (random.Below(1000) < with.delayed) flying.at += random.Below(20) * kMillisecond;
      if (random.Below(1000) < with.corrupted) {
        const auto bit = random.Below(static_cast<uint32_t>(frame.size() * 8));
        flying.frame[bit / 8] ^= static_cast<uint8_t>(1U << bit % 8);
      }
      flying_[1 - from].push_back(std::move(flying));
    }
  }
}

void World::Run(Nanos span, const std::function<void()>& each) {
  const Nanos end = now + span;
  while (now < end) {
    now += kMillisecond;
    std::vector<std::vector<uint8_t>> arrived[2];
    for (int to = 0; to < 2; ++to) {
      std::erase_if(flying_[to], [&](Flying& one) {
        if (one.at > now) return false;
        arrived[to].push_back(std::move(one.frame));
        return true;
      });
    }
    a.Turn(arrived[0], now);
    b.Turn(arrived[1], now);
    Carry(0);
    Carry(1);
    if (each) each();
  }
}

bool World::RunUntil(const std::function<bool()>& done, Nanos most) {
  for (const Nanos end = now + most; now < end;) {
    if (done()) return true;
    Run(kMillisecond);
  }
  return done();
}

bool World::RunUntilOpen(Nanos most) {
  const auto is_open = [](const Device& writer, const Device& reader) {
    return std::ranges::all_of(writer.workers,
                               [](const StubWorker& one) {
                                 const auto found = one.writers.find(1);
                                 return found != one.writers.end() && found->second.is_open;
                               }) &&
           writer.group().session != 0 && writer.group().session == reader.group().session;
  };
  return RunUntil(
      [&] {
        return !a.status()->groups.empty() && !b.status()->groups.empty() &&
               (is_open(a, b) || is_open(b, a));
      },
      most);
}

bool Flows(World& world, Device& from, Device& to, unsigned group) {
  const uint64_t came = Reader(to, group).came;
  const uint64_t answered = Writer(from, group).answered;
  world.Run(50 * kMillisecond, [&] { from.Write(100); });
  return Reader(to, group).came > came && Writer(from, group).answered > answered;
}

}  // namespace tandem::mirror::test
