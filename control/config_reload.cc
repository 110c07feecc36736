// SPDX-License-Identifier: Apache-2.0
//
// CheckReloadable: what a running process cannot change is compared field by field, with defaults
// filled in, so that writing a default down is no difference.
#include <map>
#include <string>
#include <vector>

#include <absl/strings/str_join.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include "control/config_compile.h"
#include "control/config_report.h"
#include "control/text.h"

namespace tandem::control {
namespace {

namespace v1 = config::v1;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::TextFormat;

// As the text format would have it; a list in brackets.
std::string ValueOf(const Message& message, const FieldDescriptor* field) {
  std::string value;
  if (!field->is_repeated()) {
    TextFormat::PrintFieldValueToString(message, field, -1, &value);
    return value;
  }
  std::vector<std::string> values;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, field); ++i) {
    TextFormat::PrintFieldValueToString(message, field, i, &value);
    values.push_back(value);
  }
  return Cat("[", absl::StrJoin(values, ", "), "]");
}

void Compare(const std::string& object, const Message& running, const Message& next,
             std::vector<std::string>& differences) {
  const auto* type = running.GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    const std::string before = ValueOf(running, type->field(i));
    const std::string after = ValueOf(next, type->field(i));
    if (before == after) continue;
    differences.push_back(Cat(object, ": ", type->field(i)->name(), ": ", before, " cannot become ",
                              after, " while running; restart required"));
  }
}

// But for what can change, and without the key in the message.
void CompareMirroring(const v1::Config& running, const v1::Config& next,
                      std::vector<std::string>& differences) {
  if (running.has_mirroring() != next.has_mirroring()) {
    differences.push_back(Cat("mirroring: cannot be ", next.has_mirroring() ? "added" : "removed",
                              " while running; restart required"));
    return;
  }
  v1::Mirroring before = running.mirroring();
  v1::Mirroring after = next.mirroring();
  if (before.key() != after.key()) {
    differences.emplace_back("mirroring: key: cannot change while running; restart required");
  }
  for (v1::Mirroring* each : {&before, &after}) {
    each->clear_key();
    each->clear_flush_us();
    each->clear_bulk_rate_mbps();
  }
  Compare("mirroring", before, after, differences);
}

}  // namespace

absl::Status CheckReloadable(const v1::Config& running, const v1::Config& next) {
  std::vector<std::string> differences;
  Compare("device", running.device(), next.device(), differences);
  CompareMirroring(running, next, differences);
  std::map<std::string, const v1::Port*> ports;
  for (const v1::Port& port : running.port())
    ports.emplace(port.name(), &port);
  for (const v1::Port& port : next.port()) {
    const auto known = ports.find(port.name());
    if (known == ports.end()) {
      differences.push_back(
          Cat("port ", Quote(port.name()), ": cannot be added while running; restart required"));
      continue;
    }
    Compare(Cat("port ", Quote(port.name())), *known->second, port, differences);
    ports.erase(known);
  }
  for (const auto& [name, port] : ports) {
    differences.push_back(
        Cat("port ", Quote(name), ": cannot be removed while running; restart required"));
  }
  if (differences.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrJoin(differences, "\n"));
}

}  // namespace tandem::control
