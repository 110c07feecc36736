// SPDX-License-Identifier: Apache-2.0
#include "dataplane/unit/record_query.h"

#include <algorithm>
#include <array>

namespace tandem::unit {
namespace {

using config::PersistenceType;
using config::Snapshot;
using persist::Record;
using persist::Verdict;

bool IsOrphaned(const Snapshot& snapshot, const Record& record) {
  const config::Persistence* profile = snapshot.FindPersistence(record.key.profile);
  return profile == nullptr || profile->stateless ||
         snapshot.FindMember(record.member) == nullptr ||
         snapshot.FindVirtual(record.virtual_id) == nullptr;
}

IpPrefix AddressOf(const Snapshot& snapshot, const persist::Key& key) {
  const config::Persistence* profile = snapshot.FindPersistence(key.profile);
  IpPrefix prefix;
  if (key.size == 4) {
    uint32_t address = 0;
    std::copy_n(key.bytes.begin(), 4, static_cast<uint8_t*>(static_cast<void*>(&address)));
    prefix.address = IpAddress::V4(address);
    prefix.length = profile != nullptr ? profile->mask_ipv4 : uint8_t{32};
  } else if (key.size == 16) {
    prefix.address = IpAddress::V6(key.bytes.data());
    prefix.length = profile != nullptr ? profile->mask_ipv6 : uint8_t{128};
  }
  return prefix;
}

bool KeyMatches(const RecordFilter& filter, const persist::Key& key, const IpPrefix& address) {
  if (filter.key_hash.has_value() && (key.size != 8 || persist::WordOf(key) != *filter.key_hash)) {
    return false;
  }
  if (filter.key.address.is_unset() && filter.key.length == 0) return true;
  return key.size != 8 && filter.key.Contains(address.address);
}

bool MemberMatches(const Snapshot& snapshot, const RecordFilter& filter, config::MemberId id) {
  if (filter.member_id != 0 && filter.member_id != id) return false;
  if (filter.pool == 0 && filter.node_addr.is_unset() && filter.node_port == 0) return true;
  const config::Member* member = snapshot.FindMember(id);
  return member != nullptr && (filter.pool == 0 || filter.pool == member->pool) &&
         (filter.node_addr.is_unset() || filter.node_addr == member->address) &&
         (filter.node_port == 0 || filter.node_port == member->port);
}

bool Matches(const Snapshot& snapshot, const RecordFilter& filter, const Record& record) {
  if (filter.profile != 0 && filter.profile != record.key.profile) return false;
  if (filter.virtual_id != 0 && filter.virtual_id != record.virtual_id) return false;
  if (filter.orphaned && !IsOrphaned(snapshot, record)) return false;
  if (filter.mode.has_value()) {
    const config::Persistence* profile = snapshot.FindPersistence(record.key.profile);
    if (profile == nullptr || profile->type != *filter.mode) return false;
  }
  return MemberMatches(snapshot, filter, record.member) &&
         KeyMatches(filter, record.key, AddressOf(snapshot, record.key));
}

RecordInfo InfoOf(const Snapshot& snapshot, const Record& record, Tick now) {
  RecordInfo info;
  info.profile = record.key.profile;
  info.scope = record.key.scope;
  info.key = AddressOf(snapshot, record.key);
  info.key_hash = record.key.size == 8 ? persist::WordOf(record.key) : 0;
  info.virtual_id = record.virtual_id;
  info.member_id = record.member;
  info.traffic_group = record.group;
  info.mirrored = (record.flags & persist::kMirror) != 0;
  info.from_peer = (record.flags & persist::kFromPeer) != 0;
  info.idle_ticks = static_cast<uint32_t>(std::max(0, TicksBetween(record.last_used, now)));
  info.timeout_ticks = record.timeout;
  return info;
}

// A bucket's live records as they are, claimed no longer than copying them takes. False: busy.
struct Copies {
  std::array<Record, persist::kRecordsPerBucket> records;
  size_t count = 0;
};
bool CopyBucket(persist::Table& table, uint32_t bucket, Tick now, Copies& copies) {
  copies.count = 0;
  return table.VisitBucket(bucket, table.workers(), [&copies, now](const Record& record) {
    if (record.is_live() && !persist::HasRunOut(record, now))
      copies.records[copies.count++] = record;
    return Verdict::kKeep;
  });
}

// Deletes what still matches. False: busy.
bool DeleteIn(persist::Table& table, uint32_t bucket, const Snapshot& snapshot,
              RecordQuery& query) {
  return table.VisitBucket(bucket, table.workers(), [&](const Record& record) {
    if (!record.is_live() || !Matches(snapshot, query.filter, record)) return Verdict::kKeep;
    ++query.matched;
    return Verdict::kDelete;
  });
}

}  // namespace

void RunRecordQuery(persist::Table& table, const Snapshot& snapshot, Tick now, RecordQuery& query) {
  query.results.clear();
  const uint32_t end = table.buckets();
  auto bucket = static_cast<uint32_t>(std::min<uint64_t>(query.next, end));
  const uint32_t stop = std::min(end - bucket, RecordQuery::kBucketsPerCall) + bucket;
  Copies copies;
  for (; bucket < stop; ++bucket) {
    // A bucket that a worker holds is where the next call begins.
    if (!CopyBucket(table, bucket, now, copies)) break;
    size_t matches = 0;
    for (size_t i = 0; i < copies.count; ++i)
      matches += Matches(snapshot, query.filter, copies.records[i]);
    if (matches == 0) continue;
    if (query.action == RecordQuery::Action::kDelete) {
      if (!DeleteIn(table, bucket, snapshot, query)) break;
      continue;
    }
    if (query.action == RecordQuery::Action::kShow) {
      if (!query.results.empty() && query.results.size() + matches > query.results_max) break;
      for (size_t i = 0; i < copies.count; ++i) {
        if (!Matches(snapshot, query.filter, copies.records[i])) continue;
        query.results.push_back(InfoOf(snapshot, copies.records[i], now));
        query.results.back().worker = static_cast<uint16_t>(bucket % table.workers());
      }
    }
    query.matched += matches;
  }
  query.next = bucket < end ? bucket : 0;
}

}  // namespace tandem::unit
