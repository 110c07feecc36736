// SPDX-License-Identifier: Apache-2.0
//
// Counters of mirroring as numbers that can be copied, and subtracted from later ones.
//
// Thread safety: control thread; the counters' writers go on.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "dataplane/mirror/flow_receiver.h"
#include "dataplane/mirror/flow_sender.h"
#include "dataplane/unit/mirroring.h"
#include "proto/admin.pb.h"

namespace tandem::control {

// Of one traffic group's stream at one worker; mirror::SenderCounters and ReceiverCounters have the
// meaning.
struct StreamTotals {
  uint64_t frames = 0;
  uint64_t bytes = 0;
  uint64_t creates = 0;
  uint64_t updates = 0;
  uint64_t closes = 0;
  uint64_t touches = 0;
  uint64_t lost_frames = 0;
  uint64_t audits = 0;
  uint64_t audit_mismatches = 0;
  uint64_t not_applied = 0;
  uint64_t malformed = 0;

  uint64_t deltas() const { return creates + updates + closes + touches; }
  StreamTotals Since(const StreamTotals& before) const;
};
StreamTotals TotalsOf(const mirror::SenderCounters& from);
StreamTotals TotalsOf(const mirror::ReceiverCounters& from);

// Everything that is counted besides: of the link, all endpoints together, all workers' rings together, and
// each worker's persistence streams.
struct CounterName {
  std::string_view part;
  config::PeerIndex peer = 0;  // of record streams; the others are of all peers together
  unsigned worker = 0;
  std::string_view name;
  friend auto operator<=>(const CounterName&, const CounterName&) = default;
};
struct CounterCopy {
  std::string_view help;
  uint64_t value = 0;
};
using CounterCopies = std::map<CounterName, CounterCopy>;

CounterCopies CopyCounters(const unit::Mirroring& mirroring);
// `now` counted from `before` on.
CounterCopies Since(CounterCopies now, const CounterCopies& before);

// What `counter` and `record_stream` show of them.
void FillCounters(const CounterCopies& counters, const unit::Mirroring& mirroring,
                  admin::v1::MirrorResult& result);
struct RecordPeer {
  config::PeerIndex index = 0;
  std::string name;
  bool is_up = false;
};
void FillRecordStreams(const CounterCopies& counters, const unit::Mirroring& mirroring,
                       const RecordPeer& peer, admin::v1::MirrorResult& result);

}  // namespace tandem::control
