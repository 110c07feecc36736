// SPDX-License-Identifier: Apache-2.0
//
// Looking through the persistence records from outside: show and delete them, and the sweep that
// removes records of deleted objects. Unlike flows, records are shared, so control goes through them
// itself: it claims a bucket at a time and copies what it wants. Each call looks at a bounded number
// of buckets.
//
// A worker that wants a bucket at that very moment asks for some microseconds and drops its packet
// then; control holds a bucket far shorter than that, unless its thread is put aside meanwhile.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "dataplane/base/ip_address.h"
#include "dataplane/base/time.h"
#include "dataplane/config/ids.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/persist/table.h"

namespace tandem::unit {

// Unset fields match everything. Names follow `tmsh show ltm persistence persist-records`.
struct RecordFilter {
  std::optional<config::PersistenceType> mode;
  config::PersistenceId profile = 0;
  IpPrefix key;                      // of records whose key is an address; unset address: any
  std::optional<uint64_t> key_hash;  // of hash records: RecordInfo::key_hash
  config::VirtualId virtual_id = 0;
  config::PoolId pool = 0;  // of the record's member
  config::MemberId member_id = 0;
  IpAddress node_addr;     // of the record's member
  uint16_t node_port = 0;  // host byte order
  // Only records that name a profile, member or virtual which the configuration does not have, or
  // none that is kept any more (a profile made stateless).
  bool orphaned = false;
};

// One record as a person reads it.
struct RecordInfo {
  config::PersistenceId profile = 0;
  uint32_t scope = 0;                // persist::Key::scope
  IpPrefix key;                      // of an address, with the profile's mask …
  uint64_t key_hash = 0;             // … or of a hash, key unset; never 0 then
  config::VirtualId virtual_id = 0;  // that it was made through
  config::MemberId member_id = 0;
  config::TrafficGroupId traffic_group = 0;
  uint16_t worker = 0;         // that ages and mirrors it
  bool mirrored = false;       // its profile mirrors
  bool from_peer = false;      // a copy, not used on this device yet
  uint32_t idle_ticks = 0;     // since it was last used
  uint32_t timeout_ticks = 0;  // config::kIndefinite allowed
};

struct RecordQuery {
  enum class Action : uint8_t { kShow, kCount, kDelete };
  static constexpr uint32_t kBucketsPerCall = 4096;  // about half a millisecond

  Action action = Action::kShow;
  RecordFilter filter;
  // kShow: what this call found; replaced by each call. At most `results_max`, or, if one bucket alone
  // has more, those of one bucket.
  std::vector<RecordInfo> results;
  size_t results_max = 1000;
  uint64_t matched = 0;  // shown, counted or deleted, over all calls
  // Where the next call goes on; 0 before the first call and after the last. So:
  // do { unit.Run(query, now); … query.results … } while (query.next != 0);
  uint64_t next = 0;
};

// One call's piece. `now`: for ages. Control's thread only.
void RunRecordQuery(persist::Table& table, const config::Snapshot& snapshot, Tick now,
                    RecordQuery& query);

}  // namespace tandem::unit
