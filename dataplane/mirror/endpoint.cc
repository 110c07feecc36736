// SPDX-License-Identifier: Apache-2.0
#include "dataplane/mirror/endpoint.h"

#include <rte_pause.h>

#include <algorithm>
#include <utility>

#include "dataplane/mirror/endpoint_impl.h"

namespace tandem::mirror {
namespace {

// Long lists are told by their beginning and a hash.
std::string Shortened(const std::string& text) {
  constexpr size_t kKept = 100;
  if (text.size() <= kDriverTextMax) return text;
  return text.substr(0, kKept) + "~" +
         std::to_string(config::NameHash(config::ObjectKind::kInterface, text));
}

EndpointOptions Checked(EndpointOptions options) {
  options.fingerprint.driver = Shortened(options.fingerprint.driver);
  return options;
}

}  // namespace

Endpoint::Impl::Impl(EndpointOptions given, Link& link_in, const config::Roles& roles_in,
                     EndpointPorts ports_in)
    : options(Checked(std::move(given))),
      roles(roles_in),
      ports(std::move(ports_in)),
      link(link_in),
      association(options, counters),
      sessions(options, association.keys(), ports.to_worker.size()),
      path(options.mirroring.mtu) {
  status = std::make_shared<const EndpointStatus>();
}

// ---- configuration and roles --------------------------------------------------------------------

void Endpoint::Impl::TakeSnapshot() {
  if (generation == snapshot->generation) return;
  generation = snapshot->generation;
  pages.Set(snapshot->dictionary, static_cast<uint32_t>(snapshot->generation));
  Translate();
  association.HelloSoon();
  evaluate = judge = true;
  if (snapshot->mirroring.enabled) association.WantKey(snapshot->mirroring.key);
}

void Endpoint::Impl::FollowKeys() {
  if (association.keys().changes() == keys_seen) return;
  keys_seen = association.keys().changes();
  sessions.FollowKeys();
  status_changed = true;
}

void Endpoint::Impl::TakeRoles() {
  const uint32_t changes = roles.changes();
  if (!roles_taken || changes != roles_seen) {
    roles_taken = true;
    roles_seen = changes;
    for (size_t number = 0; number < parts.size(); ++number) {
      const auto group = static_cast<config::TrafficGroupId>(number);
      parts[number] = {roles.Of(group), roles.MirrorTo(group) != options.peer};
    }
    waits_for_workers = true;
  }
  if (waits_for_workers && (!ports.are_roles_taken || ports.are_roles_taken())) {
    waits_for_workers = false;
    evaluate = true;
  }
}

void Endpoint::Impl::Evaluate() {
  if (!evaluate || waits_for_workers) return;
  evaluate = false;
  status_changed = judge = true;
  const Fingerprint& peers = association.peer().fingerprint;
  if (sessions.Evaluate({.snapshot = snapshot,
                         .parts = &parts,
                         .is_established = association.is_established(),
                         .shares_streams = association.shares_streams(),
                         .shares_flows = association.incompatible().empty(),
                         .holds_peers = options.fingerprint.HoldsFlowsOf(peers),
                         .peer_holds = peers.HoldsFlowsOf(options.fingerprint),
                         .body_max = body_max()})) {
    association.HelloSoon();
  }
}

void Endpoint::Impl::Translate() {
  if (fetch.dictionary() == nullptr) return;
  ports.publish_translation(MakeTranslation(fetch.dictionary(), association.peer().incarnation,
                                            fetch.version(), *snapshot));
  status_changed = true;
}

uint16_t Endpoint::Impl::mtu() const {
  const uint16_t peers = association.peer().mtu;
  const uint16_t ours = path.mtu();
  return association.is_established() && peers != 0
             ? std::min(ours, std::max(peers, PathMtu::kFloor))
             : ours;
}

uint16_t Endpoint::Impl::body_max() const {
  return static_cast<uint16_t>(mtu() - link.ip_overhead() - kHeaderSize - kTagSize);
}

// Records are told in vain while this device lacks what they name. What was missed since the last look
// may have been missed under the configuration of then.
void Endpoint::Impl::LookForMissedRecords() {
  const uint64_t missed = ports.records_missed ? ports.records_missed() : 0;
  if (missed != records_missed) missed_generation = looked_generation;
  records_missed = missed;
  looked_generation = snapshot->generation;
  if (!missed_generation || *missed_generation == snapshot->generation) return;
  missed_generation.reset();
  sessions.RenewRecords();
  evaluate = true;
}

void Endpoint::Impl::Sometimes(Nanos now) {
  if (sometimes_at != 0 && now - sometimes_at < kSometimes) return;
  sometimes_at = now;
  LookForMissedRecords();
  for (const config::TrafficGroup& configured : snapshot->traffic_groups) {
    if (configured.id == 0) continue;
    Group& group = sessions.group(configured.id);
    NoteSilence(group.writer, now);
    NoteSilence(group.reader, now);
  }
  const PeerState state = association.state(now);
  if (state != shown) association.HelloSoon();
  status_changed |= state != shown || now - published_at > kSecond;
}

// Both ends of a stream say something every second.
void Endpoint::Impl::NoteSilence(StreamEnd& end, Nanos now) {
  uint64_t silent = 0;
  const bool speaks = association.state(now) == PeerState::kUp;
  for (size_t worker = 0; end.is_open && worker < end.workers.size(); ++worker) {
    Nanos& heard_at = end.workers[worker].heard_at;
    if (heard_at == 0 || !speaks) heard_at = now;
    if (now - heard_at > kStreamSilence) silent |= uint64_t{1} << worker;
  }
  judge |= end.silent_workers != silent;
  end.silent_workers = silent;
}

// ---- a turn -------------------------------------------------------------------------------------

void Endpoint::Impl::BeginTurn(const config::Snapshot& current, Nanos now) {
  snapshot = &current;
  TakeSnapshot();
  busy = false;
  answers = 0;
  association.BeginTurn(now);
}

void Endpoint::Impl::Receive(const Link::Datagram& datagram, Nanos now, FrameSink& sink) {
  FrameHeader header;
  const size_t size = datagram.payload.size();
  if (size < kHeaderSize + kTagSize || size > kHeaderSize + kBodyMax + kTagSize ||
      !ReadHeader(datagram.payload, header)) {
    counters.header_bad.Add(1);
  } else if (header.type == FrameType::kControl) {
    OnControl(header, datagram.payload, {.ip_length = datagram.ip_length}, now, sink);
  } else {
    OnStream(header, datagram, now);
  }
}

bool Endpoint::Impl::EndTurn(Nanos now, FrameSink& sink) {
  TakeRoles();
  Sometimes(now);
  FollowKeys();
  Evaluate();
  JudgeAll(now);
  sessions.Tell(ports.to_worker);
  SendDue(now, sink);
  if (status_changed) Publish(now);
  return busy;
}

Endpoint::Endpoint(const EndpointOptions& options, Link& link, const config::Roles& roles,
                   EndpointPorts ports)
    : impl_(std::make_unique<Impl>(options, link, roles, std::move(ports))) {}

Endpoint::~Endpoint() = default;

void Endpoint::BeginTurn(const config::Snapshot& snapshot, Nanos now) {
  impl_->BeginTurn(snapshot, now);
}

void Endpoint::Receive(const Link::Datagram& datagram, Nanos now, FrameSink& sink) {
  impl_->Receive(datagram, now, sink);
}

void Endpoint::ReceiveBeside(unsigned path, std::span<const uint8_t> frame, Nanos now,
                             FrameSink& sink) {
  impl_->ReceiveBeside(path, frame, now, sink);
}

bool Endpoint::SendFrame(size_t worker, FrameSlot& slot, Nanos now, FrameSink& sink) {
  return impl_->SendFrame(worker, slot, now, sink);
}

bool Endpoint::EndTurn(Nanos now, FrameSink& sink) {
  return impl_->EndTurn(now, sink);
}

void Endpoint::PathChanged(Nanos now) {
  impl_->path.Restart(now);
}

void Endpoint::SendHeartbeat(std::string_view bytes, Nanos now, FrameSink& sink) {
  impl_->SendHeartbeat(bytes, now, sink);
}

void Endpoint::SetDuty(config::TrafficGroupId group, uint32_t epoch) {
  const Duty duty{true, epoch};
  if (impl_->sessions.group(group).duty == duty) return;
  impl_->sessions.SetDuty(group, epoch);
  impl_->evaluate = true;
}

uint32_t Endpoint::epoch_read(config::TrafficGroupId group, uint32_t session) const noexcept {
  const StreamEnd& reader = impl_->sessions.group(group).reader;
  return reader.is_open && reader.terms.session == session ? reader.terms.epoch : 0;
}

std::shared_ptr<const EndpointStatus> Endpoint::status() const {
  std::shared_ptr<const EndpointStatus> copy;
  while (!impl_->at_status.Try([&] { copy = impl_->status; })) {
    rte_pause();  // the mirror lcore changes a pointer
  }
  return copy;
}

SyncClaim Endpoint::claim(config::TrafficGroupId group) const noexcept {
  return impl_->claims[group].Get();
}

SyncState Endpoint::seen(config::TrafficGroupId group) const {
  return impl_->Seen(group).state;
}

const EndpointCounters& Endpoint::counters() const {
  return impl_->counters;
}

ConfigExchange& Endpoint::config_exchange() const {
  return impl_->exchange;
}

}  // namespace tandem::mirror
