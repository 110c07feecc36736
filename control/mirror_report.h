// SPDX-License-Identifier: Apache-2.0
//
// What mirroring does, as people want it: how far each traffic group is, and the streams' counters
// since the last reset, with their rates.
//
// Whether a group is in sync is the endpoint's to say (mirror/endpoint.h) of the peer that it is mirrored
// with; a stream's own state is shown beside it.
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

#include "control/mirror_status.h"
#include "control/mirror_totals.h"
#include "dataplane/base/time.h"
#include "dataplane/config/roles.h"
#include "dataplane/mirror/endpoint.h"
#include "dataplane/unit/unit.h"
#include "proto/admin.pb.h"

namespace tandem::control {

class MirrorReport {
 public:
  // `unit` outlives this.
  explicit MirrorReport(const unit::Unit& unit) : unit_(unit) {}

  // To be called now and then, more often than once a second.
  void Sample(Nanos now);
  // From now on counters count from zero.
  void Reset();
  void Fill(Nanos now, admin::v1::MirrorResult& result) const;
  // What of it is shown of a traffic group elsewhere.
  void Fill(config::TrafficGroupId group, admin::v1::TrafficGroupResult::TrafficGroup& out) const;

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
  void FillPeer(Nanos now, const MirrorStatus& status, size_t peer,
                admin::v1::MirrorResult::Peer& out) const;
  void FillStream(Nanos now, const Name& name, const StreamTotals& totals,
                  const MirrorStatus& status, admin::v1::MirrorResult::Stream& out) const;
  std::string NameOfPeer(const MirrorStatus& status, size_t peer) const;

  const unit::Unit& unit_;
  Streams before_;  // at the last reset
  CounterCopies counters_before_;
  Copy older_;
  Copy newer_;
};

}  // namespace tandem::control
