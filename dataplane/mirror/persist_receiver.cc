// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "dataplane/base/mutation.h"
#include "dataplane/mirror/persist_batch.h"
#include "dataplane/mirror/persist_sync.h"
#include "dataplane/mirror/sync_state.h"

namespace tandem::mirror {
namespace {

using config::Snapshot;
using persist::Record;
using persist::Verdict;

// Idle times beyond it are no longer told apart; half of what stamps can tell.
constexpr uint32_t kIdleMax = 1U << 30;

// What came of one of the peer's workers.
struct Stream {
  ReceiveWindow window;
  uint64_t applied = 0;  // the highest number
  uint64_t newest = 0;
  uint64_t acks = 0;
  uint32_t stamp = 0;                     // of the newest
  SyncState state = SyncState::kSyncing;  // as the newest said
  bool is_ack_due = false;
  bool was_in_sync = false;
  bool is_to_be_swept = false;  // its copies of former sessions are to be dropped
};

struct Names {
  const Translation& translation;
  const Snapshot& snapshot;
  Tick now;
  uint8_t stream;
};

enum class RowResult : uint8_t { kDone, kBusy };

}  // namespace

struct PersistReceiver::Impl {
  Impl(unsigned worker_index, persist::Table& records, const config::Roles& device_roles,
       config::PeerIndex peer_index, PersistTellers* all_tellers)
      : worker(worker_index),
        peer(peer_index),
        table(records),
        roles(device_roles),
        tellers(all_tellers) {}

  bool ApplyFrame(const FrameSlot& slot, const Names& names) noexcept;
  RowResult ApplyRow(const PersistRow& row, const Names& names) noexcept;
  RowResult Put(const PersistRow& row, const persist::Key& key, const config::Persistence& profile,
                config::MemberId member, const config::Virtual& virtual_server,
                const Names& names) noexcept;
  void ShowState() noexcept;
  bool IsAllHeard() const noexcept;
  bool IsUnconfirmed(const Record& record) const noexcept;

  const unsigned worker;
  const config::PeerIndex peer;
  persist::Table& table;
  const config::Roles& roles;
  PersistTellers* const tellers;
  SessionTerms terms;
  bool is_open = false;
  std::array<Stream, kWorkersMax> streams;
  unsigned next_ack = 0;
  bool is_sweeping = false;
  uint32_t next_sweep = 0;
  std::array<bool, kWorkersMax> swept{};  // streams that the sweep is for
  bool sweeps_all = false;                // what else there is of its groups as well
  PersistBatchReader reader;
  PersistCounters counters;
};

PersistReceiver::PersistReceiver(unsigned worker, persist::Table& table, const config::Roles& roles,
                                 config::PeerIndex peer, PersistTellers* tellers)
    : impl_(std::make_unique<Impl>(worker, table, roles, peer, tellers)) {}

PersistReceiver::~PersistReceiver() = default;

void PersistReceiver::Open(const SessionTerms& terms, Nanos) noexcept {
  Impl& impl = *impl_;
  impl.terms = terms;
  impl.is_open = true;
  impl.streams.fill(Stream());
  impl.is_sweeping = false;
  impl.counters.session.Set(terms.session);
  impl.ShowState();
}

void PersistReceiver::Close() noexcept {
  impl_->is_open = false;
  impl_->is_sweeping = false;
  impl_->counters.session.Set(0);
  impl_->ShowState();
}

bool PersistReceiver::is_open() const noexcept {
  return impl_->is_open;
}

// ---- frames ---------------------------------------------------------------------------------------

void PersistReceiver::Apply(const FrameSlot& slot, const Translation& translation,
                            const Snapshot& snapshot, Nanos now) noexcept {
  Impl& impl = *impl_;
  const FrameHeader& header = slot.header;
  if (!impl.is_open || header.type != FrameType::kPersist || header.session != impl.terms.session ||
      header.epoch != impl.terms.epoch) {
    return;
  }
  if (header.worker >= kWorkersMax || header.sequence == 0 || header.floor > header.sequence) {
    impl.counters.malformed.Add(1);
    return;
  }
  Stream& stream = impl.streams[header.worker];
  stream.is_ack_due = true;
  stream.window.Advance(header.floor);
  const bool is_new = stream.window.IsNew(header.sequence);
  if (!is_new && !Mutated(Mutation::kPersistUnordered)) return;
  if (header.sequence > stream.newest) {
    stream.newest = header.sequence;
    stream.stamp = header.stamp;
    stream.state = SyncStateOf(static_cast<StreamState>(header.flags & kStateMask));
    impl.ShowState();
  }
  // Newer frames may have said otherwise of the same records: what this one says comes again.
  if (header.sequence <= stream.applied && !Mutated(Mutation::kPersistUnordered)) {
    impl.counters.overtaken.Add(1);
    return;
  }
  if (translation.version != header.dictionary ||
      !translation.IsOf(impl.terms.incarnation, snapshot)) {
    impl.counters.not_translatable.Add(1);
    return;
  }
  if (!impl.ApplyFrame(slot, {translation, snapshot, TickOf(now), header.worker})) return;
  stream.applied = header.sequence;
  if (is_new) stream.window.Accept(header.sequence);
  impl.counters.frames.Add(1);
  const bool is_in_sync =
      (header.flags & kStateMask) == static_cast<uint16_t>(StreamState::kInSync);
  if (is_in_sync && !stream.was_in_sync) stream.is_to_be_swept = true;
  stream.was_in_sync = stream.was_in_sync || is_in_sync;
}

// Until a stream is heard there is nothing to say of it.
void PersistReceiver::Impl::ShowState() noexcept {
  SyncState state = SyncState::kInSync;
  bool is_heard = false;
  for (const Stream& stream : streams) {
    if (stream.newest == 0) continue;
    is_heard = true;
    state = WorseOf(state, stream.state);
  }
  if (!is_heard) state = SyncState::kSyncing;
  counters.state.Set(is_open ? static_cast<uint64_t>(state) : 0);
}

bool PersistReceiver::Impl::ApplyFrame(const FrameSlot& slot, const Names& names) noexcept {
  const size_t size = std::min<size_t>(slot.body_size, slot.body.size());
  if (reader.Read({slot.body.data(), size}) != BatchError::kNone) {
    counters.malformed.Add(1);
    return false;
  }
  for (const PersistRow& row : reader.rows()) {
    // Rows before it were applied; they are the same when they come again.
    if (ApplyRow(row, names) == RowResult::kBusy) {
      counters.busy.Add(1);
      return false;
    }
  }
  return true;
}

RowResult PersistReceiver::Impl::ApplyRow(const PersistRow& row, const Names& names) noexcept {
  const Snapshot& snapshot = names.snapshot;
  const config::Persistence* profile =
      snapshot.FindPersistence(names.translation.PersistenceOf(row.key.profile));
  const config::Virtual* virtual_server =
      snapshot.FindVirtual(names.translation.VirtualOf(row.virtual_id));
  persist::Key key = row.key;
  if (profile == nullptr || profile->stateless || virtual_server == nullptr ||
      (profile->type == config::PersistenceType::kHash) != (key.size == 8)) {
    counters.unknown.Add(1);
    return RowResult::kDone;
  }
  key.profile = profile->id;
  if (key.scope != 0 && key.scope < persist::kScopeHash) {
    key.scope = names.translation.VirtualOf(static_cast<config::VirtualId>(key.scope));
    if (key.scope == 0) {
      counters.unknown.Add(1);
      return RowResult::kDone;
    }
  }
  if (roles.IsActive(virtual_server->traffic_group)) {
    counters.ours.Add(1);
    return RowResult::kDone;
  }
  const config::MemberId member = names.translation.MemberOf(row.member);
  if (!row.is_gone && snapshot.FindMember(member) == nullptr) {
    counters.unknown.Add(1);
    return RowResult::kDone;
  }
  return Put(row, key, *profile, member, *virtual_server, names);
}

RowResult PersistReceiver::Impl::Put(const PersistRow& row, const persist::Key& key,
                                     const config::Persistence& profile, config::MemberId member,
                                     const config::Virtual& virtual_server,
                                     const Names& names) noexcept {
  persist::Table::Claim claim = table.Open(key, worker, names.now);
  if (claim.busy()) return RowResult::kBusy;
  if (row.is_gone) {
    counters.expires.Add(1);
    if (claim.found() != nullptr) claim.Remove(Verdict::kExpire);
    return RowResult::kDone;
  }
  counters.upserts.Add(1);
  if (claim.found() == nullptr && claim.Create() == nullptr) {
    counters.refused.Add(1);
    return RowResult::kDone;
  }
  Record& record = *claim.found();
  record.member = member;
  record.virtual_id = virtual_server.id;
  record.group = virtual_server.traffic_group;
  record.flags = persist::kFromPeer;
  if (profile.mirror) record.flags |= persist::kMirror;
  record.peer = peer;
  if (tellers != nullptr) (*tellers)[record.group] = peer;
  record.origin = names.stream;
  record.session = static_cast<uint8_t>(terms.session);
  record.last_used = names.now - std::min(row.idle_ticks, kIdleMax);
  record.timeout = profile.timeout;
  return RowResult::kDone;
}

bool PersistReceiver::BuildAck(FrameSlot& slot, uint16_t credit, Nanos) noexcept {
  Impl& impl = *impl_;
  if (!impl.is_open) return false;
  for (unsigned i = 0; i < kWorkersMax; ++i) {
    const unsigned number = impl.next_ack++ % kWorkersMax;
    Stream& stream = impl.streams[number];
    if (!stream.is_ack_due) continue;
    stream.is_ack_due = false;
    slot.group = 0;
    slot.body_size = 0;
    slot.header = {};
    slot.header.type = FrameType::kPersistAck;
    slot.header.group = impl.terms.wire_group;
    slot.header.worker = static_cast<uint8_t>(number);
    slot.header.epoch = impl.terms.epoch;
    slot.header.session = impl.terms.session;
    slot.header.sequence = ++stream.acks;
    slot.header.floor = stream.window.floor();
    slot.header.sack = stream.window.sack();
    slot.header.credit = credit;
    slot.header.stamp = stream.stamp;
    return true;
  }
  return false;
}

// ---- records that nobody confirmed --------------------------------------------------------------

// Whether all workers have heard all that there is in this session.
bool PersistReceiver::Impl::IsAllHeard() const noexcept {
  const unsigned workers = table.workers();
  const unsigned count = terms.streams == 0 ? workers : terms.streams;
  for (unsigned number = worker; number < count; number += workers) {
    if (!streams[number].was_in_sync) return false;
  }
  return table.NoteHeard(worker, terms.session, std::min(count, workers));
}

// Of a group that this device is standby for: a copy that came in another session; or a record that another
// peer told of, or that was made here, when that one or this device was active, and that the peer, who is
// now, has no more, or never had.
bool PersistReceiver::Impl::IsUnconfirmed(const Record& record) const noexcept {
  if (record.group == 0 || roles.IsActive(record.group)) return false;
  const bool is_copy = (record.flags & persist::kFromPeer) != 0;
  if (is_copy && record.peer != peer && (tellers == nullptr || (*tellers)[record.group] != peer))
    return false;
  if (!is_copy || record.peer != peer) {
    return sweeps_all && (record.flags & persist::kMirror) != 0 &&
           terms.peers_groups.test(record.group);
  }
  return record.session != static_cast<uint8_t>(terms.session) &&
         swept[record.origin % kWorkersMax];
}

bool PersistReceiver::Tidy(unsigned buckets) noexcept {
  Impl& impl = *impl_;
  if (!impl.is_open) return false;
  if (!impl.is_sweeping) {
    for (unsigned i = 0; i < kWorkersMax; ++i) {
      impl.swept[i] = impl.streams[i].is_to_be_swept;
      impl.streams[i].is_to_be_swept = false;
      impl.is_sweeping = impl.is_sweeping || impl.swept[i];
    }
    // Of streams that there are no more, any of the others may tell now what is left.
    for (unsigned i = impl.terms.streams; i != 0 && i < kWorkersMax; ++i)
      impl.swept[i] = impl.swept[0];
    impl.next_sweep = 0;
    impl.sweeps_all = impl.is_sweeping && impl.IsAllHeard();
  }
  if (!impl.is_sweeping) return false;
  const uint32_t end = std::min(impl.table.buckets() - impl.next_sweep, buckets) + impl.next_sweep;
  for (; impl.next_sweep < end; ++impl.next_sweep) {
    const bool is_done =
        impl.table.VisitBucket(impl.next_sweep, impl.worker, [&impl](const Record& record) {
          if (!impl.IsUnconfirmed(record)) return Verdict::kKeep;
          impl.counters.unconfirmed.Add(1);
          return Verdict::kForget;
        });
    if (!is_done) break;  // held: the next call begins with it
  }
  impl.is_sweeping = impl.next_sweep < impl.table.buckets();
  return true;
}

const PersistCounters& PersistReceiver::counters() const noexcept {
  return impl_->counters;
}

}  // namespace tandem::mirror
