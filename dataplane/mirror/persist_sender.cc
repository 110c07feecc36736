// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "dataplane/mirror/persist_batch.h"
#include "dataplane/mirror/persist_sync.h"

namespace tandem::mirror {
namespace {

using config::Snapshot;
using persist::Record;
using persist::Verdict;

// What the sender knows of a bucket.
enum BucketFlag : uint8_t {
  kInFlight = 1 << 0,  // a frame in flight speaks of it
  kAgain = 1 << 1,     // it changed since
  kWhole = 1 << 2,     // all its records are to be told
  kFresh = 1 << 3,     // and the peer knows none of them: marks of removed ones may go
  kWaiting = 1 << 4,   // a sibling found it changed: it is in `waiting`
};

// Buckets looked at for one frame, and named by one.
constexpr uint32_t kLooksMax = 64;
constexpr uint32_t kBucketsMax = kLooksMax;
// So many times as often as otherwise there is a frame while one does not hold all that there is to tell. No
// oftener, for a record takes the worker about 100 ns: of a storm of new clients it tells the peer of half a
// million a second, and of the rest when it is over.
constexpr Nanos kHurry = 4;
// Instead of a bucket: the frame tells for the first time that all is in sync.
constexpr Note kAnnouncement = UINT32_MAX;
// A peer that is behind for longer is not in sync any more.
constexpr Nanos kLagMax = kSecond;

void Drop(Record& record, unsigned flags) {
  record.flags = static_cast<uint8_t>(record.flags & ~flags);
}

}  // namespace

struct PersistSender::Impl {
  Impl(unsigned worker_index, persist::Table& records, const config::Roles& device_roles,
       config::PeerIndex peer_index)
      : worker(worker_index),
        peer(peer_index),
        table(records),
        roles(device_roles),
        window({.frames = 256, .notes = 1U << 14}),
        buckets(records.buckets()) {}

  // Shards worker, worker + streams, … are this stream's.
  unsigned Streams() const {
    return terms.streams == 0 ? table.workers()
                              : std::min<unsigned>(terms.streams, table.workers());
  }
  bool IsOurs(uint32_t bucket) const { return bucket % table.workers() % Streams() == worker; }

  bool IsSiblings(const Record& record) const noexcept;
  void Wait(uint32_t bucket) noexcept;
  bool NextWaiting(uint32_t& bucket) noexcept;
  void BeginPass(unsigned flags) noexcept;
  bool Next(uint32_t& bucket) noexcept;
  bool Render(uint32_t bucket, const Snapshot& snapshot, Tick now) noexcept;
  Verdict RenderRecord(Record& record, unsigned bucket_flags, const Snapshot& snapshot,
                       Tick now) noexcept;
  void Gather(const Snapshot& snapshot, Tick now) noexcept;
  void Settled(uint32_t bucket) noexcept;
  void Acknowledged(Note note) noexcept;
  void Lost(Note note) noexcept;
  void UpdateState(Nanos now) noexcept;

  const unsigned worker;
  const config::PeerIndex peer;
  persist::Table& table;
  const config::Roles& roles;
  SendWindow window;
  std::vector<uint8_t> buckets;  // BucketFlag; of buckets that are not ours without meaning
  std::vector<Impl*> siblings;
  // Buckets that siblings took off the table's list, each once, oldest first: a ring. Without siblings
  // empty.
  std::vector<uint32_t> waiting;
  uint32_t first_waiting = 0;
  uint32_t waiting_count = 0;
  PersistBatchWriter writer;
  SessionTerms terms;
  bool is_open = false;
  uint32_t pass_next = 0;  // bucket
  uint32_t in_flight = 0;  // buckets
  uint32_t roles_changes = 0;
  uint32_t mirror_generation = 0;
  bool has_more = false;      // the last frame had no room for all that there was to tell
  bool is_settled = false;    // the changed list was empty when last looked at
  bool is_announced = false;  // that the session is in sync
  bool is_heard = false;      // and the peer knows
  Nanos built_at = 0;
  Nanos in_sync_at = 0;
  StreamState state = StreamState::kSyncing;
  std::array<Note, kBucketsMax + 1> notes;
  uint32_t note_count = 0;
  PersistCounters counters;
};

// ---- what is to be told -------------------------------------------------------------------------

void PersistSender::Impl::BeginPass(unsigned flags) noexcept {
  for (uint8_t& bucket : buckets)
    bucket = static_cast<uint8_t>(bucket | flags);
  pass_next = 0;
  is_settled = false;
}

// Of a group that is mirrored to another peer: its marks are another sender's.
bool PersistSender::Impl::IsSiblings(const Record& record) const noexcept {
  return record.group != 0 && roles.IsActive(record.group) && roles.MirrorTo(record.group) != peer;
}

void PersistSender::Impl::Wait(uint32_t bucket) noexcept {
  if (!is_open || (buckets[bucket] & kWaiting) != 0) return;
  buckets[bucket] |= kWaiting;
  waiting[(first_waiting + waiting_count++) % waiting.size()] = bucket;
  is_settled = false;
}

bool PersistSender::Impl::NextWaiting(uint32_t& bucket) noexcept {
  if (waiting_count == 0) return false;
  bucket = waiting[first_waiting];
  first_waiting = (first_waiting + 1) % static_cast<uint32_t>(waiting.size());
  --waiting_count;
  buckets[bucket] = static_cast<uint8_t>(buckets[bucket] & ~kWaiting);
  return true;
}

// The next bucket to look at: changed ones first, then those of the pass. False: there is none.
bool PersistSender::Impl::Next(uint32_t& bucket) noexcept {
  is_settled = false;
  if (NextWaiting(bucket)) return true;
  for (unsigned shard = worker; shard < table.workers(); shard += Streams()) {
    bucket = table.PopChanged(shard);
    if (bucket == persist::kNoBucket) continue;
    for (Impl* const sibling : siblings)
      sibling->Wait(bucket);
    return true;
  }
  while (pass_next < table.buckets()) {
    bucket = pass_next++;
    if (IsOurs(bucket) && (buckets[bucket] & kWhole) != 0) return true;
  }
  is_settled = true;
  return false;
}

Verdict PersistSender::Impl::RenderRecord(Record& record, unsigned bucket_flags,
                                          const Snapshot& snapshot, Tick now) noexcept {
  if (IsSiblings(record)) return Verdict::kKeep;
  // Nothing of the bucket is in flight, so what was is lost.
  if ((record.flags & persist::kTelling) != 0) record.flags |= persist::kDirty;
  Drop(record, persist::kTelling);
  if ((bucket_flags & kFresh) != 0) Drop(record, persist::kTold);
  const config::Persistence* profile = snapshot.FindPersistence(record.key.profile);
  const bool is_told =
      profile != nullptr && profile->mirror && record.group != 0 && roles.IsActive(record.group);
  if (!record.is_live() && (!is_told || (bucket_flags & kFresh) != 0)) return Verdict::kForget;
  if (profile != nullptr) {
    Drop(record, persist::kMirror);
    if (profile->mirror) record.flags |= persist::kMirror;
  }
  // Mirrored no more: the peer is to forget it.
  const bool is_withdrawn = !is_told && profile != nullptr && !profile->mirror &&
                            roles.IsActive(record.group) && (record.flags & persist::kTold) != 0;
  if (!is_told && !is_withdrawn) {
    Drop(record, persist::kDirty);
    return Verdict::kKeep;
  }
  if ((bucket_flags & kWhole) != 0) record.flags |= persist::kDirty;
  // It is told that it is gone when it goes.
  if (record.is_live() && persist::HasRunOut(record, now)) Drop(record, persist::kDirty);
  if ((record.flags & persist::kDirty) == 0) return Verdict::kKeep;
  const auto idle = static_cast<uint32_t>(std::max(0, TicksBetween(record.last_used, now)));
  // Room was made sure of.
  const bool is_gone = is_withdrawn || !record.is_live();
  static_cast<void>(writer.Add({.is_gone = is_gone,
                                .key = record.key,
                                .member = record.member,
                                .virtual_id = record.virtual_id,
                                .idle_ticks = idle}));
  (is_gone ? counters.expires : counters.upserts).Add(1);
  Drop(record, persist::kDirty);
  record.flags |= persist::kTelling | persist::kTold;
  record.told_when = static_cast<uint16_t>(now >> persist::kToldShift);
  return Verdict::kKeep;
}

// False: another holds the bucket; it is looked at again.
bool PersistSender::Impl::Render(uint32_t bucket, const Snapshot& snapshot, Tick now) noexcept {
  uint8_t& flags = buckets[bucket];
  if ((flags & kInFlight) != 0) {
    flags |= kAgain;
    return true;
  }
  const uint32_t rows = writer.rows();
  const unsigned bucket_flags = flags;
  const auto render = [&](Record& record) {
    return RenderRecord(record, bucket_flags, snapshot, now);
  };
  const bool is_got = (bucket_flags & (kWhole | kFresh)) != 0
                          ? table.VisitBucket(bucket, worker, render)
                          : table.VisitMarked(bucket, worker, render);
  if (!is_got) {
    counters.busy.Add(1);
    table.MarkBucketChanged(bucket);
    return false;
  }
  flags &= kWaiting;
  if (writer.rows() == rows) return true;
  flags |= kInFlight;
  ++in_flight;
  notes[note_count++] = bucket;
  return true;
}

// Buckets for one frame.
void PersistSender::Impl::Gather(const Snapshot& snapshot, Tick now) noexcept {
  note_count = 0;
  has_more = true;
  for (uint32_t look = 0; look < kLooksMax; ++look) {
    uint32_t bucket = 0;
    if (note_count == kBucketsMax || !writer.HasRoomFor(persist::kRecordsPerBucket)) return;
    if (!Next(bucket) || !Render(bucket, snapshot, now)) {
      has_more = false;
      return;
    }
  }
}

// ---- what became of it --------------------------------------------------------------------------

void PersistSender::Impl::Settled(uint32_t bucket) noexcept {
  uint8_t& flags = buckets[bucket];
  if ((flags & (kAgain | kWhole)) != 0) {
    table.MarkBucketChanged(bucket);
    is_settled = false;
  }
  flags = static_cast<uint8_t>(flags & ~(kInFlight | kAgain));
  --in_flight;
}

void PersistSender::Impl::Acknowledged(Note note) noexcept {
  if (note == kAnnouncement) {
    is_heard = true;
    return;
  }
  if (!table.VisitMarked(note, worker, [this](Record& record) {
        if (IsSiblings(record)) return Verdict::kKeep;
        const bool is_current =
            (record.flags & persist::kTelling) != 0 && (record.flags & persist::kDirty) == 0;
        Drop(record, persist::kTelling);
        // A withdrawn one.
        if (is_current && (record.flags & persist::kMirror) == 0) Drop(record, persist::kTold);
        return is_current && !record.is_live() ? Verdict::kForget : Verdict::kKeep;
      })) {
    return Lost(note);
  }
  Settled(note);
}

// The records' marks say that they were being told; rendering finds them.
void PersistSender::Impl::Lost(Note note) noexcept {
  if (note == kAnnouncement) {
    is_settled = false;
    is_announced = false;
    return;
  }
  buckets[note] |= kAgain;
  Settled(note);
}

void PersistSender::Impl::UpdateState(Nanos now) noexcept {
  const uint32_t to_come = table.buckets() - pass_next;
  counters.pending.Subtract(counters.pending.Get());
  counters.pending.Add(in_flight + to_come + (is_settled && is_heard ? 0 : 1));
  if (is_settled && in_flight == 0) {
    state = StreamState::kInSync;
    in_sync_at = now;
  } else if (to_come != 0) {
    state = StreamState::kSyncing;
  } else if (state == StreamState::kInSync && now - in_sync_at > kLagMax) {
    state = StreamState::kLagging;
  }
  counters.state.Subtract(counters.state.Get());
  if (is_open) counters.state.Add(static_cast<uint64_t>(state));
}

// ---- the stream ---------------------------------------------------------------------------------

PersistSender::PersistSender(unsigned worker, persist::Table& table, const config::Roles& roles,
                             config::PeerIndex peer)
    : impl_(std::make_unique<Impl>(worker, table, roles, peer)) {}

PersistSender::~PersistSender() = default;

void PersistSender::SetSiblings(std::span<PersistSender* const> siblings) {
  impl_->siblings.clear();
  for (PersistSender* const sibling : siblings)
    impl_->siblings.push_back(sibling->impl_.get());
  impl_->waiting.assign(siblings.empty() ? 0 : impl_->table.buckets(), 0);
}

void PersistSender::Open(const SessionTerms& terms, Nanos now) noexcept {
  Impl& impl = *impl_;
  const bool goes_on =
      impl.is_open && impl.terms.session == terms.session && impl.terms.epoch == terms.epoch;
  impl.terms = terms;
  if (goes_on) return;
  impl.is_open = true;
  impl.window.Reset(now);
  std::fill(impl.buckets.begin(), impl.buckets.end(), uint8_t{0});
  impl.waiting_count = 0;
  impl.in_flight = 0;
  impl.is_announced = false;
  impl.is_heard = false;
  impl.built_at = 0;
  impl.state = StreamState::kSyncing;
  impl.roles_changes = impl.roles.changes();
  impl.counters.session.Set(terms.session);
  impl.BeginPass(kWhole | kFresh);
  impl.UpdateState(now);
}

void PersistSender::Close() noexcept {
  impl_->is_open = false;
  impl_->counters.session.Set(0);
  impl_->UpdateState(0);
}

bool PersistSender::is_open() const noexcept {
  return impl_->is_open;
}

bool PersistSender::Build(FrameSlot& slot, const Snapshot& snapshot, Nanos now) noexcept {
  Impl& impl = *impl_;
  if (!impl.is_open || !impl.window.CanSend(kBucketsMax + 1)) return false;
  if (impl.roles.changes() != impl.roles_changes ||
      snapshot.mirror_generation != impl.mirror_generation) {
    impl.roles_changes = impl.roles.changes();
    impl.mirror_generation = snapshot.mirror_generation;
    impl.BeginPass(kWhole);
  }
  const bool in_pass = impl.pass_next < impl.table.buckets();
  const Nanos pause = snapshot.mirroring.flush / (impl.has_more ? kHurry : 1);
  if (!in_pass && now - impl.built_at < pause) return false;
  const size_t size = std::min<size_t>(impl.terms.body_max, slot.body.size());
  impl.writer.Begin(size);
  impl.Gather(snapshot, TickOf(now));
  impl.UpdateState(now);
  const bool announces = impl.state == StreamState::kInSync && !impl.is_announced;
  if (announces) {
    impl.is_announced = true;
    impl.notes[impl.note_count++] = kAnnouncement;
  }
  if (impl.note_count == 0) return false;
  impl.built_at = now;
  slot.group = 0;
  slot.header = {};
  slot.header.type = FrameType::kPersist;
  slot.header.group = impl.terms.wire_group;
  slot.header.worker = static_cast<uint8_t>(impl.worker);
  slot.header.flags = static_cast<uint16_t>(impl.state);
  slot.header.epoch = impl.terms.epoch;
  slot.header.session = impl.terms.session;
  slot.header.sequence = impl.window.Send({impl.notes.data(), impl.note_count}, now);
  slot.header.floor = impl.window.floor();
  slot.header.dictionary = static_cast<uint16_t>(snapshot.generation);
  slot.header.stamp = static_cast<uint32_t>(now / 1000);
  slot.body_size = static_cast<uint16_t>(impl.writer.Finish(slot.body.data()));
  impl.counters.frames.Add(1);
  return true;
}

void PersistSender::OnAck(const FrameHeader& ack, Nanos now) noexcept {
  Impl& impl = *impl_;
  if (!impl.is_open || ack.session != impl.terms.session || ack.epoch != impl.terms.epoch) {
    return;
  }
  const bool is_possible = impl.window.OnAck(
      ack, now,
      [&](std::span<const Note> notes) {
        for (const Note note : notes)
          impl.Acknowledged(note);
      },
      [&](std::span<const Note> notes) {
        for (const Note note : notes)
          impl.Lost(note);
      });
  if (!is_possible) impl.counters.bad_acks.Add(1);
  impl.UpdateState(now);
}

void PersistSender::OnClock(Nanos now) noexcept {
  Impl& impl = *impl_;
  if (!impl.is_open) return;
  impl.window.OnClock(now, [&](std::span<const Note> notes) {
    for (const Note note : notes)
      impl.Lost(note);
  });
  impl.counters.lost_frames.Add(impl.window.lost_frames() - impl.counters.lost_frames.Get());
  impl.UpdateState(now);
}

StreamState PersistSender::state() const noexcept {
  return impl_->state;
}

const PersistCounters& PersistSender::counters() const noexcept {
  return impl_->counters;
}

}  // namespace tandem::mirror
