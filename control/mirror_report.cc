// SPDX-License-Identifier: Apache-2.0
#include "control/mirror_report.h"

#include <algorithm>

#include "control/admin_words.h"
#include "control/text.h"
#include "dataplane/mirror/flow_receiver.h"
#include "dataplane/mirror/flow_sender.h"
#include "dataplane/unit/mirroring.h"

namespace tandem::control {
namespace {

namespace v1 = admin::v1;
using mirror::EndpointStatus;
using mirror::PeerState;
using mirror::StreamState;

const EndpointStatus::Group* FindGroup(const EndpointStatus& status, config::TrafficGroupId id) {
  const auto found = std::ranges::find(status.groups, id, &EndpointStatus::Group::id);
  return found == status.groups.end() ? nullptr : &*found;
}

StreamTotals TotalsOf(const mirror::SenderCounters& from) {
  return {.frames = from.frames.Get(),
          .bytes = from.bytes.Get(),
          .creates = from.creates.Get(),
          .updates = from.updates.Get(),
          .closes = from.closes.Get(),
          .touches = from.touches.Get(),
          .lost_frames = from.lost_frames.Get(),
          .audits = from.audits.Get(),
          .audit_mismatches = from.audit_mismatches.Get()};
}

StreamTotals TotalsOf(const mirror::ReceiverCounters& from) {
  StreamTotals to{
      .frames = from.frames.Get(),
      .creates = from.creates.Get(),
      .updates = from.updates.Get(),
      .closes = from.closes.Get(),
      .touches = from.touches.Get(),
      .audits = from.audits_equal.Get() + from.audit_mismatches.Get(),
      .audit_mismatches = from.audit_mismatches.Get(),
      .not_applied = from.early_updates.Get() + from.no_room.Get() + from.not_translatable.Get()};
  for (const Counter& error : from.malformed) {
    to.malformed += error.Get();
  }
  return to;
}

std::string_view WordOf(PeerState state) {
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

std::string_view WordOfState(uint64_t session, uint64_t state) {
  if (session == 0) return "down";
  switch (static_cast<StreamState>(state)) {
    case StreamState::kSyncing:
      return "syncing";
    case StreamState::kAuditing:
      return "auditing";
    case StreamState::kInSync:
      return "in-sync";
    case StreamState::kLagging:
      return "lagging";
  }
  return "down";
}

std::string ReasonOf(const EndpointStatus& status, const EndpointStatus::Group* group,
                     std::string_view state) {
  if (state == "in-sync") return "";
  if (group != nullptr && *group->reason != '\0') return group->reason;
  if (status.peer != PeerState::kUp) return "peer is down";
  if (!status.incompatible.empty()) return "platforms differ";
  if (state == "syncing") return "first pass over all connections";
  if (state == "auditing") return "comparing both devices' connections";
  if (state == "lagging") return "the oldest change waits too long";
  if (state == "held") return "the configurations of the two devices differ";
  return "no session yet";
}

Nanos AgeOf(Nanos now, Nanos when) {
  return now > when ? now - when : 0;
}

void FillSender(Nanos now, const mirror::SenderCounters& from, v1::MirrorResult::Stream& out) {
  out.set_session(static_cast<uint32_t>(from.session.Get()));
  out.set_state(std::string(WordOfState(from.session.Get(), from.state.Get())));
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
  out.set_state(std::string(WordOfState(from.session.Get(), from.writer_state.Get())));
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

}  // namespace

StreamTotals StreamTotals::Since(const StreamTotals& before) const {
  return {frames - before.frames,
          bytes - before.bytes,
          creates - before.creates,
          updates - before.updates,
          closes - before.closes,
          touches - before.touches,
          lost_frames - before.lost_frames,
          audits - before.audits,
          audit_mismatches - before.audit_mismatches,
          not_applied - before.not_applied,
          malformed - before.malformed};
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
}

void MirrorReport::FillStream(Nanos now, const Name& name, const StreamTotals& totals,
                              const EndpointStatus& status, v1::MirrorResult::Stream& out) const {
  const EndpointStatus::Group* group = FindGroup(status, name.group);
  out.set_traffic_group(unit_.snapshot().traffic_groups[name.group].name);
  out.set_worker(name.worker);
  out.set_role(std::string(WordOf(name.role)));
  if (group != nullptr && status.peer == PeerState::kUp) {
    out.set_peer_role(std::string(WordOf(group->peer_role)));
    out.set_epoch(group->epoch);
    out.set_peer_in_sync(group->in_sync);
  }
  const mirror::WorkerMirror& worker = unit_.mirroring()->worker(name.worker);
  if (name.role == config::Role::kActive) {
    FillSender(now, worker.FindSender(name.group)->counters(), out);
  } else {
    FillReceiver(worker.FindReceiver(name.group)->counters(), out);
  }
  // What the streams knew last is no news while the peer is silent.
  if (status.peer != PeerState::kUp) {
    out.set_state("down");
  } else if (!status.config_equal && out.state() == "in-sync") {
    out.set_state("held");
  }
  out.set_reason(ReasonOf(status, group, out.state()));
  const auto reset = before_.find(name);
  FillTotals(reset == before_.end() ? totals : totals.Since(reset->second), out);
  const auto sampled = older_.streams.find(name);
  if (sampled == older_.streams.end() || now <= older_.when) return;
  const StreamTotals since = totals.Since(sampled->second);
  const double seconds = static_cast<double>(now - older_.when) / static_cast<double>(kSecond);
  out.set_deltas_per_second(static_cast<double>(since.deltas()) / seconds);
  out.set_bytes_per_second(static_cast<double>(since.bytes) / seconds);
}

void MirrorReport::Fill(Nanos now, v1::MirrorResult& result) const {
  const config::Mirroring& configured = unit_.snapshot().mirroring;
  result.set_configured(unit_.mirroring() != nullptr);
  if (!result.configured()) return;
  const std::shared_ptr<const EndpointStatus> current = unit_.mirror_status();
  const EndpointStatus status = current != nullptr ? *current : EndpointStatus();
  result.set_peer(std::string(WordOf(status.peer)));
  result.set_peer_address(configured.peer.ToString());
  result.set_peer_device(status.peer_device);
  result.set_peer_incarnation(status.peer_incarnation);
  if (status.peer == PeerState::kUp) result.set_up_seconds(AgeOf(now, status.up_since) / kSecond);
  if (status.last_heard != 0) {
    result.set_heard(true);
    result.set_last_heard_ms(AgeOf(now, status.last_heard) / kMillisecond);
  }
  result.set_mtu(status.mtu);
  result.set_authenticated(configured.authenticated);
  result.set_key_pending(status.key_pending);
  result.set_config_equal(status.config_equal);
  result.set_dictionary_current(status.dictionary_current);
  result.set_incompatible(status.incompatible);
  for (const auto& [name, totals] : Now()) {
    FillStream(now, name, totals, status, *result.add_stream());
  }
}

std::string MirrorReport::StateOf(config::TrafficGroupId group) const {
  if (unit_.mirroring() == nullptr) return "";
  const std::shared_ptr<const EndpointStatus> status = unit_.mirror_status();
  const EndpointStatus::Group* found = status == nullptr ? nullptr : FindGroup(*status, group);
  if (found != nullptr && status->peer == PeerState::kUp && found->in_sync) return "in-sync";
  return ReasonOf(status == nullptr ? EndpointStatus() : *status, found, "");
}

std::vector<std::string> MirrorChanges(const EndpointStatus& before, const EndpointStatus& after,
                                       const config::Snapshot& snapshot) {
  std::vector<std::string> lines;
  const bool was_up = before.peer == PeerState::kUp;
  const bool is_up = after.peer == PeerState::kUp;
  const bool restarted = was_up && is_up && before.peer_incarnation != after.peer_incarnation;
  if (is_up && (!was_up || restarted)) {
    lines.push_back(Cat("mirror: peer '", after.peer_device, "' is up", restarted ? " again" : "",
                        ", MTU ", after.mtu));
  } else if (was_up && !is_up) {
    lines.push_back(Cat("mirror: peer '", before.peer_device, "' is down"));
  }
  if (!after.incompatible.empty() && after.incompatible != before.incompatible) {
    lines.push_back(
        Cat("mirror: connections are not mirrored, the platforms differ: ", after.incompatible));
  } else if (after.incompatible.empty() && !before.incompatible.empty() && is_up) {
    lines.emplace_back("mirror: the platforms are alike now");
  }
  if (after.key_pending != before.key_pending) {
    lines.emplace_back(after.key_pending
                           ? "mirror: the new key waits for the peer; the one before is in use"
                           : "mirror: the new key is in use");
  }
  for (const EndpointStatus::Group& group : after.groups) {
    const EndpointStatus::Group* known = FindGroup(before, group.id);
    const bool was = was_up && known != nullptr && known->in_sync;
    const bool is = is_up && group.in_sync;
    if (was == is || group.id >= snapshot.traffic_groups.size()) continue;
    const std::string& name = snapshot.traffic_groups[group.id].name;
    lines.push_back(is ? Cat("mirror: traffic group '", name, "' is in sync")
                       : Cat("mirror: traffic group '", name,
                             "' is not in sync any more: ", ReasonOf(after, &group, "")));
  }
  return lines;
}

}  // namespace tandem::control
