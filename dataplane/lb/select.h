// SPDX-License-Identifier: Apache-2.0
//
// Pool -> member, for the first packet of a flow.
//
// Each worker balances for itself (as TMMs do) with its own cursors, except least connections and
// the connection limits, which look at the counts over all workers. A member at its limit is passed
// over for the next one that its method would choose.
//
// Thread safety: one Selector and its LiveCounts per worker.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/base/drop_reason.h"
#include "dataplane/base/ip_address.h"
#include "dataplane/base/prng.h"
#include "dataplane/config/live_counts.h"
#include "dataplane/config/snapshot.h"

namespace tandem::lb {

// What consistent hashing sees of a client; ports in host byte order.
struct ClientTuple {
  IpAddress source;
  IpAddress destination;
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  uint8_t protocol = 0;
};

struct Choice {
  const config::Member* member = nullptr;  // nullptr: none, and `reason` says why
  DropReason reason = DropReason::kNone;
};

class Selector {
 public:
  // `prng` decides where each pool's round robin starts, so that workers do not march in step.
  explicit Selector(Prng prng);

  // Counts the connection on the chosen member (LiveCounts::TakeMember); the caller releases it when
  // the flow ends or does not come to be. No allocation.
  Choice Select(const config::Snapshot& snapshot, const config::Pool& pool,
                const ClientTuple& client, config::LiveCounts& counts) noexcept;

 private:
  Prng prng_;
  std::vector<uint32_t> cursors_;  // by PoolId
};

// By a hash that the caller makes, whatever the pool's method: of the available members below their
// limit the one with the highest random weight (by ratio where the pool balances by ratio), so that a
// member that comes or goes moves only its own share. Members weigh by address and port: every device
// chooses alike. Counts the connection, as Select does; `ignore_limits`: of members.
Choice SelectByHash(const config::Snapshot& snapshot, const config::Pool& pool, uint64_t hash,
                    bool ignore_limits, config::LiveCounts& counts) noexcept;

}  // namespace tandem::lb
