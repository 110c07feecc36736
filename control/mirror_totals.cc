// SPDX-License-Identifier: Apache-2.0
#include "control/mirror_totals.h"

#include <string>

#include "control/admin_words.h"

namespace tandem::control {
namespace {

namespace v1 = admin::v1;

constexpr std::string_view kLink = "link";
constexpr std::string_view kEndpoint = "endpoint";
constexpr std::string_view kWorker = "worker";
constexpr std::string_view kSending = "sending";
constexpr std::string_view kReceiving = "receiving";

// Adds the counters of one more that counts the same.
template <class Counters>
void Add(const CounterName& of, const Counters& from, CounterCopies& to) {
  from.ForEach([&](std::string_view name, std::string_view help, const Counter& counter) {
    CounterCopy& copy = to[{of.part, of.peer, of.worker, name}];
    copy.help = help;
    copy.value += counter.Get();
  });
}

void Fill(const CounterName& name, const CounterCopy& copy, v1::MirrorResult::Counter& out) {
  out.set_name(std::string(name.name));
  out.set_help(std::string(copy.help));
  out.set_value(copy.value);
}

// Counters that start where `of` says, in the order of their list.
template <class Counters, class Use>
void ForEachOf(const CounterName& whose, const Counters& of, const CounterCopies& counters,
               const Use& use) {
  of.ForEach([&](std::string_view name, std::string_view, const Counter&) {
    const CounterName key{whose.part, whose.peer, whose.worker, name};
    const auto found = counters.find(key);
    if (found != counters.end()) use(key, found->second);
  });
}

void FillStream(std::string_view direction, unsigned worker, const mirror::PersistCounters& of,
                const CounterCopies& counters, const RecordPeer& peer, v1::MirrorResult& result) {
  const bool is_up = peer.is_up;
  v1::MirrorResult::RecordStream& out = *result.add_record_stream();
  out.set_peer(peer.name);
  out.set_worker(worker);
  out.set_direction(std::string(direction));
  const auto state = mirror::SyncStateOf(static_cast<uint32_t>(of.state.Get()));
  out.set_in_sync(is_up && state == mirror::SyncState::kInSync);
  out.set_state(!is_up                              ? "down"
                : state == mirror::SyncState::kDown ? "none"
                                                    : std::string(WordOf(state)));
  const auto value = [&](std::string_view name) {
    const auto found = counters.find({direction, peer.index, worker, name});
    return found == counters.end() ? uint64_t{0} : found->second.value;
  };
  out.set_frames(value("frames"));
  out.set_records(value("upserts"));
  out.set_removals(value("expires"));
  out.set_lost_frames(value("lost_frames"));
  out.set_not_applied(value("overtaken") + value("not_translatable"));
  out.set_skipped(value("unknown") + value("refused"));
  out.set_malformed(value("malformed"));
  if (direction == kSending) out.set_pending(of.pending.Get());
  ForEachOf({direction, peer.index, worker, {}}, of, counters,
            [&](const CounterName& name, const CounterCopy& copy) {
              Fill(name, copy, *out.add_counter());
            });
}

}  // namespace

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

CounterCopies CopyCounters(const unit::Mirroring& mirroring) {
  CounterCopies copies;
  const auto peers = static_cast<config::PeerIndex>(mirroring.peers().size());
  Add({kLink}, mirroring.peers().link_counters(), copies);
  for (config::PeerIndex peer = 0; peer < peers; ++peer)
    Add({kEndpoint}, mirroring.endpoint(peer).counters(), copies);
  for (unsigned worker = 0; worker < mirroring.workers(); ++worker) {
    const mirror::WorkerMirror& its = mirroring.worker(worker);
    Add({kWorker}, its.counters(), copies);
    for (config::PeerIndex peer = 0; peer < peers; ++peer) {
      Add({kSending, peer, worker, {}}, its.persist_sender(peer).counters(), copies);
      Add({kReceiving, peer, worker, {}}, its.persist_receiver(peer).counters(), copies);
    }
  }
  return copies;
}

CounterCopies Since(CounterCopies now, const CounterCopies& before) {
  for (auto& [name, copy] : now) {
    const auto found = before.find(name);
    if (found != before.end()) copy.value -= found->second.value;
  }
  return now;
}

void FillCounters(const CounterCopies& counters, const unit::Mirroring& mirroring,
                  v1::MirrorResult& result) {
  const auto fill = [&](const CounterName& name, const CounterCopy& copy) {
    v1::MirrorResult::Counter& out = *result.add_counter();
    out.set_part(std::string(name.part));
    Fill(name, copy, out);
  };
  ForEachOf({kLink}, mirroring.peers().link_counters(), counters, fill);
  ForEachOf({kEndpoint}, mirroring.endpoint().counters(), counters, fill);
  ForEachOf({kWorker}, mirroring.worker(0).counters(), counters, fill);
}

void FillRecordStreams(const CounterCopies& counters, const unit::Mirroring& mirroring,
                       const RecordPeer& peer, v1::MirrorResult& result) {
  for (unsigned worker = 0; worker < mirroring.workers(); ++worker) {
    FillStream(kSending, worker, mirroring.worker(worker).persist_sender(peer.index).counters(),
               counters, peer, result);
  }
  for (unsigned worker = 0; worker < mirroring.workers(); ++worker) {
    FillStream(kReceiving, worker, mirroring.worker(worker).persist_receiver(peer.index).counters(),
               counters, peer, result);
  }
}

}  // namespace tandem::control
