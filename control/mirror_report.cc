// SPDX-License-Identifier: Apache-2.0
#include "control/mirror_report.h"

#include <string>
#include <utility>

#include "control/admin_words.h"
#include "dataplane/unit/mirroring.h"

namespace tandem::control {
namespace {

namespace v1 = admin::v1;
using mirror::EndpointStatus;
using mirror::PeerState;
using mirror::SyncState;

std::string_view PeerWord(PeerState state) {
  switch (state) {
    case PeerState::kDown:
      return "down";
    case PeerState::kHello:
      return "hello";
    case PeerState::kUp:
      return "up";
  }
  return "";
}

Nanos AgeOf(Nanos now, Nanos when) {
  return now > when ? now - when : 0;
}

void FillSender(Nanos now, const mirror::SenderCounters& from, v1::MirrorResult::Stream& out) {
  out.set_session(static_cast<uint32_t>(from.session.Get()));
  out.set_lag_us(from.lag_ns.Get() / (kMillisecond / 1000));
  out.set_lag_slots(from.dirty.Get());
  out.set_frames_in_flight(from.in_flight.Get());
  out.set_bulk_done(from.bulk_done.Get());
  out.set_bulk_total(from.bulk_total.Get());
  const Nanos audited = from.last_audit_pass.Get();
  out.set_audited(audited != 0);
  if (audited != 0) out.set_last_audit_seconds(AgeOf(now, audited) / kSecond);
}

void FillReceiver(const mirror::ReceiverCounters& from, v1::MirrorResult::Stream& out) {
  out.set_session(static_cast<uint32_t>(from.session.Get()));
  out.set_flows(from.flows.Get());
  out.set_unbound(from.unbound.Get());
}

void FillTotals(const StreamTotals& from, v1::MirrorResult::Stream& out) {
  out.set_frames(from.frames);
  out.set_bytes(from.bytes);
  out.set_creates(from.creates);
  out.set_updates(from.updates);
  out.set_closes(from.closes);
  out.set_touches(from.touches);
  out.set_retransmissions(from.lost_frames);
  out.set_audits(from.audits);
  out.set_audit_mismatches(from.audit_mismatches);
  out.set_not_applied(from.not_applied);
  out.set_malformed(from.malformed);
}

// A stream's own state; but its group is what counts when that is down or held.
SyncState StateOf(uint64_t session, uint64_t state, const EndpointStatus::Group& group) {
  if (session == 0 || group.state == SyncState::kDown) return SyncState::kDown;
  const SyncState own = mirror::SyncStateOf(static_cast<mirror::StreamState>(state));
  return own == SyncState::kInSync && group.state == SyncState::kHeld ? group.state : own;
}

std::string_view ReasonOf(SyncState state, const EndpointStatus::Group& group) {
  if (state == SyncState::kInSync) return "";
  if (state == group.state) return group.reason;
  return mirror::ReasonOf(state);
}

}  // namespace

std::string MirrorReport::NameOfPeer(const MirrorStatus& status, size_t peer) const {
  const std::string& name = status.of(peer).peer_device;
  return !name.empty() ? name : unit_.snapshot().mirroring.peers[peer].address.ToString();
}

MirrorReport::Streams MirrorReport::Now() const {
  Streams streams;
  const unit::Mirroring* mirroring = unit_.mirroring();
  if (mirroring == nullptr) return streams;
  for (const config::TrafficGroup& group : unit_.snapshot().traffic_groups) {
    if (group.id == 0) continue;
    const config::Role role = unit_.roles().Of(group.id);
    for (unsigned worker = 0; worker < unit_.workers(); ++worker) {
      const mirror::WorkerMirror& its = mirroring->worker(worker);
      const mirror::FlowSender* sender = its.FindSender(group.id);
      const mirror::FlowReceiver* receiver = its.FindReceiver(group.id);
      if (role == config::Role::kActive && sender != nullptr) {
        streams[{group.id, worker, role}] = TotalsOf(sender->counters());
      } else if (role == config::Role::kStandby && receiver != nullptr) {
        streams[{group.id, worker, role}] = TotalsOf(receiver->counters());
      }
    }
  }
  return streams;
}

void MirrorReport::Sample(Nanos now) {
  if (unit_.mirroring() == nullptr || now < newer_.when + kSecond) return;
  older_ = std::move(newer_);
  newer_ = {now, Now()};
}

void MirrorReport::Reset() {
  before_ = Now();
  if (unit_.mirroring() != nullptr) counters_before_ = CopyCounters(*unit_.mirroring());
}

void MirrorReport::FillStream(Nanos now, const Name& name, const StreamTotals& totals,
                              const MirrorStatus& status, v1::MirrorResult::Stream& out) const {
  const EndpointStatus::Group group = status.GroupOf(name.group);
  out.set_traffic_group(unit_.snapshot().traffic_groups[name.group].name);
  out.set_worker(name.worker);
  out.set_role(std::string(WordOf(name.role)));
  if (status.of(status.PeerOf(name.group)).peer == PeerState::kUp) {
    out.set_peer_role(std::string(WordOf(group.peer_role)));
    out.set_epoch(group.epoch);
  }
  const mirror::WorkerMirror& worker = unit_.mirroring()->worker(name.worker);
  uint64_t own = 0;
  if (name.role == config::Role::kActive) {
    const mirror::SenderCounters& counters = worker.FindSender(name.group)->counters();
    FillSender(now, counters, out);
    own = counters.state.Get();
  } else {
    const mirror::ReceiverCounters& counters = worker.FindReceiver(name.group)->counters();
    FillReceiver(counters, out);
    own = counters.writer_state.Get();
  }
  const SyncState state = StateOf(out.session(), own, group);
  out.set_state(std::string(WordOf(state)));
  out.set_reason(std::string(ReasonOf(state, group)));
  const auto reset = before_.find(name);
  FillTotals(reset == before_.end() ? totals : totals.Since(reset->second), out);
  const auto sampled = older_.streams.find(name);
  if (sampled == older_.streams.end() || now <= older_.when) return;
  const StreamTotals since = totals.Since(sampled->second);
  const double seconds = static_cast<double>(now - older_.when) / static_cast<double>(kSecond);
  out.set_deltas_per_second(static_cast<double>(since.deltas()) / seconds);
  out.set_bytes_per_second(static_cast<double>(since.bytes) / seconds);
}

void MirrorReport::FillPeer(Nanos now, const MirrorStatus& all, size_t peer,
                            v1::MirrorResult::Peer& out) const {
  const EndpointStatus& status = all.of(peer);
  const config::MirrorPeer& configured = unit_.snapshot().mirroring.peers[peer];
  out.set_state(std::string(PeerWord(status.peer)));
  out.set_address(configured.address.ToString());
  out.set_unit_id(configured.unit_id);
  out.set_device(status.peer_device);
  out.set_incarnation(status.peer_incarnation);
  if (status.peer == PeerState::kUp) out.set_up_seconds(AgeOf(now, status.up_since) / kSecond);
  if (status.last_heard != 0) {
    out.set_heard(true);
    out.set_last_heard_ms(AgeOf(now, status.last_heard) / kMillisecond);
  }
  out.set_mtu(status.mtu);
  out.set_key_pending(status.key_pending);
  out.set_config_equal(status.config_equal);
  out.set_dictionary_current(status.dictionary_current);
  out.set_incompatible(status.incompatible);
}

void MirrorReport::Fill(Nanos now, v1::MirrorResult& result) const {
  const unit::Mirroring* mirroring = unit_.mirroring();
  result.set_configured(mirroring != nullptr);
  if (mirroring == nullptr) return;
  result.set_authenticated(unit_.snapshot().mirroring.authenticated);
  const MirrorStatus status(unit_);
  for (size_t peer = 0; peer < status.peers(); ++peer)
    FillPeer(now, status, peer, *result.add_peer());
  for (const config::TrafficGroup& configured : unit_.snapshot().traffic_groups) {
    if (configured.id == 0) continue;
    v1::TrafficGroupResult::TrafficGroup same;
    Fill(configured.id, same);
    const EndpointStatus::Group group = status.GroupOf(configured.id);
    v1::MirrorResult::Group& out = *result.add_group();
    out.set_traffic_group(configured.name);
    out.set_role(std::string(WordOf(unit_.roles().Of(configured.id))));
    out.set_peer_role(same.peer_role());
    out.set_epoch(group.epoch);
    out.set_session(group.session);
    out.set_state(same.mirror());
    out.set_peer_state(same.peer_mirror());
    out.set_reason(same.reason());
    if (!group.is_elsewhere) out.set_peer(NameOfPeer(status, status.PeerOf(configured.id)));
  }
  for (const auto& [name, totals] : Now()) {
    FillStream(now, name, totals, status, *result.add_stream());
  }
  const CounterCopies counters = Since(CopyCounters(*mirroring), counters_before_);
  for (config::PeerIndex peer = 0; peer < status.peers(); ++peer) {
    const bool is_up = status.of(peer).peer == PeerState::kUp;
    FillRecordStreams(counters, *mirroring, {peer, NameOfPeer(status, peer), is_up}, result);
  }
  FillCounters(counters, *mirroring, result);
}

void MirrorReport::Fill(config::TrafficGroupId id,
                        v1::TrafficGroupResult::TrafficGroup& out) const {
  if (unit_.mirroring() == nullptr) return;
  const MirrorStatus status(unit_);
  const EndpointStatus::Group group = status.GroupOf(id);
  out.set_mirror(std::string(WordOf(group.state)));
  out.set_reason(group.reason);
  if (status.of(status.PeerOf(id)).peer != PeerState::kUp || !group.peer_known) return;
  out.set_peer_role(std::string(WordOf(group.peer_role)));
  out.set_peer_mirror(std::string(WordOf(group.peer_state)));
}

}  // namespace tandem::control
