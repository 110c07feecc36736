// SPDX-License-Identifier: Apache-2.0
#include "dataplane/mirror/sessions.h"

#include <algorithm>

#include "dataplane/base/mutation.h"

namespace tandem::mirror {

using config::Role;
using config::TrafficGroupId;

namespace {

uint32_t After(uint32_t epoch) {
  return epoch == UINT32_MAX ? epoch : epoch + 1;
}

}  // namespace

Sessions::Sessions(const EndpointOptions& options, const KeyRing& keys, size_t workers)
    : options_(options), keys_(keys), workers_(workers), next_session_(options.first_session) {}

uint32_t Sessions::NextSession() {
  if (next_session_ == 0) next_session_ = 1;
  return next_session_++;
}

// Numbers only count up, with a wrap.
bool Sessions::IsNewSession(uint32_t session, uint32_t last) {
  return session != 0 && (last == 0 || static_cast<int32_t>(session - last) > 0);
}

// ---- the peer -----------------------------------------------------------------------------------

void Sessions::NewPeer(const Hello& hello) {
  peer_nonce_ = hello.nonce;
  peer_incarnation_ = hello.incarnation;
  peer_record_streams_ = hello.record_streams;
  peer_groups_.clear();
  hellos_ = 0;
  peer_persist_session_ = 0;
  for (Group& group : groups_) {
    CloseEnd(group.writer, false);
    // The shadow may be all that is left of the flows: it goes when a new session begins.
    CloseEnd(group.reader, false);
    group.written = 0;
  }
  untold_ = true;
  changed_ = true;
}

void Sessions::OnHello(const std::vector<GroupSays>& groups) {
  if (groups.empty()) return;
  ++hellos_;
  for (const GroupSays& says : groups) {
    if (says.number == 0) {
      peer_persist_session_ = says.session;
      continue;
    }
    auto known = std::ranges::find_if(
        peer_groups_, [&](const PeerGroup& one) { return one.says.name_hash == says.name_hash; });
    if (known == peer_groups_.end()) {
      if (peer_groups_.size() >= kTrafficGroupsMax) continue;
      known = peer_groups_.insert(peer_groups_.end(), PeerGroup{});
    }
    known->says = says;
    known->said_at = hellos_;
  }
  std::erase_if(peer_groups_,
                [this](const PeerGroup& one) { return hellos_ - one.said_at > kForgottenAfter; });
}

const PeerGroup* Sessions::PeerOf(uint64_t name_hash) const {
  const auto known = std::ranges::find_if(
      peer_groups_, [&](const PeerGroup& one) { return one.says.name_hash == name_hash; });
  return known != peer_groups_.end() ? &*known : nullptr;
}

// ---- what ought to run --------------------------------------------------------------------------

bool Sessions::Evaluate(const Situation& situation) {
  for (size_t number = 1; number < groups_.size(); ++number) {
    Group& group = groups_[number];
    const auto& configured = situation.snapshot->traffic_groups;
    uint64_t name_hash = 0;
    if (number < configured.size() && configured[number].id != 0) {
      name_hash = config::NameHash(config::ObjectKind::kTrafficGroup, configured[number].name);
    }
    if (name_hash != group.name_hash) {
      if (group.name_hash != 0) {
        untold_ |= group.writer.is_open || group.reader.is_open;
        CloseEnd(group.writer, false);
        CloseEnd(group.reader, true);
        group.epoch = group.highest = 0;
        group.duty = {};
      }
      group.name_hash = name_hash;
      changed_ = true;
    }
    if (name_hash == 0) continue;
    TakePart(group, (*situation.parts)[number]);
    MatchRecords(group);
    Match(group, situation);
  }
  MatchPersistence(situation);
  const bool changed = changed_;
  changed_ = false;
  return changed;
}

void Sessions::TakePart(Group& group, const Part& part) {
  const Role role = part.role;
  const bool is_elsewhere = role == Role::kActive && part.is_elsewhere;
  changed_ |= group.is_elsewhere != is_elsewhere;
  group.is_elsewhere = is_elsewhere;
  if (group.duty.is_told) {
    changed_ |= group.role != role || group.epoch != group.duty.epoch;
    group.role = role;
    group.epoch = group.highest = group.duty.epoch;
    return;
  }
  if (role == Role::kActive && (group.role != role || group.epoch == 0)) {
    group.epoch = After(group.highest);
    group.highest = group.epoch;
    changed_ = true;
  }
  changed_ |= group.role != role;
  group.role = role;
}

// Records are read in a session that was begun when the peer was active for all that it is active for: then
// what it lacks can be told.
void Sessions::MatchRecords(const Group& group) {
  auto& peers_groups = groups_[0].reader.terms.peers_groups;
  const auto number = static_cast<size_t>(&group - groups_.data());
  if (!IsPeers(group)) {
    peers_groups.reset(number);
  } else if (!peers_groups.test(number)) {
    RenewRecords();
  }
}

// Whether the peer says that it is active and tells this device of it, and this device is not.
bool Sessions::IsPeers(const Group& group) const {
  const PeerGroup* peer = PeerOf(group.name_hash);
  return group.name_hash != 0 && group.role == Role::kStandby && peer != nullptr &&
         peer->says.role == Role::kActive && !peer->says.is_elsewhere;
}

// When the writer says that another device has all of it: what this one had is of no use any more, and
// grows old. Once, until it is not so any more: something may have been told to this device then.
void Sessions::DropWhatIsElsewhere(Group& group, const GroupSays& peer) {
  const bool is_so = group.role == Role::kStandby && peer.role == Role::kActive &&
                     peer.is_elsewhere && peer.epoch == group.highest &&
                     peer.state == SyncState::kInSync;
  if (is_so) {
    Discard(group.reader);
  } else {
    group.reader.is_discarded = false;
  }
}

void Sessions::Match(Group& group, const Situation& situation) {
  const PeerGroup* peer = PeerOf(group.name_hash);
  const auto none = [&](const char* reason) {
    untold_ |= group.writer.is_open || group.reader.is_open;
    changed_ |= group.reader.is_open;
    CloseEnd(group.writer, false);
    CloseEnd(group.reader, false);
    group.reason = reason;
  };
  if (!situation.is_established) return none("peer is down");
  if (!situation.shares_streams) return none("versions differ");
  if (!situation.shares_flows) return none("platforms differ");
  if (peer == nullptr) return none("peer lacks the group");
  if (group.role == peer->says.role) {
    if (!group.duty.is_told) group.highest = std::max(group.highest, peer->says.epoch);
    DropWhatIsElsewhere(group, peer->says);
    return none(group.role == Role::kActive ? "both are active" : "both are standby");
  }
  if (group.is_elsewhere || (group.role == Role::kStandby && peer->says.is_elsewhere)) {
    if (!group.duty.is_told) group.highest = std::max(group.highest, peer->says.epoch);
    none("mirrored to another device");
    DropWhatIsElsewhere(group, peer->says);
    return;
  }
  if (group.role == Role::kActive) {
    if (!situation.peer_holds) return none("the peer's flow tables are smaller");
    if (group.reader.is_open) none("");
    MatchWriter(group, peer->says, situation);
  } else {
    if (!situation.holds_peers) return none("flow tables are smaller than the peer's");
    if (group.writer.is_open) none("");
    MatchReader(group, peer->says, situation);
  }
}

void Sessions::MatchWriter(Group& group, const GroupSays& peer, const Situation& situation) {
  // The standby has seen a writer that this device knows nothing of, or that it was itself in an
  // earlier run: what it writes has to count as newer.
  if (peer.epoch > group.epoch && !group.duty.is_told) {
    group.epoch = After(peer.epoch);
    group.highest = group.epoch;
    changed_ = true;
  }
  StreamEnd& end = group.writer;
  const auto number = static_cast<uint8_t>(&group - groups_.data());
  const bool is_wanted = peer.epoch == group.epoch && peer.session != 0;
  if (is_wanted && end.is_open && end.terms.session == peer.session &&
      end.terms.epoch == group.epoch) {
    untold_ |= end.terms.body_max != situation.body_max;
    end.terms.body_max = situation.body_max;
    return;
  }
  if (end.is_open) {
    CloseEnd(end, false);
    untold_ = true;
  }
  if (!is_wanted || !IsNewSession(peer.session, group.written)) {
    group.reason = "peer has not asked for it yet";
    return;
  }
  group.written = peer.session;
  group.reason = "";
  OpenEnd(group, end,
          {.session = peer.session,
           .epoch = group.epoch,
           .body_max = situation.body_max,
           .wire_group = number},
          workers_);
}

void Sessions::MatchReader(Group& group, const GroupSays& peer, const Situation& situation) {
  StreamEnd& end = group.reader;
  const bool is_other = group.duty.is_told && peer.epoch != group.highest;
  if (peer.epoch < group.highest || is_other) {
    untold_ |= end.is_open;
    changed_ |= end.is_open;
    CloseEnd(end, false);
    group.reason = peer.epoch < group.highest ? "peer's epoch is over" : "peer's epoch is new";
    return;
  }
  changed_ |= group.highest != peer.epoch;
  group.highest = peer.epoch;
  // A number is never used twice: when the writer closed the session meanwhile, another one has to be.
  const bool is_over = end.is_open && peer.session == end.terms.session;
  if (end.is_open && !is_over && end.terms.epoch == peer.epoch &&
      end.terms.wire_group == peer.number) {
    return;
  }
  group.reason = "";
  OpenEnd(group, end,
          {.session = NextSession(),
           .epoch = peer.epoch,
           .body_max = situation.body_max,
           .wire_group = peer.number},
          workers_);
  changed_ = true;
}

// Records are told by each worker; to several peers, by the first one, which then knows who was told what.
uint8_t Sessions::record_streams() const noexcept {
  const auto workers = std::min<size_t>(workers_, options_.fingerprint.workers);
  return options_.mirroring.peers.size() > 1 ? uint8_t{1} : static_cast<uint8_t>(workers);
}

void Sessions::MatchPersistence(const Situation& situation) {
  Group& group = groups_[0];
  if (!situation.is_established || !situation.shares_streams) return;
  if (hellos_ == 0) return;  // it has not said what it is active for
  const uint8_t streams = std::min(record_streams(), peer_record_streams_);
  SessionTerms terms{.body_max = situation.body_max, .flows = false, .streams = streams};
  if (!group.reader.is_open) {
    terms.session = NextSession();
    for (size_t number = 1; number < groups_.size(); ++number)
      terms.peers_groups[number] = IsPeers(groups_[number]);
    OpenEnd(group, group.reader, terms, streams);
    changed_ = true;
  }
  StreamEnd& end = group.writer;
  if (end.is_open && end.terms.session == peer_persist_session_) {
    untold_ |= end.terms.body_max != situation.body_max;
    end.terms.body_max = situation.body_max;
  } else if (IsNewSession(peer_persist_session_, group.written)) {
    group.written = peer_persist_session_;
    terms.session = peer_persist_session_;
    OpenEnd(group, end, terms, streams);
  }
}

// ---- ends ---------------------------------------------------------------------------------------

void Sessions::OpenEnd(Group& group, StreamEnd& end, const SessionTerms& terms, size_t workers) {
  end.is_open = true;
  end.terms = terms;
  end.terms.incarnation = peer_incarnation_;
  end.is_discarded = false;
  end.silent_workers = 0;
  end.workers.resize(std::max(end.workers.size(), workers));
  for (StreamEnd::PerWorker& worker : end.workers) {
    worker.sealer = Sealer();
    worker.opener = Opener();
    worker.seals = 0;
    worker.opens = {};
    worker.sealed = 0;
    worker.heard_at = 0;
  }
  FollowKeys(group, end);
  untold_ = true;
}

void Sessions::CloseEnd(StreamEnd& end, bool discard) {
  end.is_open = false;
  end.discard = discard;
  end.silent_workers = 0;
}

// Also of what was read from another peer.
void Sessions::Discard(StreamEnd& reader) {
  if (reader.is_discarded) return;
  reader.is_discarded = reader.discard = true;
  reader.workers.resize(std::max(reader.workers.size(), workers_));
  for (StreamEnd::PerWorker& worker : reader.workers)
    worker.is_told = true;  // so that they are told that it is closed
  untold_ = true;
}

void Sessions::FollowKeys() {
  for (Group& group : groups_) {
    for (StreamEnd* const end : {&group.writer, &group.reader}) {
      if (end->is_open) FollowKeys(group, *end);
    }
  }
}

void Sessions::FollowKeys(const Group& group, StreamEnd& end) {
  if (!options_.mirroring.authenticated) return;
  const bool is_persistence = &group == groups_.data();
  const bool writes = &end == &group.writer;
  const config::UnitId ours = options_.unit();
  const config::UnitId peers = options_.peer_unit();
  const Nonce& first = ours < peers ? options_.nonce : peer_nonce_;
  const Nonce& second = ours < peers ? peer_nonce_ : options_.nonce;
  const FrameType data = is_persistence ? FrameType::kPersist : FrameType::kFlows;
  const FrameType ack = is_persistence ? FrameType::kPersistAck : FrameType::kFlowsAck;
  FrameHeader stream;
  stream.group = end.terms.wire_group;
  stream.session = end.terms.session;
  for (size_t number = 0; number < end.workers.size(); ++number) {
    StreamEnd::PerWorker& worker = end.workers[number];
    stream.worker = static_cast<uint8_t>(number);
    stream.type = writes ? data : ack;
    if (const unsigned place = keys_.in_use(); worker.seals != keys_.numbers()[place]) {
      worker.seals = keys_.numbers()[place];
      worker.sealer.SetSecret(SecretOfStream(keys_.key(place), first, second, ours, stream));
    }
    stream.type = writes ? ack : data;
    keys_.Follow(worker.opener, worker.opens, [&](const PresharedKey& key) {
      return SecretOfStream(key, first, second, peers, stream);
    });
  }
}

bool Sessions::Tell(const std::vector<FrameRing*>& to_worker) {
  if (!untold_) return true;
  bool is_done = true;
  const auto tell = [&](TrafficGroupId number, StreamEnd& end, Cargo open, Cargo close) {
    for (size_t worker = 0; worker < end.workers.size(); ++worker) {
      StreamEnd::PerWorker& per_worker = end.workers[worker];
      const bool ought = end.is_open && (number != 0 || worker < end.terms.streams);
      const bool is_same = per_worker.told.session == end.terms.session &&
                           per_worker.told.body_max == end.terms.body_max &&
                           per_worker.told.epoch == end.terms.epoch;
      if (ought ? per_worker.is_told && is_same : !per_worker.is_told) continue;
      FrameSlot* slot = to_worker[worker]->Free();
      if (slot == nullptr) {
        is_done = false;
        continue;
      }
      slot->cargo = ought ? open : close;
      slot->peer = options_.peer;
      slot->group = number;
      slot->body_size = 0;
      slot->header = {};
      slot->terms = end.terms;
      slot->terms.discard = end.discard;
      to_worker[worker]->Push();
      per_worker.is_told = ought;
      per_worker.told = end.terms;
    }
  };
  for (size_t number = 0; number < groups_.size(); ++number) {
    const auto group = static_cast<TrafficGroupId>(number);
    // Ends that close come first: a worker is never both for a group.
    StreamEnd& writer = groups_[number].writer;
    StreamEnd& reader = groups_[number].reader;
    if (writer.is_open) {
      tell(group, reader, Cargo::kOpenReceiver, Cargo::kCloseReceiver);
      tell(group, writer, Cargo::kOpenSender, Cargo::kCloseSender);
    } else {
      tell(group, writer, Cargo::kOpenSender, Cargo::kCloseSender);
      tell(group, reader, Cargo::kOpenReceiver, Cargo::kCloseReceiver);
    }
  }
  by_wire_.fill(0);
  for (size_t number = 1; number < groups_.size(); ++number) {
    const StreamEnd& reader = groups_[number].reader;
    if (reader.is_open) by_wire_[reader.terms.wire_group] = static_cast<TrafficGroupId>(number);
  }
  untold_ = !is_done;
  return is_done;
}

// ---- frames -------------------------------------------------------------------------------------

namespace {

bool Carries(const StreamEnd& end, const FrameHeader& header) {
  if (!end.is_open || header.worker >= end.workers.size()) return false;
  const StreamEnd::PerWorker& worker = end.workers[header.worker];
  if (!worker.is_told || worker.told.session != end.terms.session) return false;
  if (Mutated(Mutation::kAnyEpoch)) return true;
  return header.session == end.terms.session && header.epoch == end.terms.epoch;
}

}  // namespace

Sessions::Found Sessions::FindInbound(const FrameHeader& header) {
  Found found;
  StreamEnd* end = nullptr;
  switch (header.type) {
    case FrameType::kFlows:
      found.group = by_wire_[header.group];
      if (found.group != 0) end = &groups_[found.group].reader;
      break;
    case FrameType::kFlowsAck:
      if (header.group == 0 || header.group > kTrafficGroupsMax) break;
      found.group = header.group;
      end = &groups_[found.group].writer;
      break;
    case FrameType::kPersist:
      if (header.group == 0) end = &groups_[0].reader;
      break;
    case FrameType::kPersistAck:
      if (header.group == 0) end = &groups_[0].writer;
      break;
    case FrameType::kControl:
      break;
  }
  if (end == nullptr) return found;
  found.is_old = header.epoch < groups_[found.group].highest;
  if (Carries(*end, header)) found.end = end;
  return found;
}

StreamEnd* Sessions::FindOutbound(TrafficGroupId group, const FrameHeader& header) {
  if (group > kTrafficGroupsMax) return nullptr;
  StreamEnd* end = nullptr;
  switch (header.type) {
    case FrameType::kFlows:
    case FrameType::kPersist:
      end = &groups_[group].writer;
      break;
    case FrameType::kFlowsAck:
    case FrameType::kPersistAck:
      end = &groups_[group].reader;
      break;
    case FrameType::kControl:
      return nullptr;
  }
  const bool is_persistence =
      header.type == FrameType::kPersist || header.type == FrameType::kPersistAck;
  return is_persistence == (group == 0) && Carries(*end, header) ? end : nullptr;
}

bool Sessions::has_writer() const {
  return std::ranges::any_of(groups_, [](const Group& one) { return one.writer.is_open; });
}

}  // namespace tandem::mirror
