// SPDX-License-Identifier: Apache-2.0
//
// What mirroring does, as people want it: the streams' counters since the last reset, their rates, and
// a line for the log when something changed that an operator should know.
//
// Rates are of the last one to two seconds: Sample takes a copy each second, and the older of the last
// two is what is compared with.
//
// Thread safety: control thread.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "dataplane/base/time.h"
#include "dataplane/config/roles.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/mirror/endpoint.h"
#include "dataplane/unit/unit.h"
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

class MirrorReport {
 public:
  // `unit` outlives this.
  explicit MirrorReport(const unit::Unit& unit) : unit_(unit) {}

  // To be called now and then, more often than once a second.
  void Sample(Nanos now);
  // From now on counters count from zero.
  void Reset();
  void Fill(Nanos now, admin::v1::MirrorResult& result) const;
  // "in-sync", or why the group is not; empty: mirroring is not configured.
  std::string StateOf(config::TrafficGroupId group) const;

 private:
  struct Name {
    config::TrafficGroupId group = 0;
    unsigned worker = 0;
    config::Role role = config::Role::kActive;
    friend auto operator<=>(const Name&, const Name&) = default;
  };
  using Streams = std::map<Name, StreamTotals>;
  struct Copy {
    Nanos when = 0;
    Streams streams;
  };
  Streams Now() const;
  void FillStream(Nanos now, const Name& name, const StreamTotals& totals,
                  const mirror::EndpointStatus& status, admin::v1::MirrorResult::Stream& out) const;

  const unit::Unit& unit_;
  Streams before_;  // at the last reset
  Copy older_;
  Copy newer_;
};

// Lines for the log: what changed between two looks. `before` may be empty, as at the start.
std::vector<std::string> MirrorChanges(const mirror::EndpointStatus& before,
                                       const mirror::EndpointStatus& after,
                                       const config::Snapshot& snapshot);

}  // namespace tandem::control
