// SPDX-License-Identifier: Apache-2.0
#include "control/daemon_sweep.h"

#include <set>

namespace tandem::control {
namespace {

std::vector<uint16_t> ListOf(const std::set<uint16_t>& ids) {
  return {ids.begin(), ids.end()};
}

}  // namespace

Sweep::Sweep(unit::Unit& unit) : unit_(unit), queries_(unit.workers()) {
  for (Query& entry : queries_) {
    entry.query = std::make_unique<unit::FlowQuery>();
  }
}

// Flows and neighbours remember interfaces, and no query finds them by it: a VLAN's id is never
// given to another while the process lives.
Sweep::Retired Sweep::RetiredOf(const ConfigIds& ids) {
  return {ListOf(ids.virtuals.retired()), ListOf(ids.pools.retired()),
          ListOf(ids.members.retired()), ListOf(ids.traffic_groups.retired()),
          ListOf(ids.persistences.retired())};
}

void Sweep::Start(const ConfigIds& ids) {
  if (active()) {
    again_ = true;
  } else {
    Begin(ids);
  }
}

void Sweep::Begin(const ConfigIds& ids) {
  again_ = false;
  retired_ = RetiredOf(ids);
  phase_ = retired_.empty() ? Phase::kIdle : Phase::kGrace;
  if (active()) grace_ = unit_.publisher().StartGrace();
}

void Sweep::Poll(ConfigIds& ids, Nanos now) {
  if (phase_ == Phase::kGrace) {
    if (!unit_.publisher().GraceOver(grace_)) return;
    for (Query& entry : queries_) {
      entry.posted = false;
    }
    phase_ = Phase::kQuery;
  }
  if (phase_ == Phase::kQuery) {
    if (!AllAnswered()) return;
    for (const Query& entry : queries_) {
      flows_ended_ += entry.query->matched;
    }
    records_ = {};
    records_.action = unit::RecordQuery::Action::kDelete;
    records_.filter.orphaned = true;
    phase_ = Phase::kRecords;
  }
  if (phase_ != Phase::kRecords || !RecordsDone(now)) return;
  records_removed_ += records_.matched;
  ids.virtuals.Released(retired_.virtuals);
  ids.pools.Released(retired_.pools);
  ids.members.Released(retired_.members);
  ids.traffic_groups.Released(retired_.traffic_groups);
  ids.persistences.Released(retired_.persistences);
  phase_ = Phase::kIdle;
  if (again_) Begin(ids);
}

// One piece of them. After the grace period no worker makes a record of what is gone.
bool Sweep::RecordsDone(Nanos now) {
  unit_.Run(records_, now);
  return records_.next == 0;
}

bool Sweep::AllAnswered() {
  bool all = true;
  for (unsigned worker = 0; worker < queries_.size(); ++worker) {
    Query& entry = queries_[worker];
    if (!entry.posted) {
      unit::FlowQuery& query = *entry.query;
      query.action = unit::FlowQuery::Action::kDelete;
      query.filter.orphaned = true;
      query.matched = 0;
      query.begin = 0;
      query.done.store(false, std::memory_order_relaxed);
      // Somebody else's query may be in the way; next time then.
      entry.posted = unit_.Post(worker, query);
    }
    all = all && entry.posted && entry.query->done.load(std::memory_order_acquire);
  }
  return all;
}

}  // namespace tandem::control
