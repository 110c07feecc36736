// SPDX-License-Identifier: Apache-2.0
//
// CheckReloadable: what a running process cannot change is compared field by field, with defaults
// filled in, so that writing a default down is no difference.
#include <map>
#include <string>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "control/config_compile.h"
#include "control/config_report.h"
#include "control/config_values.h"
#include "control/text.h"

namespace tandem::control {
namespace {

namespace v1 = config::v1;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

void Compare(const Origin& origin, const Message& running, const Message& next, Report& report) {
  const auto* type = running.GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    const std::string before = TextOfValues(field, ValuesOf(running, field));
    const std::string after = TextOfValues(field, ValuesOf(next, field));
    if (before == after) continue;
    report.Error(origin.At(field->name()), origin.label(),
                 Cat(field->name(), ": ", before, " cannot become ", after,
                     " while running; restart required"));
  }
}

// But for what can change.
void CompareMirroring(const v1::Config& running, const Document& document, Report& report) {
  const v1::Config& next = document.config();
  const Origin origin = document.Object("mirroring");
  if (running.has_mirroring() != next.has_mirroring()) {
    report.Error(origin.location(), origin.label(),
                 Cat("cannot be ", next.has_mirroring() ? "added" : "removed",
                     " while running; restart required"));
    return;
  }
  v1::Mirroring before = running.mirroring();
  v1::Mirroring after = next.mirroring();
  for (v1::Mirroring* each : {&before, &after}) {
    each->clear_key();
    each->clear_key_file();
    each->clear_address();
    each->clear_peer();
    each->clear_flush_us();
    each->clear_bulk_rate_mbps();
  }
  Compare(origin, before, after, report);
}

// Who the devices are.
void CompareDeviceGroup(const v1::Config& running, const Document& document, Report& report) {
  const v1::Config& next = document.config();
  const Origin origin = document.Object("device_group");
  if (running.has_device_group() != next.has_device_group()) {
    report.Error(origin.location(), origin.label(),
                 Cat("cannot be ", next.has_device_group() ? "added" : "removed",
                     " while running; restart required"));
    return;
  }
  v1::DeviceGroup before = running.device_group();
  v1::DeviceGroup after = next.device_group();
  for (v1::DeviceGroup* each : {&before, &after}) {
    each->clear_heartbeat_interval_us();
    each->clear_heartbeat_multiplier();
    each->clear_boot_wait_ms();
    each->clear_drain_timeout_ms();
    each->clear_worker_stall_ms();
    each->clear_hook();
    each->clear_hook_timeout();
    for (v1::GroupDevice& device : *each->mutable_device())
      device.clear_ha_capacity();
    if (!each->has_witness()) continue;
    v1::Witness& witness = *each->mutable_witness();
    witness.set_port(witness.port());
    witness.set_lease_ms(witness.lease_ms());
  }
  Compare(origin, before, after, report);
}

void ComparePorts(const v1::Config& running, const Document& document, Report& report) {
  const v1::Config& next = document.config();
  std::map<std::string, const v1::Port*> ports;
  for (const v1::Port& port : running.port())
    ports.emplace(port.name(), &port);
  for (int i = 0; i < next.port_size(); ++i) {
    const Origin origin = document.Object("port", i);
    const auto known = ports.find(next.port(i).name());
    if (known == ports.end()) {
      report.Error(origin.location(), origin.label(),
                   "cannot be added while running; restart required");
      continue;
    }
    v1::Port before = *known->second;
    v1::Port after = next.port(i);
    before.clear_link_failsafe();
    after.clear_link_failsafe();
    Compare(origin, before, after, report);
    ports.erase(known);
  }
  for (const auto& [name, port] : ports) {
    report.Error({}, Cat("port ", Quote(name)),
                 "cannot be removed while running; restart required");
  }
}

}  // namespace

absl::Status CheckReloadable(const v1::Config& running, const Document& next) {
  Report report(next.file());
  Compare(next.Object("device"), running.device(), next.config().device(), report);
  CompareMirroring(running, next, report);
  CompareDeviceGroup(running, next, report);
  ComparePorts(running, next, report);
  if (report.ok()) return absl::OkStatus();
  return absl::FailedPreconditionError(report.status().message());
}

}  // namespace tandem::control
