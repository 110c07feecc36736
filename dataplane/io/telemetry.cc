// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/telemetry.h"

#include <rte_telemetry.h>
#include <rte_version.h>

#include <charconv>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include "dataplane/base/drop_reason.h"
#include "dataplane/pipeline/counters.h"

namespace tandem::io {
namespace {

// EAL hands its callbacks no context of ours, and never forgets them.
struct Context {
  std::mutex mutex;
  const unit::Unit* unit = nullptr;
  std::string version;
  std::map<std::string, config::VirtualId, std::less<>> virtuals;
};

Context& TheContext() {
  static Context* const context = new Context;
  return *context;
}

// Of a running device, with the context's mutex held.
using Answer = int (*)(const Context& context, std::string_view parameter, rte_tel_data* data);

template <Answer answer>
int Handle(const char* /*command*/, const char* parameters, rte_tel_data* data) {
  Context& context = TheContext();
  const std::lock_guard<std::mutex> lock(context.mutex);
  if (context.unit == nullptr) return -1;
  return answer(context, parameters == nullptr ? "" : parameters, data);
}

std::optional<unsigned> WorkerOf(const Context& context, std::string_view text) {
  unsigned worker = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), worker);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return worker < context.unit->workers() ? std::optional(worker) : std::nullopt;
}

int AnswerVersion(const Context& context, std::string_view /*parameter*/, rte_tel_data* data) {
  rte_tel_data_start_dict(data);
  rte_tel_data_add_dict_string(data, "version", context.version.c_str());
  return rte_tel_data_add_dict_string(data, "dpdk", rte_version());
}

int AnswerDrops(const Context& context, std::string_view parameter, rte_tel_data* data) {
  const std::optional<unsigned> only = WorkerOf(context, parameter);
  if (!parameter.empty() && !only) return -1;
  rte_tel_data_start_dict(data);
  for (size_t reason = 1; reason < kDropReasonCount; ++reason) {
    uint64_t count = 0;
    for (unsigned worker = 0; worker < context.unit->workers(); ++worker) {
      if (!only || *only == worker) count += context.unit->counters(worker).drops[reason].Get();
    }
    rte_tel_data_add_dict_u64(data, kDropReasons[reason].name.data(), count);
  }
  return 0;
}

int AnswerWorkers(const Context& context, std::string_view parameter, rte_tel_data* data) {
  if (parameter.empty()) {
    rte_tel_data_start_array(data, RTE_TEL_U64_VAL);
    for (unsigned worker = 0; worker < context.unit->workers(); ++worker) {
      rte_tel_data_add_array_u64(data, worker);
    }
    return 0;
  }
  const std::optional<unsigned> worker = WorkerOf(context, parameter);
  if (!worker) return -1;
  const pipeline::WorkerCounters& counters = context.unit->counters(*worker);
  uint64_t dropped = 0;
  for (const Counter& drop : counters.drops) {
    dropped += drop.Get();
  }
  rte_tel_data_start_dict(data);
  const auto add = [data](const char* name, const Counter& counter) {
    rte_tel_data_add_dict_u64(data, name, counter.Get());
  };
  add("turns", counters.turns);
  add("busy_turns", counters.busy_turns);
  add("received", counters.received);
  add("handed_in", counters.handed_in);
  add("forwarded", counters.forwarded);
  add("consumed", counters.consumed);
  add("held", counters.held);
  add("handed_off", counters.handed_off);
  rte_tel_data_add_dict_u64(data, "dropped", dropped);
  add("originated", counters.originated);
  add("announced", counters.announced);
  add("resets_suppressed", counters.resets_suppressed);
  add("flows_created", counters.flows_created);
  add("flows_ipv4", counters.flows_ipv4);
  add("flows_ipv6", counters.flows_ipv6);
  return 0;
}

int AnswerVirtuals(const Context& context, std::string_view parameter, rte_tel_data* data) {
  if (parameter.empty()) {
    rte_tel_data_start_array(data, RTE_TEL_STRING_VAL);
    for (const auto& [name, id] : context.virtuals) {
      if (rte_tel_data_add_array_string(data, name.c_str()) != 0) break;
    }
    return 0;
  }
  const auto found = context.virtuals.find(parameter);
  if (found == context.virtuals.end()) return -1;
  pipeline::ObjectCounters sum;
  for (unsigned worker = 0; worker < context.unit->workers(); ++worker) {
    const pipeline::ObjectCounters& part = context.unit->counters(worker).virtuals[found->second];
    sum.in().packets.Add(part.in().packets.Get());
    sum.in().bytes.Add(part.in().bytes.Get());
    sum.out().packets.Add(part.out().packets.Get());
    sum.out().bytes.Add(part.out().bytes.Get());
    sum.connections.Add(part.connections.Get());
  }
  rte_tel_data_start_dict(data);
  rte_tel_data_add_dict_u64(data, "packets_in", sum.in().packets.Get());
  rte_tel_data_add_dict_u64(data, "bytes_in", sum.in().bytes.Get());
  rte_tel_data_add_dict_u64(data, "packets_out", sum.out().packets.Get());
  rte_tel_data_add_dict_u64(data, "bytes_out", sum.out().bytes.Get());
  rte_tel_data_add_dict_u64(data, "connections", sum.connections.Get());
  return rte_tel_data_add_dict_u64(data, "connections_now",
                                   context.unit->live_counts().OfVirtual(found->second));
}

void RegisterOnce() {
  static std::once_flag once;
  std::call_once(once, [] {
    rte_telemetry_register_cmd("/tandem/version", Handle<AnswerVersion>,
                               "What runs. No parameters");
    rte_telemetry_register_cmd("/tandem/drops", Handle<AnswerDrops>,
                               "Dropped packets by reason. Parameters: none, or int worker");
    rte_telemetry_register_cmd("/tandem/workers", Handle<AnswerWorkers>,
                               "Workers, or counters of one. Parameters: none, or int worker");
    rte_telemetry_register_cmd("/tandem/virtuals", Handle<AnswerVirtuals>,
                               "Virtual servers, or counters of one. Parameters: none, or name");
  });
}

}  // namespace

Telemetry::Telemetry(const unit::Unit& unit, std::string version) {
  Context& context = TheContext();
  {
    const std::lock_guard<std::mutex> lock(context.mutex);
    context.unit = &unit;
    context.version = std::move(version);
  }
  Follow(unit.snapshot());
  RegisterOnce();
}

Telemetry::~Telemetry() {
  Context& context = TheContext();
  const std::lock_guard<std::mutex> lock(context.mutex);
  context.unit = nullptr;
}

void Telemetry::Follow(const config::Snapshot& snapshot) {
  std::map<std::string, config::VirtualId, std::less<>> names;
  for (const config::Virtual& entry : snapshot.virtuals) {
    if (entry.id != 0) names.emplace(entry.name, entry.id);
  }
  Context& context = TheContext();
  const std::lock_guard<std::mutex> lock(context.mutex);
  context.virtuals = std::move(names);
}

}  // namespace tandem::io
