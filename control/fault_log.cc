// SPDX-License-Identifier: Apache-2.0
#include "control/fault_log.h"

#include <algorithm>

#include "control/text.h"

namespace tandem::control {
namespace {

const ha::Fault* Find(const std::vector<ha::Fault>& faults, const ha::Fault& wanted) {
  const auto found = std::ranges::find_if(faults, [&](const ha::Fault& one) {
    return one.kind == wanted.kind && one.subject == wanted.subject && one.group == wanted.group;
  });
  return found == faults.end() ? nullptr : &*found;
}

std::string InWords(const ha::Fault& fault, const config::Snapshot& snapshot) {
  std::string text = Cat(ha::TextOf(fault.kind), " (", SubjectOf(fault, snapshot), ")");
  if (fault.group != 0 && fault.group < snapshot.traffic_groups.size())
    text += Cat(", of traffic group '", snapshot.traffic_groups[fault.group].name, "'");
  return text;
}

}  // namespace

std::string SubjectOf(const ha::Fault& fault, const config::Snapshot& snapshot) {
  const size_t subject = fault.subject;
  switch (fault.kind) {
    case ha::Fault::Kind::kWorkerStall:
      return Cat("worker ", subject);
    case ha::Fault::Kind::kLinkDown:
      return subject < snapshot.ports.size() ? Cat("port ", snapshot.ports[subject].name) : "";
    case ha::Fault::Kind::kVlanSilent:
      return subject < snapshot.interfaces.size() ? Cat("vlan ", snapshot.interfaces[subject].name)
                                                  : "";
    case ha::Fault::Kind::kGatewayDown:
      return "gateway_failsafe";
  }
  return "";
}

std::vector<std::string> FaultChanges(const std::vector<ha::Fault>& before,
                                      const std::vector<ha::Fault>& after,
                                      const config::Snapshot& snapshot) {
  std::vector<std::string> lines;
  for (const ha::Fault& fault : after) {
    const ha::Fault* const known = Find(before, fault);
    const bool was_there = known != nullptr && !known->is_over;
    // One that came and went between the looks has both lines.
    const bool is_new = !was_there && (known == nullptr || !fault.is_over);
    if (is_new) lines.push_back(Cat("failover: fault: ", InWords(fault, snapshot)));
    if (fault.is_over && (is_new || was_there))
      lines.push_back(Cat("failover: fault over: ", InWords(fault, snapshot)));
  }
  for (const ha::Fault& fault : before) {
    if (!fault.is_over && Find(after, fault) == nullptr)
      lines.push_back(Cat("failover: fault over: ", InWords(fault, snapshot)));
  }
  return lines;
}

}  // namespace tandem::control
