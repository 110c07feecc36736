// SPDX-License-Identifier: Apache-2.0
#include "tests/support/rig.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "control/config_compile.h"
#include "control/config_load.h"
#include "dataplane/base/prng.h"
#include "tests/support/frame_check.h"

namespace tandem::test {
namespace {

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "rig: %s\n", what.c_str());
  std::abort();
}

void Check(bool holds, const char* what) {
  if (!holds) Fail(what);
}

std::string Hex(const Bytes& bytes) {
  std::string text;
  for (const uint8_t byte : bytes) {
    char two[3];
    std::snprintf(two, sizeof(two), "%02x", byte);
    text += two;
  }
  return text;
}

const control::RouteTableFactory kLinear = [](std::vector<config::Route> routes)
    -> absl::StatusOr<std::shared_ptr<const config::RouteTable>> {
  return std::make_shared<const config::LinearRoutes>(std::move(routes));
};

}  // namespace

// A received frame. The part that is readable ends where the memory ends, so that a sanitizer sees
// a step beyond it; the rest of a chained frame is out of reach.
struct Rig::Buffer {
  std::vector<uint8_t> memory;  // headroom and readable bytes
  Bytes tail;
  bool is_right = false;
  bool is_queued = true;
};

struct Rig::Levels {
  uint64_t arrived = 0;
  uint64_t ended = 0;
  uint64_t forwarded = 0;
  uint64_t originated = 0;

  explicit Levels(const pipeline::WorkerCounters& counters)
      : arrived(counters.received.Get() + counters.handed_in.Get()),
        ended(counters.forwarded.Get() + counters.consumed.Get() + counters.held.Get() +
              counters.handed_off.Get()),
        forwarded(counters.forwarded.Get()),
        originated(counters.originated.Get()) {
    for (const Counter& drop : counters.drops)
      ended += drop.Get();
  }
};

Rig::Rig(std::string_view config_text, const RigOptions& options)
    : options_(options), now_(options.start) {
  std::unique_ptr<config::Snapshot> snapshot;
  const absl::Status status = Compile(config_text, snapshot);
  if (!status.ok()) Fail(status.ToString());
  Start(std::move(snapshot));
}

Rig::Rig(std::unique_ptr<config::Snapshot> snapshot, const RigOptions& options)
    : options_(options), now_(options.start) {
  Start(std::move(snapshot));
}

void Rig::Start(std::unique_ptr<config::Snapshot> snapshot) {
  RememberNames(*snapshot);
  out_ = std::make_unique<pipeline::Output>();
  unit::UnitOptions options;
  options.workers = snapshot->steering->workers();
  options.flows_ipv4_per_worker = options_.flows_ipv4;
  options.flows_ipv6_per_worker = options_.flows_ipv6;
  options.persistence_records = options_.persistence_records;
  options.seed = options_.seed;
  options.start = options_.start;
  // Two rigs with different seeds differ in all that a peer could take one for the other by.
  Prng random(options_.seed ^ 0x6d6972726f72);
  options.mirror.emplace();
  options.mirror->mac = {2, 0, 0, 0, 2, snapshot->mirroring.unit_id};
  options.mirror->fingerprint.driver = "rig";
  options.mirror->fingerprint.workers = options.workers;
  options.mirror->fingerprint.rss_key_hash = options_.rss_key_hash;
  options.mirror->fingerprint.flows_ipv4_per_worker = options_.flows_ipv4;
  options.mirror->fingerprint.flows_ipv6_per_worker = options_.flows_ipv6;
  options.mirror->incarnation = random.Next() | 1;
  for (uint8_t& byte : options.mirror->nonce)
    byte = static_cast<uint8_t>(random.Next());
  options.mirror->first_session = static_cast<uint32_t>(random.Next()) | 1;
  options.mirror->rekey = {.frames = 1000, .age = 10 * kSecond};
  if (options_.first_session != 0) options.mirror->first_session = options_.first_session;
  if (options_.takeover) {
    options.takeover = unit::TakeoverOptions{.settings = *options_.takeover,
                                             .ballot = options_.ballot,
                                             .incarnation = options.mirror->incarnation,
                                             .witness = options_.witness,
                                             .witness_key = snapshot->mirroring.key};
    ha::Settings& settings = options.takeover->settings;
    settings.self = snapshot->mirroring.unit_id;
    for (const config::MirrorPeer& peer : snapshot->mirroring.peers)
      settings.peers.push_back(peer.unit_id);
    for (const config::TrafficGroup& group : snapshot->traffic_groups) {
      if (group.id == 0) continue;
      settings.groups.push_back(
          {.id = group.id,
           .name_hash = config::NameHash(config::ObjectKind::kTrafficGroup, group.name),
           .method = options_.takeover_method,
           .ha_order = {1, 2},
           .auto_failback = options_.takeover_method == ha::Method::kHaScore});
    }
  }
  options.health = options_.health;
  options.allocate = [this](size_t bytes, unsigned) {
    const size_t rounded = (bytes + 63) / 64 * 64;
    memory_.emplace_back(static_cast<std::byte*>(std::aligned_alloc(64, rounded)), &std::free);
    std::memset(memory_.back().get(), 0, rounded);
    return std::span(memory_.back().get(), bytes);
  };
  queues_.resize(options.workers);
  unit_ = std::make_unique<unit::Unit>(options, std::move(snapshot));
}

Rig::~Rig() {
  Stop();
}

void Rig::Stop() {
  for (auto& queue : queues_) {
    for (const net::Packet& packet : queue)
      buffers_.erase(packet.handle);
    queue.clear();
  }
  std::vector<void*> handles;
  unit_->Drain(handles);
  for (void* handle : handles)
    Check(buffers_.erase(handle) == 1, "Drain gave back a handle that nobody had given");
  Check(buffers_.empty(), "a frame was never given back");
  for (unsigned worker = 0; worker < unit_->workers(); ++worker) {
    const Levels levels(unit_->counters(worker));
    Check(levels.arrived == levels.ended, "not conserved after Drain");
  }
}

// ---- control ------------------------------------------------------------------------------------

MacAddress Rig::PortMac(size_t port) {
  return {2, 0, 0, 0, 1, static_cast<uint8_t>(port + 1)};
}

absl::Status Rig::Compile(std::string_view text, std::unique_ptr<config::Snapshot>& snapshot) {
  absl::StatusOr<control::Document> document = control::LoadConfigText(text, "config");
  if (!document.ok()) return document.status();
  std::vector<control::PortFacts> ports;
  for (const auto& port : document->config().port()) {
    ports.push_back({port.name(), PortMac(ports.size()), 0});
  }
  absl::StatusOr<control::Compiled> compiled =
      control::Compile({.config = document->config(),
                        .ids = ids_,
                        .ports = ports,
                        .make_routes = kLinear,
                        .previous = unit_ == nullptr ? nullptr : &unit_->snapshot(),
                        .members_up = &members_up_});
  if (!compiled.ok()) return compiled.status();
  snapshot = std::move(compiled->snapshot);
  if (unit_ == nullptr) snapshot->generation = options_.first_generation;
  ids_ = std::move(compiled->ids);
  return absl::OkStatus();
}

absl::Status Rig::Reload(std::string_view config_text) {
  std::unique_ptr<config::Snapshot> snapshot;
  const absl::Status status = Compile(config_text, snapshot);
  if (!status.ok()) return status;
  Publish(std::move(snapshot));
  DeleteFlows({.orphaned = true});
  DeleteRecords({.orphaned = true});
  const auto release = [](control::IdSpace& ids) {
    ids.Released({ids.retired().begin(), ids.retired().end()});
  };
  release(ids_.virtuals);
  release(ids_.members);
  return absl::OkStatus();
}

void Rig::Publish(std::unique_ptr<const config::Snapshot> snapshot) {
  RememberNames(*snapshot);
  unit_->Publish(std::move(snapshot));
}

void Rig::RememberNames(const config::Snapshot& snapshot) {
  for (const config::Virtual& virtual_server : snapshot.virtuals) {
    if (virtual_server.id != 0) virtual_names_[virtual_server.id] = virtual_server.name;
  }
  for (const config::Member& member : snapshot.members) {
    if (member.id == 0) continue;
    const config::Pool* pool = snapshot.FindPool(member.pool);
    member_names_[member.id] = (pool != nullptr ? pool->name + "/" : "") + member.name;
  }
}

std::string Rig::VirtualName(config::VirtualId id) const {
  const auto found = virtual_names_.find(id);
  return found == virtual_names_.end() ? "" : found->second;
}

std::string Rig::MemberName(config::MemberId id) const {
  const auto found = member_names_.find(id);
  return found == member_names_.end() ? "" : found->second;
}

uint16_t Rig::PortNamed(std::string_view name) const {
  const auto& ports = unit_->snapshot().ports;
  const auto found = std::find_if(ports.begin(), ports.end(),
                                  [name](const config::Port& port) { return port.name == name; });
  if (found == ports.end()) Fail("no port " + std::string(name));
  return static_cast<uint16_t>(found - ports.begin());
}

config::TrafficGroupId Rig::GroupNamed(std::string_view name) const {
  for (const config::TrafficGroup& group : unit_->snapshot().traffic_groups) {
    if (group.id != 0 && group.name == name) return group.id;
  }
  Fail("no traffic group " + std::string(name));
}

void Rig::SetRole(std::string_view group, config::Role role) {
  unit_->SetRole(GroupNamed(group), role);
  // Seen in one turn, taken over in the next one that leaves no packet in the queue.
  constexpr int kTurns = 2;
  for (int i = 0; i < kTurns; ++i) {
    for (unsigned worker = 0; worker < unit_->workers(); ++worker)
      GiveTurn(worker);
  }
}

void Rig::GiveTurn(unsigned worker) {
  if (give_turn_) {
    give_turn_(worker);
  } else {
    Turn(worker);
  }
}

void Rig::Announce(std::string_view group) {
  unit_->Announce(GroupNamed(group));
}

uint64_t Rig::RunQueries(std::vector<unit::FlowQuery>& queries) {
  for (unsigned worker = 0; worker < unit_->workers(); ++worker) {
    Check(unit_->Post(worker, queries[worker]), "a query was refused");
  }
  uint64_t matched = 0;
  for (unsigned worker = 0; worker < unit_->workers(); ++worker) {
    while (!queries[worker].done.load())
      GiveTurn(worker);
    matched += queries[worker].matched;
  }
  return matched;
}

std::vector<unit::FlowInfo> Rig::Flows(const unit::FlowFilter& filter) {
  std::vector<unit::FlowQuery> queries(unit_->workers());
  for (unit::FlowQuery& query : queries) {
    query.action = unit::FlowQuery::Action::kShow;
    query.filter = filter;
    query.results.reserve(size_t{options_.flows_ipv4} + options_.flows_ipv6);
  }
  RunQueries(queries);
  std::vector<unit::FlowInfo> flows;
  for (const unit::FlowQuery& query : queries)
    flows.insert(flows.end(), query.results.begin(), query.results.end());
  return flows;
}

uint64_t Rig::DeleteFlows(const unit::FlowFilter& filter) {
  std::vector<unit::FlowQuery> queries(unit_->workers());
  for (unit::FlowQuery& query : queries) {
    query.action = unit::FlowQuery::Action::kDelete;
    query.filter = filter;
  }
  return RunQueries(queries);
}

std::vector<unit::RecordInfo> Rig::Records(const unit::RecordFilter& filter) {
  std::vector<unit::RecordInfo> records;
  unit::RecordQuery query;
  query.filter = filter;
  do {
    unit_->Run(query, now_);
    records.insert(records.end(), query.results.begin(), query.results.end());
  } while (query.next != 0);
  return records;
}

uint64_t Rig::DeleteRecords(const unit::RecordFilter& filter) {
  unit::RecordQuery query;
  query.action = unit::RecordQuery::Action::kDelete;
  query.filter = filter;
  do {
    unit_->Run(query, now_);
  } while (query.next != 0);
  return query.matched;
}

// ---- traffic ------------------------------------------------------------------------------------

void Rig::Inject(uint16_t port, unsigned worker, const Bytes& frame, const Arrival& arrival) {
  auto buffer = std::make_unique<Buffer>();
  const size_t contiguous = std::min(arrival.contiguous, frame.size());
  const auto split = frame.begin() + static_cast<ptrdiff_t>(contiguous);
  buffer->memory.reserve(arrival.headroom + contiguous);  // not a byte more
  buffer->memory.assign(arrival.headroom, 0xee);
  buffer->memory.insert(buffer->memory.end(), frame.begin(), split);
  buffer->tail.assign(split, frame.end());
  buffer->is_right = frame.size() >= 14 && Complaint(frame).empty();
  net::Packet packet;
  packet.data = buffer->memory.data() + arrival.headroom;
  packet.handle = buffer.get();
  packet.length = static_cast<uint32_t>(frame.size());
  packet.contiguous = static_cast<uint32_t>(contiguous);
  packet.headroom = arrival.headroom;
  packet.port = port;
  packet.flags = arrival.flags;
  queues_[worker].push_back(packet);
  buffers_.emplace(packet.handle, std::move(buffer));
}

Sent Rig::Collect(unsigned worker, const net::Packet& packet) {
  const auto found = buffers_.find(packet.handle);
  Check(found != buffers_.end() && !found->second->is_queued,
        "transmitted a handle that it did not have");
  const Buffer& buffer = *found->second;
  Check(packet.data >= buffer.memory.data() &&
            packet.data + packet.contiguous == buffer.memory.data() + buffer.memory.size() &&
            packet.headroom == packet.data - buffer.memory.data(),
        "a transmitted packet does not lie in its buffer");
  Sent sent{worker, packet.port, (packet.flags & net::kOriginated) != 0, now_, {}};
  sent.bytes.assign(packet.data, packet.data + packet.contiguous);
  sent.bytes.insert(sent.bytes.end(), buffer.tail.begin(), buffer.tail.end());
  Check(sent.bytes.size() == packet.length, "a transmitted packet has another length");
  if (buffer.is_right) {
    const std::string complaint = Complaint(sent.bytes);
    if (!complaint.empty()) Fail("spoiled a right frame: " + complaint + " " + Hex(sent.bytes));
  }
  buffers_.erase(found);
  return sent;
}

// The part of io: true when the packet's port takes nothing.
bool Rig::IsUnsent(unsigned worker, const net::Packet& packet) {
  const auto found = unsent_.find(packet.port);
  if (found == unsent_.end() || found->second == DropReason::kNone) return false;
  unit_->CountUnsent(worker, {&packet, 1}, found->second);
  return true;
}

std::vector<Sent> Rig::CollectAll(unsigned worker) {
  std::vector<Sent> sent;
  for (const net::Packet& packet : out_->transmit()) {
    Sent one = Collect(worker, packet);
    if (!IsUnsent(worker, packet)) sent.push_back(std::move(one));
  }
  for (const pipeline::OriginatedFrame& frame : out_->originated()) {
    const Bytes bytes(frame.bytes.data(), frame.bytes.data() + frame.length);
    Check(bytes.size() >= kFrameMin, "originated a frame below the minimum");
    const std::string complaint = Complaint(bytes);
    if (!complaint.empty()) Fail("originated a wrong frame: " + complaint + " " + Hex(bytes));
    net::Packet packet;
    packet.port = frame.port;
    packet.flags = net::kOriginated;
    if (!IsUnsent(worker, packet)) sent.push_back({worker, frame.port, true, now_, bytes});
  }
  return sent;
}

std::vector<Sent> Rig::Turn(unsigned worker) {
  std::array<net::Packet, kBurstMax> burst;
  size_t count = 0;
  auto& queue = queues_[worker];
  while (count < burst.size() && !queue.empty()) {
    buffers_.at(queue.front().handle)->is_queued = false;
    burst[count++] = queue.front();
    queue.pop_front();
  }
  const Levels before(unit_->counters(worker));
  out_->Clear();
  if (options_.around_turn != nullptr) options_.around_turn(true);
  unit_->Turn(worker, {burst.data(), count}, now_, *out_, !queue.empty());
  if (options_.around_turn != nullptr) options_.around_turn(false);
  std::vector<Sent> sent = CollectAll(worker);
  const Levels after(unit_->counters(worker));
  for (void* handle : out_->release()) {
    const auto found = buffers_.find(handle);
    Check(found != buffers_.end() && !found->second->is_queued,
          "released a handle that it did not have");
    buffers_.erase(found);
  }
  const auto originated = static_cast<uint64_t>(
      std::count_if(sent.begin(), sent.end(), [](const Sent& one) { return one.originated; }));
  Check(after.originated - before.originated == originated, "`originated` is not what left");
  Check(after.forwarded - before.forwarded == sent.size() - originated,
        "`forwarded` is not what left");
  Check(after.arrived == after.ended, "packets are not conserved");
  CheckHandles();
  for (const Sent& one : sent) {
    Check(one.port < unit_->snapshot().ports.size(), "sent to a port that does not exist");
    if (listener_) listener_(one);
  }
  return sent;
}

// What has come and not gone is held, in a ring, or not taken in yet.
void Rig::CheckHandles() const {
  uint64_t inside = 0;
  for (unsigned worker = 0; worker < unit_->workers(); ++worker) {
    const pipeline::WorkerCounters& counters = unit_->counters(worker);
    inside += counters.held.Get() + counters.handed_off.Get() - counters.handed_in.Get();
    inside += queues_[worker].size();
  }
  Check(inside == buffers_.size(), "a frame is neither inside nor given back");
}

bool Rig::IsQuiet() const {
  for (unsigned worker = 0; worker < queues_.size(); ++worker) {
    const auto stalled = stalled_.find(worker);
    const bool stands_still = stalled != stalled_.end() && stalled->second;
    if (!stands_still && !queues_[worker].empty()) return false;
  }
  return Total(&pipeline::WorkerCounters::handed_off) ==
         Total(&pipeline::WorkerCounters::handed_in);
}

std::vector<Sent> Rig::TurnAll() {
  std::vector<Sent> sent;
  for (unsigned worker = 0; worker < unit_->workers(); ++worker) {
    if (stalled_[worker]) continue;
    for (Sent& one : Turn(worker))
      sent.push_back(std::move(one));
  }
  return sent;
}

std::vector<Sent> Rig::Run() {
  std::vector<Sent> sent;
  // News of a neighbour takes a round to reach worker 0 and one to reach who waits for it; both look
  // once a tick.
  constexpr int kQuietRounds = 3;
  for (int quiet = 0; quiet < kQuietRounds; quiet = IsQuiet() ? quiet + 1 : 0) {
    std::vector<Sent> round = TurnAll();
    if (!round.empty()) quiet = 0;
    std::move(round.begin(), round.end(), std::back_inserter(sent));
    now_ += NanosIn(1);
  }
  return sent;
}

std::vector<Sent> Rig::Advance(Nanos span, Nanos step) {
  std::vector<Sent> sent;
  const Nanos end = now_ + span;
  while (now_ < end) {
    now_ = std::min(end, now_ + step);
    do {
      std::vector<Sent> round = TurnAll();
      std::move(round.begin(), round.end(), std::back_inserter(sent));
    } while (!IsQuiet());
  }
  return sent;
}

// ---- counters -----------------------------------------------------------------------------------

uint64_t Rig::Total(Counter pipeline::WorkerCounters::*counter) const {
  uint64_t total = 0;
  for (unsigned worker = 0; worker < unit_->workers(); ++worker)
    total += (unit_->counters(worker).*counter).Get();
  return total;
}

uint64_t Rig::Dropped(DropReason reason) const {
  uint64_t total = 0;
  for (unsigned worker = 0; worker < unit_->workers(); ++worker)
    total += unit_->counters(worker).drops[static_cast<size_t>(reason)].Get();
  return total;
}

uint64_t Rig::Ended(pipeline::EndReason reason) const {
  uint64_t total = 0;
  for (unsigned worker = 0; worker < unit_->workers(); ++worker)
    total += unit_->counters(worker).ends[static_cast<size_t>(reason)].Get();
  return total;
}

bool Rig::IsEmpty() const {
  uint64_t level = Total(&pipeline::WorkerCounters::held) +
                   Total(&pipeline::WorkerCounters::flows_ipv4) +
                   Total(&pipeline::WorkerCounters::flows_ipv6);
  for (const auto& [id, name] : virtual_names_)
    level += unit_->live_counts().OfVirtual(id);
  for (const auto& [id, name] : member_names_)
    level += unit_->live_counts().OfMember(id);
  return level == 0;
}

}  // namespace tandem::test
