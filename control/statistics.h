// SPDX-License-Identifier: Apache-2.0
//
// Counters as people want them: summed over workers, and counted from the last reset. A worker's
// counters have one writer, the worker; so a reset takes a copy here and every value shown is the
// difference.
//
// An id that the configuration gives to another object begins at zero too: Follow takes a copy of
// the counters when an id's object changes.
//
// Thread safety: control thread. Values of one moment are not a consistent cut while packets move.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "control/operations.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/pipeline/counters.h"
#include "dataplane/unit/unit.h"

namespace tandem::control {

// Of a virtual or a member; pipeline::ObjectCounters has the meaning.
struct ObjectTotals {
  uint64_t packets_in = 0;
  uint64_t bytes_in = 0;
  uint64_t packets_out = 0;
  uint64_t bytes_out = 0;
  uint64_t connections = 0;
};

// As counted by workers.
struct PortTotals {
  uint64_t received_packets = 0;
  uint64_t received_bytes = 0;
};

// pipeline::WorkerCounters has the meaning. Levels (held, flows) are those of now.
struct WorkerTotals {
  uint64_t received = 0;
  uint64_t handed_in = 0;
  uint64_t forwarded = 0;
  uint64_t consumed = 0;
  uint64_t handed_off = 0;
  uint64_t originated = 0;
  uint64_t announced = 0;
  uint64_t resets_suppressed = 0;
  uint64_t flows_created = 0;
  uint64_t turns = 0;
  uint64_t busy_turns = 0;
  uint64_t held = 0;
  uint64_t held_before = 0;  // at the last reset
  uint64_t flows_ipv4 = 0;
  uint64_t flows_ipv6 = 0;
  std::array<uint64_t, kDropReasonCount> drops{};
  std::array<uint64_t, pipeline::kEndReasonCount> ends{};
  std::array<PortTotals, kPortsMax> ports{};

  uint64_t dropped() const;
};

class Statistics {
 public:
  // `unit` outlives this.
  explicit Statistics(const unit::Unit& unit);

  // From now on everything counts from zero. `ports` as the driver reports them now.
  void Reset(const std::vector<PortReport>& ports);
  // To be told of each new snapshot before traffic of its new objects is asked for.
  void Follow(const config::Snapshot& snapshot);

  ObjectTotals OfVirtual(config::VirtualId id) const;
  ObjectTotals OfMember(config::MemberId id) const;
  WorkerTotals OfWorker(unsigned worker) const;
  PortTotals OfPort(size_t port) const;
  // `report` with its counts since the last reset.
  PortReport Since(PortReport report) const;

 private:
  ObjectTotals SumOfVirtual(config::VirtualId id) const;
  ObjectTotals SumOfMember(config::MemberId id) const;

  const unit::Unit& unit_;
  std::vector<std::string> virtual_names_;  // by id; empty: no object
  std::vector<std::string> member_names_;   // pool and member
  std::vector<ObjectTotals> virtuals_before_;
  std::vector<ObjectTotals> members_before_;
  std::vector<WorkerTotals> workers_before_;
  std::unordered_map<std::string, PortReport> ports_before_;
};

}  // namespace tandem::control
