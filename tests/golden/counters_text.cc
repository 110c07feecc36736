// SPDX-License-Identifier: Apache-2.0
#include "tests/golden/counters_text.h"

#include <absl/strings/str_cat.h>

namespace tandem::test {
namespace {

void AddObject(const pipeline::ObjectCounters& object, std::map<std::string, uint64_t>& values) {
  values["packets_in"] += object.in().packets.Get();
  values["bytes_in"] += object.in().bytes.Get();
  values["packets_out"] += object.out().packets.Get();
  values["bytes_out"] += object.out().bytes.Get();
  values["connections"] += object.connections.Get();
}

void AddRecords(const persist::TableCounters& table, std::map<std::string, uint64_t>& values) {
  values["created"] += table.created.Get();
  values["used"] += table.used.Get();
  values["replaced"] += table.replaced.Get();
  values["expired"] += table.expired.Get();
  values["deleted"] += table.deleted.Get();
  values["full"] += table.full.Get();
  values["no_key"] += table.no_key.Get();
  values["over_limit"] += table.over_limit.Get();
}

void AddWorker(const Rig& rig, const pipeline::WorkerCounters& counters, CounterValues& values) {
  auto& packets = values["packets"];
  packets["received"] += counters.received.Get();
  packets["forwarded"] += counters.forwarded.Get();
  packets["consumed"] += counters.consumed.Get();
  packets["originated"] += counters.originated.Get();
  packets["announced"] += counters.announced.Get();
  packets["held"] += counters.held.Get();
  packets["handed_off"] += counters.handed_off.Get();
  packets["handed_in"] += counters.handed_in.Get();
  packets["resets_suppressed"] += counters.resets_suppressed.Get();
  auto& flows = values["flows"];
  flows["created"] += counters.flows_created.Get();
  flows["ipv4"] += counters.flows_ipv4.Get();
  flows["ipv6"] += counters.flows_ipv6.Get();
  for (size_t i = 0; i < kDropReasonCount; ++i)
    values["drops"][std::string(kDropReasons[i].name)] += counters.drops[i].Get();
  for (size_t i = 0; i < pipeline::kEndReasonCount; ++i)
    values["ends"][std::string(pipeline::kEndReasons[i].name)] += counters.ends[i].Get();
  const auto& ports = rig.unit().snapshot().ports;
  for (size_t i = 0; i < ports.size(); ++i) {
    auto& port = values["port " + ports[i].name];
    port["packets"] += counters.ports[i].received_packets.Get();
    port["bytes"] += counters.ports[i].received_bytes.Get();
  }
  for (config::VirtualId id = 1; id <= kVirtualsMax; ++id) {
    const std::string name = rig.VirtualName(id);
    if (!name.empty()) AddObject(counters.virtuals[id], values["virtual " + name]);
  }
  for (config::MemberId id = 1; id <= kMembersMax; ++id) {
    const std::string name = rig.MemberName(id);
    if (!name.empty()) AddObject(counters.members[id], values["member " + name]);
  }
  AddObject(counters.members[0], values["member none"]);
}

}  // namespace

CounterValues ReadCounters(const Rig& rig) {
  CounterValues values;
  for (unsigned worker = 0; worker < rig.unit().workers(); ++worker)
    AddWorker(rig, rig.unit().counters(worker), values);
  for (unsigned holder = 0; holder <= rig.unit().workers(); ++holder)
    AddRecords(rig.unit().records().counters(holder), values["records"]);
  for (config::VirtualId id = 1; id <= kVirtualsMax; ++id) {
    const std::string name = rig.VirtualName(id);
    if (!name.empty()) values["virtual " + name]["now"] = rig.unit().live_counts().OfVirtual(id);
  }
  for (config::MemberId id = 1; id <= kMembersMax; ++id) {
    const std::string name = rig.MemberName(id);
    if (!name.empty()) values["member " + name]["now"] = rig.unit().live_counts().OfMember(id);
  }
  return values;
}

std::vector<std::string> CounterLines(const CounterValues& before, const CounterValues& after) {
  std::vector<std::string> lines;
  for (const auto& [group, counters] : after) {
    std::string line;
    for (const auto& [name, value] : counters) {
      uint64_t old = 0;
      if (const auto found = before.find(group); found != before.end()) {
        if (const auto counter = found->second.find(name); counter != found->second.end()) {
          old = counter->second;
        }
      }
      // Levels may have gone down.
      if (value != old) absl::StrAppend(&line, " ", name, " ", static_cast<int64_t>(value - old));
    }
    if (!line.empty()) lines.push_back(group + ":" + line);
  }
  return lines;
}

}  // namespace tandem::test
