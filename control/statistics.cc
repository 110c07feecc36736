// SPDX-License-Identifier: Apache-2.0
#include "control/statistics.h"

#include <numeric>
#include <utility>

#include "dataplane/base/limits.h"

namespace tandem::control {
namespace {

ObjectTotals Minus(const ObjectTotals& now, const ObjectTotals& before) {
  return {.packets_in = now.packets_in - before.packets_in,
          .bytes_in = now.bytes_in - before.bytes_in,
          .packets_out = now.packets_out - before.packets_out,
          .bytes_out = now.bytes_out - before.bytes_out,
          .connections = now.connections - before.connections};
}

void Add(const pipeline::ObjectCounters& counters, ObjectTotals& sum) {
  sum.packets_in += counters.in().packets.Get();
  sum.bytes_in += counters.in().bytes.Get();
  sum.packets_out += counters.out().packets.Get();
  sum.bytes_out += counters.out().bytes.Get();
  sum.connections += counters.connections.Get();
}

WorkerTotals Read(const pipeline::WorkerCounters& counters) {
  WorkerTotals totals;
  totals.received = counters.received.Get();
  totals.handed_in = counters.handed_in.Get();
  totals.forwarded = counters.forwarded.Get();
  totals.consumed = counters.consumed.Get();
  totals.handed_off = counters.handed_off.Get();
  totals.originated = counters.originated.Get();
  totals.announced = counters.announced.Get();
  totals.resets_suppressed = counters.resets_suppressed.Get();
  totals.flows_created = counters.flows_created.Get();
  totals.turns = counters.turns.Get();
  totals.busy_turns = counters.busy_turns.Get();
  totals.held = counters.held.Get();
  totals.flows_ipv4 = counters.flows_ipv4.Get();
  totals.flows_ipv6 = counters.flows_ipv6.Get();
  for (size_t i = 0; i < totals.drops.size(); ++i) {
    totals.drops[i] = counters.drops[i].Get();
  }
  for (size_t i = 0; i < totals.ends.size(); ++i) {
    totals.ends[i] = counters.ends[i].Get();
  }
  for (size_t i = 0; i < totals.ports.size(); ++i) {
    const pipeline::PortCounters& port = counters.ports[i];
    totals.ports[i] = {.received_packets = port.received_packets.Get(),
                       .received_bytes = port.received_bytes.Get()};
  }
  return totals;
}

void Subtract(const WorkerTotals& before, WorkerTotals& totals) {
  totals.received -= before.received;
  totals.handed_in -= before.handed_in;
  totals.forwarded -= before.forwarded;
  totals.consumed -= before.consumed;
  totals.handed_off -= before.handed_off;
  totals.originated -= before.originated;
  totals.announced -= before.announced;
  totals.resets_suppressed -= before.resets_suppressed;
  totals.flows_created -= before.flows_created;
  totals.turns -= before.turns;
  totals.busy_turns -= before.busy_turns;
  totals.held_before = before.held;
  for (size_t i = 0; i < totals.drops.size(); ++i) {
    totals.drops[i] -= before.drops[i];
  }
  for (size_t i = 0; i < totals.ends.size(); ++i) {
    totals.ends[i] -= before.ends[i];
  }
  for (size_t i = 0; i < totals.ports.size(); ++i) {
    totals.ports[i].received_packets -= before.ports[i].received_packets;
    totals.ports[i].received_bytes -= before.ports[i].received_bytes;
  }
}

}  // namespace

uint64_t WorkerTotals::dropped() const {
  return std::accumulate(drops.begin(), drops.end(), uint64_t{0});
}

Statistics::Statistics(const unit::Unit& unit)
    : unit_(unit),
      virtual_names_(kVirtualsMax + 1),
      member_names_(kMembersMax + 1),
      virtuals_before_(kVirtualsMax + 1),
      members_before_(kMembersMax + 1),
      workers_before_(unit.workers()) {
  Follow(unit.snapshot());
}

void Statistics::Reset(const std::vector<PortReport>& ports) {
  for (size_t id = 1; id < virtuals_before_.size(); ++id) {
    virtuals_before_[id] = SumOfVirtual(static_cast<config::VirtualId>(id));
  }
  for (size_t id = 1; id < members_before_.size(); ++id) {
    members_before_[id] = SumOfMember(static_cast<config::MemberId>(id));
  }
  for (unsigned worker = 0; worker < unit_.workers(); ++worker) {
    workers_before_[worker] = Read(unit_.counters(worker));
  }
  ports_before_.clear();
  for (const PortReport& port : ports) {
    ports_before_[port.name] = port;
  }
}

void Statistics::Follow(const config::Snapshot& snapshot) {
  for (size_t i = 1; i < virtual_names_.size(); ++i) {
    const auto id = static_cast<config::VirtualId>(i);
    const config::Virtual* object = snapshot.FindVirtual(id);
    std::string name = object == nullptr ? std::string() : object->name;
    if (name == virtual_names_[i]) continue;
    virtual_names_[i] = std::move(name);
    virtuals_before_[i] = SumOfVirtual(id);
  }
  for (size_t i = 1; i < member_names_.size(); ++i) {
    const auto id = static_cast<config::MemberId>(i);
    const config::Member* object = snapshot.FindMember(id);
    const config::Pool* pool = object == nullptr ? nullptr : snapshot.FindPool(object->pool);
    std::string name = pool == nullptr ? std::string() : pool->name + ' ' + object->name;
    if (name == member_names_[i]) continue;
    member_names_[i] = std::move(name);
    members_before_[i] = SumOfMember(id);
  }
}

ObjectTotals Statistics::OfVirtual(config::VirtualId id) const {
  return Minus(SumOfVirtual(id), virtuals_before_[id]);
}

ObjectTotals Statistics::OfMember(config::MemberId id) const {
  return Minus(SumOfMember(id), members_before_[id]);
}

WorkerTotals Statistics::OfWorker(unsigned worker) const {
  WorkerTotals totals = Read(unit_.counters(worker));
  Subtract(workers_before_[worker], totals);
  return totals;
}

PortTotals Statistics::OfPort(size_t port) const {
  PortTotals sum;
  for (unsigned worker = 0; worker < unit_.workers(); ++worker) {
    const pipeline::PortCounters& now = unit_.counters(worker).ports[port];
    const PortTotals& before = workers_before_[worker].ports[port];
    sum.received_packets += now.received_packets.Get() - before.received_packets;
    sum.received_bytes += now.received_bytes.Get() - before.received_bytes;
  }
  return sum;
}

PortReport Statistics::Since(PortReport report) const {
  const auto found = ports_before_.find(report.name);
  if (found == ports_before_.end()) return report;
  const PortReport& before = found->second;
  report.rx_packets -= before.rx_packets;
  report.rx_bytes -= before.rx_bytes;
  report.rx_errors -= before.rx_errors;
  report.rx_missed -= before.rx_missed;
  report.rx_no_buffer -= before.rx_no_buffer;
  report.tx_packets -= before.tx_packets;
  report.tx_bytes -= before.tx_bytes;
  report.tx_errors -= before.tx_errors;
  return report;
}

ObjectTotals Statistics::SumOfVirtual(config::VirtualId id) const {
  ObjectTotals sum;
  for (unsigned worker = 0; worker < unit_.workers(); ++worker) {
    Add(unit_.counters(worker).virtuals[id], sum);
  }
  return sum;
}

ObjectTotals Statistics::SumOfMember(config::MemberId id) const {
  ObjectTotals sum;
  for (unsigned worker = 0; worker < unit_.workers(); ++worker) {
    Add(unit_.counters(worker).members[id], sum);
  }
  return sum;
}

}  // namespace tandem::control
